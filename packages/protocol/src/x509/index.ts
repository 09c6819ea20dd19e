export { decodeBase64, encodeBase64 } from "../base64.js";
export { parseCertificateDer, parseCertificates } from "./certificate.js";
export type { Certificate } from "./certificate.js";
export { createCertificate } from "./certificate-writer.js";
export type { CertificateOptions, WrittenCertificate } from "./certificate-writer.js";
export { derBytesMax, derElements, DerReader, derTags, firstDerElement } from "./der.js";
export type { DerElement } from "./der.js";
export {
  encodeBitString,
  encodedNull,
  encodeDer,
  encodedTrue,
  encodeInteger,
  encodeObjectIdentifier,
  encodeSequence,
} from "./der-writer.js";
export { encodeName, nameAttributeTypes, nameValueCharactersMax } from "./name.js";
export type { DistinguishedName, NameAttributeType } from "./name.js";
export { encodePem, pemBlocksMax, pemCharactersMax, pemText, readPem } from "./pem.js";
export type { Pem, PemBlock, PemResult } from "./pem.js";
export { parsePrivateKey } from "./private-key.js";
export type { KeyAlgorithm, PrivateKeyFormat, PrivateKeyInfo } from "./private-key.js";
export { createCertificateRequest, parseCertificateRequest } from "./request.js";
export type { CertificateRequest, CertificateRequestOptions, ReadCertificateRequest } from "./request.js";
export { readCertificateSignature, readPublicKeyKind, readRequestSignature } from "./signature.js";
export type {
  CertificateSignature,
  PublicKeyKind,
  RequestSignature,
  SignatureAlgorithm,
  SignatureHash,
} from "./signature.js";
export { checkTlsPems } from "./tls-pems.js";
export type { TlsPems } from "./tls-pems.js";
export { requireCa, requireChainOrder, validityProblem } from "./trust.js";
