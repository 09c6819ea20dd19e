import { optionInvalid, ThinglineError, toHex } from "@thingline/protocol";
import {
  atCommandBytesMax,
  credentialTypeNumbers,
  formatAtCommand,
  reservedSecTags,
  secTagMax,
} from "@thingline/protocol/at";
import type { CredentialType, Keys } from "@thingline/transport";
import type { CheckedPlan, PlannedItem } from "./story.js";
import { type CredentialPlan, defaultScratchTag } from "./types.js";

/** The tag of nRF Cloud, which firmware of Nordic's expects to be its own. */
export const nrfCloudSecTag = 16_842_753;
/** What a modem trace can decrypt the TLS of (modem firmware 2.0 and later). */
export const traceableSecTags = { from: 2_147_483_648, to: 2_147_483_667 } as const;

/**
 * Whether a tag may be written to or deleted from.
 *
 * @throws {ThinglineError} OPTION_INVALID for what is no tag, CREDENTIAL_REFUSED for Nordic's own always, and for those that need `force`
 * without it.
 */
export function checkWritableTag(secTag: number, { force = false, option = "secTag" } = {}): void {
  const refused = (why: string) =>
    new ThinglineError("CREDENTIAL_REFUSED", `security tag ${secTag} ${why}`, { details: { secTag } });
  if (reservedSecTags.includes(secTag)) {
    throw refused("holds keys of Nordic's that came with the modem: no modem changes it");
  }
  const isTraceable = secTag >= traceableSecTags.from && secTag <= traceableSecTags.to;
  if (!Number.isInteger(secTag) || secTag < 0 || (secTag > secTagMax && !isTraceable)) {
    throw optionInvalid(option, `a security tag from 0 to ${secTagMax}`, secTag);
  }
  if (force) return;
  if (secTag === nrfCloudSecTag) throw refused("is that of nRF Cloud; --force takes it all the same");
  if (isTraceable)
    throw refused("is for tests: a modem trace shows what its TLS carries; --force takes it all the same");
}

/** @throws {ThinglineError} OPTION_INVALID, CREDENTIAL_REFUSED: before anything is sent to a modem. */
export function checkPlan(plan: CredentialPlan, keys: Pick<Keys, "sha256">): CheckedPlan {
  const { secTag, credentials, force = false, scratchTag = defaultScratchTag } = plan;
  checkWritableTag(secTag, { force });
  checkWritableTag(scratchTag, { force, option: "scratchTag" });
  if (scratchTag === secTag) throw optionInvalid("scratchTag", "another tag than secTag", scratchTag);
  const items: PlannedItem[] = [];
  for (const [name, content] of Object.entries(credentials)) {
    if (!Object.hasOwn(credentialTypeNumbers, name)) {
      throw optionInvalid("credentials", `members of ${Object.keys(credentialTypeNumbers).join(", ")}`, name);
    }
    if (typeof content !== "string") throw optionInvalid(`credentials.${name}`, "a text", typeof content);
    items.push(checkItem(name as CredentialType, content, { tags: [secTag, scratchTag], keys }));
  }
  if (items.length === 0) throw optionInvalid("credentials", "one credential at the least", "none");
  return { secTag, items, force, scratchTag };
}

function checkItem(
  type: CredentialType,
  content: string,
  { tags, keys }: { tags: readonly number[]; keys: Pick<Keys, "sha256"> },
): PlannedItem {
  const [secTag = 0] = tags;
  const refuse = (reason: string) => {
    const message = `${type} for security tag ${secTag} cannot be written: ${reason}`;
    return new ThinglineError("CREDENTIAL_REFUSED", message, { details: { secTag, type } });
  };
  if (content === "") throw refuse("it is empty");
  if (content.includes('"')) throw refuse("it holds a double quote, which AT commands cannot carry");
  if (content.includes("\0")) throw refuse("it holds a NUL, which AT commands cannot carry");
  const bytes = Math.max(...tags.map((tag) => writeCommandBytes(tag, type, content)));
  if (bytes > atCommandBytesMax) {
    throw refuse(`the command has ${bytes} bytes and the modem takes ${atCommandBytesMax}`);
  }
  const digest = (text: string) => toHex(keys.sha256(new TextEncoder().encode(text)));
  const lines = content.replaceAll(/\r\n?/gu, "\n");
  const variants = new Map<string, string>();
  const vary = (text: string, how: string) => {
    if (text !== content && !variants.has(digest(text))) variants.set(digest(text), how);
  };
  vary(lines, "with LF line ends");
  vary(lines.replaceAll("\n", "\r\n"), "with CR LF line ends");
  vary(lines.trimEnd(), "without its last line end");
  vary(lines.trimEnd().replaceAll("\n", "\r\n"), "with CR LF line ends, and without its last");
  return { type, content, sha256: digest(content), variants };
}

/** What one credential takes of a command. */
export function writeCommandBytes(secTag: number, type: CredentialType, content: string): number {
  return new TextEncoder().encode(formatAtCommand("%CMNG", [0, secTag, credentialTypeNumbers[type], content])).length;
}
