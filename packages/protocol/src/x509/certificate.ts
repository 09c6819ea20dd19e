import { toHex } from "../bytes.js";
import { ThinglineError } from "../errors.js";
import { decodeObjectIdentifier, DerError, DerReader, derTags, readDer } from "./der.js";
import { decodeName } from "./name.js";
import { type Pem, readPem } from "./pem.js";
import { labelHint } from "./labels.js";

/** What a device and its tools need to know of an X.509 certificate. Nothing here is verified. */
export interface Certificate {
  der: Uint8Array;
  /** Lines of 64 characters, LF, one trailing LF. */
  pem: string;
  /** 1, 2 or 3. */
  version: number;
  /** Upper-case hex of the integer's bytes, without a leading 00. */
  serialNumber: string;
  subject: string;
  issuer: string;
  /** Unix time in seconds; both ends are part of the validity. */
  notBefore: number;
  notAfter: number;
  /** SubjectPublicKeyInfo, DER: what `Keys.publicKeyOf` tells of a private key. */
  publicKey: Uint8Array;
  /** By its basic constraints (RFC 5280 4.2.1.9). Without them it is none. */
  isCa: boolean;
}

/**
 * Every certificate of a PEM text, in its order.
 *
 * @param what how to call the text in the error: "the claim certificate".
 * @throws {ThinglineError} CERTIFICATE_INVALID when it is no PEM, holds something else, or is no certificate.
 */
export function parseCertificates(pem: Pem, what = "the certificate"): readonly [Certificate, ...Certificate[]] {
  const result = readPem(pem);
  if ("reason" in result) throw new ThinglineError("CERTIFICATE_INVALID", `${what} is not a PEM: ${result.reason}`);
  const [first, ...others] = result.blocks.map((block) => {
    if (block.label === "CERTIFICATE") return { ...parseCertificateDer(block.der, what), pem: block.pem };
    const message = `${what} must be a PEM "CERTIFICATE", got "${block.label}"${labelHint(block.label, "certificate")}`;
    throw new ThinglineError("CERTIFICATE_INVALID", message, { details: { label: block.label } });
  });
  if (!first) throw new ThinglineError("CERTIFICATE_INVALID", `${what} is empty`);
  return [first, ...others];
}

/** @throws {ThinglineError} CERTIFICATE_INVALID */
export function parseCertificateDer(der: Uint8Array, what = "the certificate"): Omit<Certificate, "pem"> {
  return readDer("CERTIFICATE_INVALID", what, () => {
    const outer = new DerReader(der);
    const certificate = outer.enter();
    outer.end();
    const body = certificate.enter();
    certificate.read(derTags.sequence);
    certificate.read(derTags.bitString);
    certificate.end();

    const version = body.nextTag === 0xa0 ? readVersion(body.enter(0xa0)) : 1;
    const serial = body.read(derTags.integer).content;
    body.read(derTags.sequence);
    const issuer = decodeName(body.read(derTags.sequence).whole);
    const validity = body.enter();
    const [notBefore, notAfter] = [readTime(validity), readTime(validity)];
    validity.end();
    const subject = decodeName(body.read(derTags.sequence).whole);
    const publicKey = body.read(derTags.sequence).whole;
    new DerReader(new DerReader(publicKey).enter().read(derTags.sequence).content).read(derTags.objectIdentifier);
    const isCa = readIsCa(body);
    return { der, version, serialNumber: serialText(serial), issuer, subject, notBefore, notAfter, publicKey, isCa };
  });
}

const basicConstraints = "2.5.29.19";

/** Of what follows the public key: unique identifiers, which nobody uses, and extensions. */
function readIsCa(body: DerReader): boolean {
  for (const tag of [0x81, 0x82]) if (body.nextTag === tag) body.read(tag);
  if (body.nextTag !== 0xa3) return false;
  const extensions = body.enter(0xa3).enter();
  while (extensions.nextTag !== undefined) {
    const extension = extensions.enter();
    const name = decodeObjectIdentifier(extension.read(derTags.objectIdentifier).content);
    if (name !== basicConstraints) continue;
    if (extension.nextTag === booleanTag) extension.read(booleanTag);
    const constraints = new DerReader(extension.read(derTags.octetString).content).enter();
    return constraints.nextTag === booleanTag && constraints.read(booleanTag).content[0] !== 0;
  }
  return false;
}

const booleanTag = 0x01;

function readVersion(reader: DerReader): number {
  const { content } = reader.read(derTags.integer);
  reader.end();
  const version = (content[0] ?? 255) + 1;
  if (content.length !== 1 || version > 3) throw new DerError("a certificate version other than 1, 2 or 3");
  return version;
}

function serialText(content: Uint8Array): string {
  if (content.length === 0) throw new DerError("an empty serial number");
  const bytes = content.length > 1 && content[0] === 0 ? content.subarray(1) : content;
  return toHex(bytes).toUpperCase();
}

/** A GeneralizedTime. */
const timeBytesMax = "YYYYMMDDhhmmssZ".length;

/** RFC 5280, 4.1.2.5: seconds are always there, the zone is always Z; two-digit years from 50 on are 19xx. */
function readTime(reader: DerReader): number {
  const { tag, content } = reader.read();
  const isUtc = tag === derTags.utcTime;
  if (!isUtc && tag !== derTags.generalizedTime) throw new DerError("a validity that is no time");
  if (content.length > timeBytesMax) throw new DerError("a validity that is no time");
  const text = String.fromCharCode(...content);
  const match = (isUtc ? /^(\d{2})(\d{10})Z$/u : /^(\d{4})(\d{10})Z$/u).exec(text);
  if (!match) throw new DerError("a validity that is no time");
  const written = Number(match[1]);
  const year = isUtc ? written + (written < 50 ? 2000 : 1900) : written;
  const [month = 0, day = 0, hour = 0, minute = 0, second = 0] = (match[2]?.match(/\d{2}/gu) ?? []).map(Number);
  const time = Date.UTC(year, month - 1, day, hour, minute, second);
  const isReal =
    new Date(time).getUTCDate() === day && month >= 1 && month <= 12 && hour < 24 && minute < 60 && second < 60;
  if (!isReal) throw new DerError("a validity that is no time");
  return time / 1000;
}
