import { parseInformation } from "./information.js";
import { integerAt, stringAt } from "./parameters.js";

/** Credential types of `%CMNG` that applications write. */
export const credentialTypeNumbers = { ca: 0, certificate: 1, privateKey: 2, psk: 3, pskIdentity: 4 } as const;

export type CredentialTypeName = keyof typeof credentialTypeNumbers;

const typeNames = new Map<number, CredentialTypeName>(
  Object.entries(credentialTypeNumbers).map(([name, number]) => [number, name as CredentialTypeName]),
);

/** @returns undefined for the types of the vendor (5 and up). */
export function credentialTypeName(number: number): CredentialTypeName | undefined {
  return typeNames.get(number);
}

/** Highest security tag that applications may use; above it are the vendor's. */
export const secTagMax = 2_147_483_647;

/** Tags of the vendor, never to be deleted: Nordic base public key, Nordic identity root CA, device identity key. */
export const reservedSecTags: readonly number[] = [4_294_967_292, 4_294_967_293, 4_294_967_294];

/** One line of a `%CMNG` list or read answer. */
export interface CredentialLine {
  secTag: number;
  type: number;
  /** SHA-256 over the stored bytes, upper-case hex; undefined on firmware 1.0 and older. */
  sha256: string | undefined;
  /** Of a read answer only, verbatim. */
  content: string | undefined;
}

/** `%CMNG: <tag>,<type>,"<sha>"[,"<content>"]`. @returns undefined when it is none. */
export function parseCredentialLine(line: string): CredentialLine | undefined {
  const information = parseInformation(line);
  if (information?.name !== "%CMNG") return undefined;
  const secTag = integerAt(information.parameters, 0);
  const type = integerAt(information.parameters, 1);
  if (secTag === undefined || type === undefined) return undefined;
  const sha256 = stringAt(information.parameters, 2);
  return { secTag, type, sha256, content: stringAt(information.parameters, 3) };
}

const digestPattern = /^[0-9A-F]{64}$/i;

/** Whether a line has a digest as modems write it, or none at all. */
export function hasSoundDigest({ sha256 }: CredentialLine): boolean {
  return sha256 === undefined || digestPattern.test(sha256);
}

/** Of a read answer. Firmware up to 1.0 has the content where a digest stands on others. */
export function contentOfLine(line: CredentialLine): string | undefined {
  return line.content ?? (hasSoundDigest(line) ? undefined : line.sha256);
}

export function formatCredentialLine({ secTag, type, sha256, content }: CredentialLine): string {
  const digest = sha256 === undefined ? "" : `,"${sha256}"`;
  return `%CMNG: ${secTag},${type}${digest}${content === undefined ? "" : `,"${content}"`}`;
}
