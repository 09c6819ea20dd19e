import { toHex } from "@thingline/protocol";
import type { KeyKind, Keys, Random } from "@thingline/transport";
import type { X509CertificateGenerator } from "@peculiar/x509";
import { decodeBody, importSigningKey, loadX509Library, randomSerialNumber } from "./x509-writer.js";
import type { CertificateWithKey } from "./certificate-with-key.js";

export interface ServerCertificateIssuerOptions {
  keys: Keys;
  random: Random;
  /**
   * Default `ec-p256`: a handshake that is quicker and half as long as RSA's. An nRF91 and every TLS 1.2 client with
   * ECDHE takes either.
   */
  kind?: KeyKind;
}

export interface RootOptions {
  notBeforeMs: number;
  notAfterMs: number;
}

export interface ServerOptions extends RootOptions {
  root: CertificateWithKey;
  /** DNS names and IP addresses, mixed. */
  names: readonly string[];
}

/** Makes the local root CA that clients trust, and TLS server certificates under it. */
export interface ServerCertificateIssuer {
  createRoot(options: RootOptions): Promise<CertificateWithKey>;
  createServer(options: ServerOptions): Promise<CertificateWithKey>;
}

export async function loadServerCertificateIssuer({
  keys,
  random,
  kind = "ec-p256",
}: ServerCertificateIssuerOptions): Promise<ServerCertificateIssuer> {
  const x509 = await loadX509Library();

  /** Adds what both have: serial number, validity, key identifiers. */
  const create = async (
    options: RootOptions & {
      subject: string;
      issuer: string;
      publicKeyPem: string;
      signerPublicKey: Uint8Array<ArrayBuffer>;
      signerPrivateKeyPem: string;
      extensions: NonNullable<Parameters<typeof X509CertificateGenerator.create>[0]["extensions"]>;
    },
  ): Promise<string> => {
    const { key: signingKey, algorithm: signingAlgorithm } = await importSigningKey(options.signerPrivateKeyPem);
    const publicKey = new x509.PublicKey(decodeBody(options.publicKeyPem));
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: toHex(randomSerialNumber(random)),
      subject: options.subject,
      issuer: options.issuer,
      notBefore: wholeSeconds(options.notBeforeMs),
      notAfter: wholeSeconds(options.notAfterMs),
      publicKey,
      signingKey,
      signingAlgorithm,
      extensions: [
        ...options.extensions,
        await x509.SubjectKeyIdentifierExtension.create(publicKey),
        await x509.AuthorityKeyIdentifierExtension.create(new x509.PublicKey(options.signerPublicKey)),
      ],
    });
    return `${certificate.toString("pem").trim()}\n`;
  };

  return {
    async createRoot(validity) {
      const { privateKeyPem, publicKeyPem } = await keys.generate(kind);
      // Each root has a name of its own: two roots of one name in a trust store confuse verifiers.
      const subject = `CN=Thingline Local Root CA ${toHex(random.bytes(4))}`;
      const { KeyUsageFlags: usage } = x509;
      const certificatePem = await create({
        ...validity,
        subject,
        issuer: subject,
        publicKeyPem,
        signerPublicKey: decodeBody(publicKeyPem),
        signerPrivateKeyPem: privateKeyPem,
        extensions: [
          new x509.BasicConstraintsExtension(true, 0, true),
          new x509.KeyUsagesExtension(usage.keyCertSign | usage.cRLSign, true),
        ],
      });
      return { certificatePem, privateKeyPem };
    },

    async createServer({ root, names, ...validity }) {
      const { privateKeyPem, publicKeyPem } = await keys.generate(kind);
      const rootCertificate = new x509.X509Certificate(root.certificatePem);
      const { KeyUsageFlags: usage } = x509;
      const flags = kind === "rsa-2048" ? usage.digitalSignature | usage.keyEncipherment : usage.digitalSignature;
      const certificatePem = await create({
        ...validity,
        subject: `CN=${names.find((name) => !isAddress(name)) ?? "localhost"}`,
        issuer: rootCertificate.subject,
        publicKeyPem,
        signerPublicKey: new Uint8Array(rootCertificate.publicKey.rawData),
        signerPrivateKeyPem: root.privateKeyPem,
        extensions: [
          new x509.BasicConstraintsExtension(false, undefined, true),
          new x509.KeyUsagesExtension(flags, true),
          new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
          new x509.SubjectAlternativeNameExtension(
            names.map((name) => ({ type: isAddress(name) ? x509.IP : x509.DNS, value: name })),
          ),
        ],
      });
      return { certificatePem, privateKeyPem };
    },
  };
}

const isAddress = (name: string) => /^\d+\.\d+\.\d+\.\d+$/.test(name) || name.includes(":");

/** X.509 has no milliseconds; a rounded up start would lie in the future. */
const wholeSeconds = (ms: number) => new Date(Math.floor(ms / 1000) * 1000);
