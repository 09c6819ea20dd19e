import { isThinglineError, ThinglineError } from "../errors.js";
import { isBytes } from "../bytes.js";
import { kindOf, optionInvalid } from "../options.js";
import { parseCertificateDer, parseCertificates } from "./certificate.js";
import { type Pem, type PemBlock, pemCharactersMax, readPem } from "./pem.js";
import { keyOfBlock, parsePrivateKey } from "./private-key.js";

export interface TlsPems {
  ca: Pem;
  certificate?: Pem | undefined;
  privateKey?: Pem | undefined;
}

const noCa =
  'nothing; it is the CA that vouches for the server: amazonRootCa1 for AWS IoT, the file "ca-cert.pem" of a local cloud';

/**
 * Says what is wrong with the credentials of a TLS client before any network: what is missing, no PEM, another kind of PEM, a path.
 * Whether key and certificate belong together takes cryptography, and is the dialer's to say.
 *
 * Files with certificate and key together are taken for either. A CA bundle of more than {@link pemCharactersMax} characters is not looked
 * into.
 *
 * @param prefix of the names in errors: `tls.`
 * @throws {ThinglineError} OPTION_INVALID, CERTIFICATE_INVALID, KEY_INVALID, with the option in `details.option`.
 */
export function checkTlsPems({ ca, certificate, privateKey }: TlsPems, prefix: string): void {
  if ((ca as unknown) === undefined) throw optionInvalid(`${prefix}ca`, "PEM as text or bytes", noCa);
  checkCertificates(`${prefix}ca`, ca);
  if ((certificate === undefined) !== (privateKey === undefined)) {
    const [missing, given] = certificate === undefined ? ["certificate", "privateKey"] : ["privateKey", "certificate"];
    throw optionInvalid(`${prefix}${missing}`, `PEM, since ${prefix}${given} is given and they go together`, "nothing");
  }
  if (certificate === undefined || privateKey === undefined) return;
  checkCertificates(`${prefix}certificate`, certificate);
  checkPrivateKey(`${prefix}privateKey`, privateKey);
}

function checkCertificates(option: string, pem: Pem): void {
  const certificates = blocksOf(option, pem, (label) => certificateLabels.includes(label));
  if (certificates === undefined) return;
  named(option, () => {
    for (const { der } of certificates) parseCertificateDer(firstElement(der), option);
    // Of another kind, or none: the whole text tells why.
    if (certificates.length === 0) parseCertificates(pem, option);
  });
}

function checkPrivateKey(option: string, pem: Pem): void {
  const keys = blocksOf(option, pem, (label) => label.endsWith("PRIVATE KEY"));
  if (keys === undefined) return;
  named(option, () => {
    const [key] = keys;
    if (key !== undefined && keys.length === 1) keyOfBlock(key, option);
    else parsePrivateKey(pem, option);
  });
}

const certificateLabels = ["CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"];

/** The blocks of one kind. Undefined: too large to look into. */
function blocksOf(option: string, pem: Pem, isWanted: (label: string) => boolean): readonly PemBlock[] | undefined {
  requirePem(option, pem);
  if (pem.length > pemCharactersMax) return undefined;
  const result = readPem(pem);
  return "reason" in result ? [] : result.blocks.filter(({ label }) => isWanted(label));
}

/** OpenSSL's trusted certificates have data of its own behind the certificate. */
function firstElement(der: Uint8Array): Uint8Array {
  const [tag, first = 0] = der;
  const count = first - 0x80;
  if (tag !== 0x30 || count < 1 || count > 3) return der;
  const length = der.subarray(2, 2 + count).reduce((sum, byte) => sum * 256 + byte, 0);
  return der.subarray(0, 2 + count + length);
}

function requirePem(option: string, pem: unknown): void {
  if (typeof pem !== "string" && !isBytes(pem)) throw optionInvalid(option, "PEM as text or bytes", kindOf(pem));
}

function named(option: string, check: () => void): void {
  try {
    check();
  } catch (error) {
    if (!isThinglineError(error)) throw error;
    throw new ThinglineError(error.code, error.message, { details: { ...error.details, option }, cause: error });
  }
}
