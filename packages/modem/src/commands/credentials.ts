import { checkOptionTypes, ThinglineError, toHex } from "@thingline/protocol";
import type { CredentialLine } from "@thingline/protocol/at";
import {
  atCommandBytesMax,
  contentOfLine,
  credentialTypeName,
  credentialTypeNumbers,
  formatAtCommand,
  parseCredentialLine,
  secTagMax,
} from "@thingline/protocol/at";
import {
  type CredentialEntry,
  type CredentialStore,
  type CredentialType,
  type Keys,
  keysOption,
} from "@thingline/transport";
import { isNotStored } from "../credential-refusal.js";
import { type ModemSession, sessionOption } from "../session.js";
import { checkSecTag, runWithReasons } from "./reasons.js";

/**
 * Modem key management over an AT session: credentials under security tags of a modem, real or simulated.
 *
 * Refusals are CREDENTIAL_REFUSED with the modem's number in `details.cme`: 513 to 519, 527, 528 and whatever else it
 * says. `+CMEE` is raised around each command, since a plain ERROR tells nothing, and put back.
 *
 * @see nRF Connect SDK, lib/modem_key_mgmt
 */
export function createModemCredentialStore(session: ModemSession, options: { keys: Keys }): CredentialStore {
  const of = "createModemCredentialStore()";
  checkOptionTypes({ session }, { session: sessionOption }, { of, required: ["session"] });
  checkOptionTypes(options, { keys: keysOption }, { of, required: ["keys"] });
  const { keys } = options;
  return new ModemCredentialStore(session, keys);
}

type Verb = "write" | "read" | "delete" | "list";

class ModemCredentialStore implements CredentialStore {
  readonly #session: ModemSession;
  readonly #keys: Keys;

  constructor(session: ModemSession, keys: Keys) {
    this.#session = session;
    this.#keys = keys;
  }

  async write(secTag: number, type: CredentialType, content: string): Promise<void> {
    checkSecTag(secTag);
    checkContent(secTag, type, content);
    const line = formatAtCommand("%CMNG", [0, secTag, credentialTypeNumbers[type], content]);
    const bytes = new TextEncoder().encode(line).length;
    if (bytes > atCommandBytesMax) {
      throw refusedHere(secTag, type, `the command has ${bytes} bytes and the modem takes ${atCommandBytesMax}`);
    }
    await this.#run("write", secTag, type, line);
  }

  async digest(secTag: number, type: CredentialType): Promise<string | undefined> {
    const entry = await this.#find(secTag, type);
    if (entry === undefined) return undefined;
    if (entry.sha256 !== undefined) return entry.sha256.toLowerCase();
    // Firmware up to 1.0 lists no digests.
    const content = await this.read(secTag, type);
    return content === undefined ? undefined : this.#sha256(content);
  }

  async read(secTag: number, type: CredentialType): Promise<string | undefined> {
    checkSecTag(secTag);
    const line = formatAtCommand("%CMNG", [2, secTag, credentialTypeNumbers[type]]);
    let answer: readonly string[];
    try {
      answer = await this.#run("read", secTag, type, line);
    } catch (error) {
      if (isNotStored(error)) return undefined;
      throw error;
    }
    const [entry] = credentialLines(answer);
    const content = entry && contentOfLine(entry);
    if (content === undefined) throw invalidAnswer(secTag, type, "no credential in the answer to a read");
    return content;
  }

  async compare(secTag: number, type: CredentialType, content: string): Promise<boolean> {
    return (await this.digest(secTag, type)) === this.#sha256(content);
  }

  async delete(secTag: number, type: CredentialType): Promise<void> {
    checkSecTag(secTag);
    try {
      await this.#run("delete", secTag, type, formatAtCommand("%CMNG", [3, secTag, credentialTypeNumbers[type]]));
    } catch (error) {
      if (!isNotStored(error)) throw error;
    }
  }

  async exists(secTag: number, type: CredentialType): Promise<boolean> {
    return (await this.#find(secTag, type)) !== undefined;
  }

  async list(): Promise<CredentialEntry[]> {
    const answer = await this.#run("list", -1, "ca", formatAtCommand("%CMNG", [1]));
    const entries: CredentialEntry[] = [];
    for (const { secTag, type: number, sha256 } of credentialLines(answer)) {
      const type = credentialTypeName(number);
      // The vendor's own are nobody's business.
      if (secTag > secTagMax || type === undefined) continue;
      entries.push({ secTag, type, sha256: sha256?.toLowerCase() ?? (await this.digest(secTag, type)) ?? "" });
    }
    return entries;
  }

  async #find(secTag: number, type: CredentialType): Promise<CredentialLine | undefined> {
    checkSecTag(secTag);
    const number = credentialTypeNumbers[type];
    const answer = await this.#run("list", secTag, type, formatAtCommand("%CMNG", [1, secTag, number]));
    return credentialLines(answer).find((entry) => entry.secTag === secTag && entry.type === number);
  }

  #run(verb: Verb, secTag: number, type: CredentialType, line: string): Promise<readonly string[]> {
    return runWithReasons(this.#session, verb, { secTag, type }, line);
  }

  #sha256(content: string): string {
    return toHex(this.#keys.sha256(new TextEncoder().encode(content)));
  }
}

function credentialLines(answer: readonly string[]): CredentialLine[] {
  return answer.map(parseCredentialLine).filter((line) => line !== undefined);
}

function checkContent(secTag: number, type: CredentialType, content: string): void {
  if (content === "") throw refusedHere(secTag, type, "it is empty");
  if (content.includes('"')) throw refusedHere(secTag, type, "it holds a double quote, which AT commands cannot carry");
  if (content.includes("\0")) throw refusedHere(secTag, type, "it holds a NUL, which AT commands cannot carry");
}

function refusedHere(secTag: number, type: CredentialType, reason: string): ThinglineError {
  const message = `${type} for security tag ${secTag} cannot be written: ${reason}`;
  return new ThinglineError("CREDENTIAL_REFUSED", message, { details: { secTag, type } });
}

function invalidAnswer(secTag: number, type: CredentialType, problem: string): ThinglineError {
  const message = `security tag ${secTag}, ${type}: ${problem}`;
  return new ThinglineError("MODEM_RESPONSE_INVALID", message, { details: { secTag, type } });
}
