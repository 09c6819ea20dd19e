import { ThinglineError } from "@thingline/protocol";

/** What policies and the gateway want to know about a certificate, without a general X.509 library. */
export interface CertificateFacts {
  /** It may sign other certificates: its basic constraints say so. */
  isCa: boolean;
  /** Decimal. */
  serialNumber: string;
  notBeforeMs: number;
  notAfterMs: number;
  /** Values by AWS's attribute name, in the order of the certificate. */
  subject: ReadonlyMap<string, readonly string[]>;
  issuer: ReadonlyMap<string, readonly string[]>;
  /** By `RFC822Name`, `DNSName`, `DirectoryName`, `UniformResourceIdentifier`, `IPAddress`. */
  subjectAlternativeNames: ReadonlyMap<string, readonly string[]>;
  issuerAlternativeNames: ReadonlyMap<string, readonly string[]>;
}

/** The attributes that AWS IoT has policy variables for, by object identifier. */
const attributeNames: ReadonlyMap<string, string> = new Map([
  ["2.5.4.46", "DistinguishedNameQualifier"],
  ["2.5.4.6", "Country"],
  ["2.5.4.10", "Organization"],
  ["2.5.4.11", "OrganizationalUnit"],
  ["2.5.4.8", "State"],
  ["2.5.4.3", "CommonName"],
  ["2.5.4.5", "SerialNumber"],
  ["2.5.4.12", "Title"],
  ["2.5.4.4", "Surname"],
  ["2.5.4.42", "GivenName"],
  ["2.5.4.43", "Initials"],
  ["2.5.4.65", "Pseudonym"],
  ["2.5.4.44", "GenerationQualifier"],
]);

const basicConstraintsOid = "2.5.29.19";
const subjectAlternativeNameOid = "2.5.29.17";
const issuerAlternativeNameOid = "2.5.29.18";

/**
 * Reads an X.509 certificate (RFC 5280 §4.1). Does not verify anything.
 *
 * @throws {ThinglineError} CERTIFICATE_INVALID
 */
export function readCertificateFacts(der: Uint8Array): CertificateFacts {
  const certificate = children(readElement(der, 0, 0x30));
  const fields = children(expectTag(certificate[0], 0x30));
  // [0] EXPLICIT version is there for v2 and v3.
  const first = fields[0]?.tag === 0xa0 ? 1 : 0;
  const field = (index: number, tag: number) => expectTag(fields[first + index], tag);
  const validity = children(field(3, 0x30));
  const extensions = readExtensions(fields.find(({ tag }) => tag === 0xa3));
  return {
    isCa: readIsCa(extensions.get(basicConstraintsOid)),
    serialNumber: toDecimal(field(0, 0x02).content),
    issuer: readName(field(2, 0x30)),
    notBeforeMs: readTimeMs(validity[0]),
    notAfterMs: readTimeMs(validity[1]),
    subject: readName(field(4, 0x30)),
    subjectAlternativeNames: readAlternativeNames(extensions.get(subjectAlternativeNameOid)),
    issuerAlternativeNames: readAlternativeNames(extensions.get(issuerAlternativeNameOid)),
  };
}

/** One DER element; `content` is a view. */
interface Element {
  tag: number;
  content: Uint8Array;
  endOffset: number;
}

function invalid(reason: string): ThinglineError {
  return new ThinglineError("CERTIFICATE_INVALID", `The bytes are no X.509 certificate: ${reason}`);
}

function readElement(bytes: Uint8Array, offset: number, wantedTag?: number): Element {
  const tag = bytes[offset];
  const first = bytes[offset + 1];
  if (tag === undefined || first === undefined) throw invalid(`they end at offset ${offset}`);
  let start = offset + 2;
  let length = first;
  if (first >= 0x80) {
    const lengthBytes = first & 0x7f;
    if (lengthBytes === 0 || lengthBytes > 3) throw invalid(`a length of ${lengthBytes} bytes at offset ${offset}`);
    length = 0;
    for (let index = 0; index < lengthBytes; index++) length = length * 256 + (bytes[start + index] ?? 0);
    start += lengthBytes;
  }
  if (start + length > bytes.length) throw invalid(`an element at offset ${offset} is longer than its container`);
  const element = { tag, content: bytes.subarray(start, start + length), endOffset: start + length };
  return wantedTag === undefined ? element : expectTag(element, wantedTag);
}

function expectTag(element: Element | undefined, tag: number): Element {
  if (element?.tag !== tag)
    throw invalid(`expected tag 0x${tag.toString(16)}, got 0x${(element?.tag ?? 0).toString(16)}`);
  return element;
}

