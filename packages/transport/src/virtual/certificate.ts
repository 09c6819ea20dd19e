import { bytesEqual, ThinglineError } from "@thingline/protocol";
import { derElements, type DerElement, derTags, firstDerElement, readPem } from "@thingline/protocol/x509";

/** What a virtual handshake looks at. Signatures are not checked: an issuer is known by its name alone. */
export interface VirtualCertificate {
  bytes: Uint8Array;
  /** SubjectPublicKeyInfo DER. */
  publicKey: Uint8Array;
  issuer: Uint8Array;
  subject: Uint8Array;
  notBeforeMs: number;
  notAfterMs: number;
  /** DNS names and IP addresses of the subject alternative name. */
  hosts: string[];
}

/** Every certificate of a PEM text, at least one. @throws {ThinglineError} CERTIFICATE_INVALID */
export function readCertificates(pem: string): [VirtualCertificate, ...VirtualCertificate[]] {
  const found = readPem(pem);
  const blocks = "blocks" in found ? found.blocks.filter(({ label }) => label.endsWith("CERTIFICATE")) : [];
  const read = blocks.map(({ der }) => readCertificate(der));
  const [first, ...rest] = read.filter((certificate) => certificate !== undefined);
  if (first === undefined || rest.length + 1 < read.length) {
    throw new ThinglineError("CERTIFICATE_INVALID", "expected an X.509 certificate in PEM, got text that is none");
  }
  return [first, ...rest];
}

/** Why a client would not trust this server, in Node's words, or undefined. */
export function distrust(
  [leaf, ...others]: readonly VirtualCertificate[],
  authorities: readonly VirtualCertificate[],
  host: string,
  unixMs: number,
): string | undefined {
  if (leaf === undefined) return "UNABLE_TO_GET_ISSUER_CERT";
  if (!leadsToAuthority(leaf, others, authorities)) {
    return bytesEqual(leaf.issuer, leaf.subject) ? "DEPTH_ZERO_SELF_SIGNED_CERT" : "UNABLE_TO_VERIFY_LEAF_SIGNATURE";
  }
  if (unixMs < leaf.notBeforeMs) return "CERT_NOT_YET_VALID";
  if (unixMs > leaf.notAfterMs) return "CERT_HAS_EXPIRED";
  return leaf.hosts.some((name) => hostMatches(name, host)) ? undefined : "ERR_TLS_CERT_ALTNAME_INVALID";
}

function leadsToAuthority(
  leaf: VirtualCertificate,
  others: readonly VirtualCertificate[],
  authorities: readonly VirtualCertificate[],
): boolean {
  let current = leaf;
  for (let depth = 0; depth <= others.length; depth++) {
    const { issuer, bytes } = current;
    if (authorities.some((ca) => bytesEqual(ca.subject, issuer) && !bytesEqual(ca.bytes, bytes))) return true;
    if (authorities.some((ca) => bytesEqual(ca.bytes, bytes))) return true;
    const next = others.find((other) => bytesEqual(other.subject, issuer));
    if (next === undefined) return false;
    current = next;
  }
  return false;
}

function hostMatches(name: string, host: string): boolean {
  if (!name.startsWith("*.")) return name.toLowerCase() === host.toLowerCase();
  return host.toLowerCase().replace(/^[^.]+/, "*") === name.toLowerCase();
}

function readCertificate(bytes: Uint8Array): VirtualCertificate | undefined {
  const outer = firstDerElement(bytes);
  const toBeSigned = outer?.tag === derTags.sequence ? firstDerElement(outer.content) : undefined;
  const fields = toBeSigned?.tag === derTags.sequence ? derElements(toBeSigned.content) : undefined;
  if (outer === undefined || fields === undefined) return undefined;
  // The version is left out in version 1.
  const [, , issuer, validity, subject, publicKey, ...rest] = fields[0]?.tag === 0xa0 ? fields.slice(1) : fields;
  const times = validity === undefined ? undefined : derElements(validity.content);
  if (issuer === undefined || subject === undefined || publicKey === undefined || times?.length !== 2) return undefined;
  return {
    bytes: outer.whole.slice(),
    publicKey: publicKey.whole.slice(),
    issuer: issuer.whole,
    subject: subject.whole,
    notBeforeMs: timeMs(times[0]),
    notAfterMs: timeMs(times[1]),
    hosts: hostsOf(rest.find(({ tag }) => tag === 0xa3)),
  };
}

/** `YYMMDDhhmmssZ`, from 1950, or `YYYYMMDDhhmmssZ`. */
function timeMs(element: DerElement | undefined): number {
  let text = new TextDecoder().decode(element?.content);
  if (element?.tag === derTags.utcTime) text = `${text < "50" ? "20" : "19"}${text}`;
  return Date.parse(text.replace(/^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z"));
}

/** 2.5.29.17, subject alternative name. */
const alternativeName = Uint8Array.of(0x55, 0x1d, 0x11);

function hostsOf(extensions: DerElement | undefined): string[] {
  const list = extensions === undefined ? undefined : firstDerElement(extensions.content);
  for (const extension of (list && derElements(list.content)) ?? []) {
    const parts = derElements(extension.content) ?? [];
    if (parts[0] === undefined || !bytesEqual(parts[0].content, alternativeName)) continue;
    const value = parts.at(-1);
    const names = value === undefined ? undefined : firstDerElement(value.content);
    return ((names && derElements(names.content)) ?? []).flatMap(({ tag, content }) =>
      tag === 0x82 ? [new TextDecoder().decode(content)] : tag === 0x87 ? [addressOf(content)] : [],
    );
  }
  return [];
}

function addressOf(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  const groups = Array.from({ length: 8 }, (_, index) =>
    (((bytes[index * 2] ?? 0) << 8) | (bytes[index * 2 + 1] ?? 0)).toString(16),
  );
  // Enough for the loopback; a full compression is not needed to compare names.
  return groups.join(":").replace(/^0(:0)+:1$/, "::1");
}
