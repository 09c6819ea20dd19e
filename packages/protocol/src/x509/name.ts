import { ThinglineError } from "../errors.js";
import { toHex } from "../bytes.js";
import { decodeObjectIdentifier, DerError, DerReader, derTags } from "./der.js";
import { encodeDer, encodeObjectIdentifier } from "./der-writer.js";

/** Short names of the attribute types that a distinguished name may have, and their object identifiers. */
export const nameAttributeTypes = {
  CN: "2.5.4.3",
  serialNumber: "2.5.4.5",
  C: "2.5.4.6",
  L: "2.5.4.7",
  ST: "2.5.4.8",
  O: "2.5.4.10",
  OU: "2.5.4.11",
  dnQualifier: "2.5.4.46",
  DC: "0.9.2342.19200300.100.1.25",
  emailAddress: "1.2.840.113549.1.9.1",
} as const;

export type NameAttributeType = keyof typeof nameAttributeTypes;

/** In the order of the certificate, most general first as a rule. */
export type DistinguishedName = readonly (readonly [type: NameAttributeType, value: string])[];

const namesByIdentifier = new Map<string, string>(Object.entries(nameAttributeTypes).map(([name, id]) => [id, name]));

export const nameValueCharactersMax = 256;

/**
 * A name as text: `O=Acme, CN=pump`, in the order of the certificate; the attributes of one RDN joined by `+`. A type
 * without a short name is written as its object identifier, and `, + " \ < > ;` in a value after a backslash.
 */
export function decodeName(der: Uint8Array): string {
  const reader = new DerReader(der);
  const name = reader.enter();
  reader.end();
  const parts: string[] = [];
  while (!name.isAtEnd) {
    const attributes = name.enter(derTags.set);
    const texts: string[] = [];
    while (!attributes.isAtEnd) texts.push(decodeAttribute(attributes.enter()));
    parts.push(texts.join("+"));
  }
  return parts.join(", ");
}

function decodeAttribute(attribute: DerReader): string {
  const identifier = decodeObjectIdentifier(attribute.read(derTags.objectIdentifier).content);
  const { tag, content } = attribute.read();
  attribute.end();
  const value = decodeText(tag, content).replace(/[,+"\\<>;]/gu, "\\$&");
  return `${namesByIdentifier.get(identifier) ?? identifier}=${value}`;
}

function decodeText(tag: number, content: Uint8Array): string {
  switch (tag) {
    case derTags.utf8String:
      return decodeUtf8(content);
    case derTags.printableString:
    case derTags.ia5String:
    case derTags.teletexString:
      return decodeUnits(content, 1);
    case derTags.bmpString:
      return decodeUnits(content, 2);
    case derTags.universalString:
      return decodeUnits(content, 4);
    default:
      return `#${toHex(content)}`;
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decodeUtf8(content: Uint8Array): string {
  try {
    return utf8.decode(content);
  } catch {
    throw new DerError("a name that is not UTF-8");
  }
}

function decodeUnits(content: Uint8Array, unitBytes: 1 | 2 | 4): string {
  if (content.length % unitBytes !== 0) throw new DerError("a name with half a character");
  let text = "";
  for (let index = 0; index < content.length; index += unitBytes) {
    let unit = 0;
    for (let place = 0; place < unitBytes; place++) unit = unit * 256 + (content[index + place] ?? 0);
    if (unit > 0x10ffff) throw new DerError("a name with an impossible character");
    text += String.fromCodePoint(unit);
  }
  return text;
}

/**
 * A country has capital letters, unless `takesSmallCountry` is set: an nRF91 writes `C=no` as it stands.
 *
 * @throws {ThinglineError} OPTION_INVALID for an empty or too long value, or a country that has not two letters.
 */
export function encodeName(name: DistinguishedName, { takesSmallCountry = false } = {}): Uint8Array {
  const country = takesSmallCountry ? /^[A-Za-z]{2}$/u : /^[A-Z]{2}$/u;
  const sets = name.map(([type, value]) => {
    if (value === "" || value.length > nameValueCharactersMax) {
      const message = `${type} of a subject has 1 to ${nameValueCharactersMax} characters, got ${value.length}`;
      throw new ThinglineError("OPTION_INVALID", message, { details: { attribute: type } });
    }
    if (type === "C" && !country.test(value)) {
      throw new ThinglineError("OPTION_INVALID", `C of a subject is two capital letters, got "${value}"`);
    }
    const isAscii = /^[\x20-\x7e]*$/u.test(value);
    if ((type === "DC" || type === "emailAddress") && !isAscii) {
      throw new ThinglineError("OPTION_INVALID", `${type} of a subject is ASCII, got "${value}"`);
    }
    const text = encodeDer(stringTag(type), new TextEncoder().encode(value));
    return encodeDer(derTags.set, encodeDer(derTags.sequence, encodeObjectIdentifier(nameAttributeTypes[type]), text));
  });
  return encodeDer(derTags.sequence, ...sets);
}

/** RFC 5280, appendix A: some attributes have one fixed string type. */
function stringTag(type: NameAttributeType): number {
  if (type === "C" || type === "serialNumber" || type === "dnQualifier") return derTags.printableString;
  if (type === "DC" || type === "emailAddress") return derTags.ia5String;
  return derTags.utf8String;
}
