import { isThinglineError, ThinglineError, toHex } from "@thingline/protocol";
import {
  contentOfLine,
  type CredentialLine,
  credentialTypeName,
  credentialTypeNumbers,
  formatAtCommand,
  hasSoundDigest,
  parseCredentialLine,
} from "@thingline/protocol/at";
import type { CredentialType, Keys } from "@thingline/transport";
import { isNotStored, withReason } from "../credential-refusal.js";
import type { RunCommand } from "../session.js";
import type { TagEntry } from "./story.js";

// `%CMNG` on one tag, with numeric errors switched on already. Answers are believed only where every line of them is what it should be.

/** @throws {ThinglineError} MODEM_RESPONSE_INVALID for an answer that was damaged, and those of the session. */
export async function listCredentials(
  run: RunCommand,
  secTag: number,
  keys: Pick<Keys, "sha256">,
): Promise<TagEntry[]> {
  const entries: TagEntry[] = [];
  for (const line of await run(formatAtCommand("%CMNG", [1, secTag]))) {
    const entry = readLine(line, secTag);
    const type = credentialTypeName(entry.type);
    // The vendor's types under a tag of ours are not asked for.
    if (type === undefined) continue;
    const sha256 = entry.sha256?.toLowerCase() ?? (await digestOfContent(run, { secTag, type, keys }));
    entries.push({ type, sha256 });
  }
  return entries;
}

function readLine(line: string, secTag: number): CredentialLine {
  const entry = parseCredentialLine(line);
  if (entry?.secTag === secTag && hasSoundDigest(entry)) return entry;
  const message = `AT%CMNG=1,${secTag}: a line of the answer is not what the command promises`;
  throw new ThinglineError("MODEM_RESPONSE_INVALID", message, { details: { secTag } });
}

/** Firmware up to 1.0 lists no digests. @returns undefined for what nobody may read. */
async function digestOfContent(
  run: RunCommand,
  { secTag, type, keys }: { secTag: number; type: CredentialType; keys: Pick<Keys, "sha256"> },
): Promise<string | undefined> {
  if (type === "privateKey" || type === "psk") return undefined;
  try {
    return toHex(keys.sha256(new TextEncoder().encode(await readCredential(run, secTag, type))));
  } catch (error) {
    if (isThinglineError(error, "CREDENTIAL_REFUSED")) return undefined;
    throw error;
  }
}

export async function readCredential(run: RunCommand, secTag: number, type: CredentialType): Promise<string> {
  const number = credentialTypeNumbers[type];
  const [line = ""] = await withReason("read", { secTag, type }, () =>
    run(formatAtCommand("%CMNG", [2, secTag, number])),
  );
  const entry = parseCredentialLine(line);
  const content = entry?.content === undefined ? entry && contentOfLine(entry) : readLine(line, secTag).content;
  if (content !== undefined && entry?.secTag === secTag) return content;
  const message = `AT%CMNG=2,${secTag},${number}: no content in the answer`;
  throw new ThinglineError("MODEM_RESPONSE_INVALID", message, { details: { secTag } });
}

export async function writeCredential(
  run: RunCommand,
  { secTag, type, content }: { secTag: number; type: CredentialType; content: string },
): Promise<void> {
  const line = formatAtCommand("%CMNG", [0, secTag, credentialTypeNumbers[type], content]);
  await withReason("write", { secTag, type }, () => run(line));
}

/** What is not there is as good as deleted. */
export async function deleteCredential(
  run: RunCommand,
  { secTag, type }: { secTag: number; type: CredentialType | number },
): Promise<void> {
  const number = typeof type === "number" ? type : credentialTypeNumbers[type];
  try {
    await withReason("delete", { secTag, type }, () => run(formatAtCommand("%CMNG", [3, secTag, number])));
  } catch (error) {
    if (!isNotStored(error)) throw error;
  }
}
