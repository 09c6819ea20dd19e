import {
  checkOptionTypes,
  isThinglineError,
  type OptionTypes,
  optionInvalid,
  ThinglineError,
} from "@thingline/protocol";
import { type Keys, keysOption } from "@thingline/transport";
import type { KeyAttestation } from "../commands/attestation.js";
import { keyByCommand, keyUsagePattern, publicKeyByCommand } from "../commands/key-command.js";
import { credentialRefused } from "../credential-refusal.js";
import { type ModemSession, type RunCommand, sessionOption } from "../session.js";
import { checkWritableTag } from "./checked-plan.js";
import { deleteCredential, listCredentials } from "./tag-commands.js";
import { whileOffline } from "./while-offline.js";

export interface GenerateKeyOptions {
  secTag: number;
  keys: Keys;
  /** `request`, the default, is what a CA signs; `publicKey` is the bare key. */
  content?: "request" | "publicKey";
  /** `CN=pump-7,O=acme`, as the modem takes it. Of a request only. Default: its device UUID as the CN. */
  attributes?: string;
  /** Nine of `0` and `1` in X.509's order. Of a request only. Default: the modem's own, `111010000`. */
  keyUsage?: string;
  /** Deletes the key that is there, with the certificate that belonged to it. Default false: a tag with a key is refused. */
  replace?: boolean;
  /** As of `CredentialPlan`. */
  force?: boolean;
  signal?: AbortSignal;
}

export interface GeneratedKey {
  /** PEM; undefined where only the public key was asked for. */
  requestPem: string | undefined;
  /** As the request has it. */
  subject: string | undefined;
  /** SubjectPublicKeyInfo, DER. */
  publicKey: Uint8Array;
  attestation: KeyAttestation;
  /** What had to go. */
  replaced: readonly ("privateKey" | "certificate")[];
}

const optionTypes = {
  secTag: "number",
  keys: keysOption,
  content: "string",
  attributes: "string",
  keyUsage: "string",
  replace: "boolean",
  force: "boolean",
  signal: "signal",
} as const satisfies OptionTypes<GenerateKeyOptions>;

/**
 * Has the modem behind a session make a key that never leaves it, offline, and leaves the modem as it was. The request is brought into the form
 * of the standard (the modem adds a NULL that strict readers refuse), and the modem's signed statement is checked to be about it.
 *
 * @throws {ThinglineError} OPTION_INVALID, CREDENTIAL_REFUSED (519 where a key is there and `replace` is not given), MODEM_RESPONSE_INVALID, and
 * those of the session.
 */
export async function generateModemKey(session: ModemSession, options: GenerateKeyOptions): Promise<GeneratedKey> {
  const of = "generateModemKey()";
  checkOptionTypes({ session }, { session: sessionOption }, { of, required: ["session"] });
  checkOptionTypes(options, optionTypes, { of, required: ["secTag", "keys"] });
  checkRequest(options);
  checkWritableTag(options.secTag, { force: options.force === true });
  const { secTag, signal } = options;
  return whileOffline(
    session,
    async (run) => {
      const replaced = await makeRoom(run, options);
      try {
        return { ...(await ask(run, options)), replaced };
      } catch (error) {
        if (!isThinglineError(error)) throw error;
        if (error.code === "MODEM_COMMAND_REJECTED") {
          const { cme } = error.details;
          throw credentialRefused("generate", { secTag, type: "privateKey" }, asNumber(cme), error);
        }
        // The key may be there, and what a CA would sign is lost.
        const message = `${error.message}; security tag ${secTag} may hold a key now whose request was lost: replacing it makes another`;
        throw new ThinglineError(error.code, message, { details: error.details, cause: error });
      }
    },
    { signal },
  );
}

const asNumber = (value: unknown) => (typeof value === "number" ? value : undefined);

function checkRequest({ content = "request", attributes, keyUsage }: GenerateKeyOptions): void {
  if (content !== "request" && content !== "publicKey") {
    throw optionInvalid("content", '"request" or "publicKey"', content);
  }
  if (content === "publicKey" && (attributes !== undefined || keyUsage !== undefined)) {
    const option = attributes === undefined ? "keyUsage" : "attributes";
    throw optionInvalid(option, "nothing: a bare public key has neither subject nor usage", "one");
  }
  if (keyUsage !== undefined && !keyUsagePattern.test(keyUsage)) {
    throw optionInvalid("keyUsage", "nine of 0 and 1", keyUsage);
  }
  if (attributes !== undefined && !/^[A-Za-z]+ *=[^="\p{Cc}]+(?:, *[A-Za-z]+ *=[^="\p{Cc}]+)*$/u.test(attributes)) {
    throw optionInvalid("attributes", "parts such as CN=pump-7,O=acme, without quotes", attributes);
  }
}

/** @returns what was deleted. */
async function makeRoom(
  run: RunCommand,
  { secTag, keys, replace = false }: GenerateKeyOptions,
): Promise<("privateKey" | "certificate")[]> {
  const entries = await listCredentials(run, secTag, keys);
  if (!entries.some(({ type }) => type === "privateKey")) return [];
  if (!replace) throw credentialRefused("generate", { secTag, type: "privateKey" }, 519);
  const replaced: ("privateKey" | "certificate")[] = [];
  // The certificate first: without it the tag does not look whole.
  for (const type of ["certificate", "privateKey"] as const) {
    if (!entries.some((entry) => entry.type === type)) continue;
    await deleteCredential(run, { secTag, type });
    replaced.push(type);
  }
  return replaced;
}

async function ask(
  run: RunCommand,
  { secTag, keys, content, attributes, keyUsage }: GenerateKeyOptions,
): Promise<Omit<GeneratedKey, "replaced">> {
  if (content === "publicKey") {
    return { requestPem: undefined, subject: undefined, ...(await publicKeyByCommand(run, { secTag, keys })) };
  }
  return keyByCommand(run, {
    secTag,
    keys,
    ...(attributes !== undefined && { attributes }),
    ...(keyUsage !== undefined && { keyUsage }),
  });
}