function children({ content }: Element): Element[] {
  const list: Element[] = [];
  for (let offset = 0; offset < content.length; offset = (list[list.length - 1] as Element).endOffset)
    list.push(readElement(content, offset));
  return list;
}

function toDecimal(bytes: Uint8Array): string {
  let value = 0n;
  for (const byte of bytes) value = value * 256n + BigInt(byte);
  return value.toString();
}

function readObjectIdentifier({ content }: Element): string {
  const numbers: number[] = [];
  let value = 0;
  for (const byte of content) {
    value = value * 128 + (byte & 0x7f);
    if (byte >= 0x80) continue;
    if (numbers.length === 0) {
      const top = Math.min(2, Math.floor(value / 40));
      numbers.push(top, value - top * 40);
    } else numbers.push(value);
    value = 0;
  }
  return numbers.join(".");
}

function readName(name: Element): Map<string, string[]> {
  const values = new Map<string, string[]>();
  for (const set of children(name)) {
    for (const pair of children(set)) {
      const [oid, value] = children(pair);
      if (oid === undefined || value === undefined) throw invalid("a name without type or value");
      add(values, attributeNames.get(readObjectIdentifier(oid)), readText(value));
    }
  }
  return values;
}

function add(values: Map<string, string[]>, name: string | undefined, value: string): void {
  if (name === undefined) return;
  const list = values.get(name);
  if (list === undefined) values.set(name, [value]);
  else list.push(value);
}

/** UTF8String and the old string types. */
function readText({ tag, content }: Element): string {
  if (tag === 0x0c) return new TextDecoder().decode(content);
  if (tag === 0x1e) return new TextDecoder("utf-16be").decode(content);
  return String.fromCharCode(...content);
}

/** RFC 5280 §4.1.2.5: UTCTime up to 2049 (two-digit years below 50 are 20xx), GeneralizedTime from 2050. Always Zulu. */
function readTimeMs(element: Element | undefined): number {
  const text = element === undefined ? "" : String.fromCharCode(...element.content);
  const parts = /^(\d{2}|\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/.exec(text);
  if (parts === null) throw invalid("a time in an unknown form");
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts.slice(1).map(Number);
  const fullYear = (parts[1] ?? "").length === 4 ? year : year < 50 ? 2000 + year : 1900 + year;
  return Date.UTC(fullYear, month - 1, day, hour, minute, second);
}

function readExtensions(element: Element | undefined): Map<string, Uint8Array> {
  const extensions = new Map<string, Uint8Array>();
  if (element === undefined) return extensions;
  for (const extension of children(expectTag(children(element)[0], 0x30))) {
    const parts = children(extension);
    const oid = parts[0];
    const value = parts[parts.length - 1];
    if (oid !== undefined && value?.tag === 0x04) extensions.set(readObjectIdentifier(oid), value.content);
  }
  return extensions;
}

/** RFC 5280 §4.2.1.9: a BOOLEAN, false when it is left out. */
function readIsCa(extension: Uint8Array | undefined): boolean {
  if (extension === undefined) return false;
  const [first] = children(readElement(extension, 0, 0x30));
  return first?.tag === 0x01 && first.content[0] !== 0;
}

/** GeneralName choices: 1 rfc822Name, 2 dNSName, 4 directoryName, 6 URI, 7 iPAddress. */
function readAlternativeNames(extension: Uint8Array | undefined): Map<string, string[]> {
  const names = new Map<string, string[]>();
  if (extension === undefined) return names;
  for (const { tag, content } of children(readElement(extension, 0, 0x30))) {
    if (tag === 0x81) add(names, "RFC822Name", String.fromCharCode(...content));
    else if (tag === 0x82) add(names, "DNSName", String.fromCharCode(...content));
    else if (tag === 0x86) add(names, "UniformResourceIdentifier", String.fromCharCode(...content));
    else if (tag === 0x87) add(names, "IPAddress", readAddress(content));
    else if (tag === 0xa4) add(names, "DirectoryName", readDirectoryName(readElement(content, 0, 0x30)));
  }
  return names;
}

function readAddress(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  const groups: string[] = [];
  for (let at = 0; at + 1 < bytes.length; at += 2)
    groups.push((((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)).toString(16));
  return groups.join(":");
}

function readDirectoryName(name: Element): string {
  return [...readName(name)].flatMap(([type, values]) => values.map((value) => `${type}=${value}`)).join(", ");
}
