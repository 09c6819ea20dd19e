export { connectionContract, openPair } from "./connection-contract.js";
export type { ConnectionWorld, OpenPair } from "./connection-contract.js";
export { codeOf, observe } from "./harness.js";
export type { ContractAssert, ContractHarness, Observed } from "./harness.js";
export { clientTlsOf, serverTlsOf } from "./secure-connection-contract.js";
export { makeTestCertificate, makeTestCertificates } from "./test-certificates.js";
export type { TestCertificate, TestCertificateOptions, TestCertificates } from "./test-certificates.js";
