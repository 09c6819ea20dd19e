export { makeTestCertificate, makeTestCertificates } from "./test-certificates.js";
export type { TestCertificate, TestCertificateOptions, TestCertificates } from "./test-certificates.js";
