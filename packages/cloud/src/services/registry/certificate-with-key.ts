// Apart from what makes certificates: the types of that library are no part of the public declarations.

/** A certificate with its key, PEM. */
export interface CertificateWithKey {
  certificatePem: string;
  privateKeyPem: string;
}
