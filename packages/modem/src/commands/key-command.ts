import { isThinglineError, ThinglineError } from "@thingline/protocol";
import { formatAtCommand, parseInformation, stringAt } from "@thingline/protocol/at";
import { parseCertificateRequest } from "@thingline/protocol/x509";
import type { Keys } from "@thingline/transport";
import { type KeyAttestation, type KeyContent, readKeyAnswer } from "./attestation.js";

export interface KeyCommand {
  secTag: number;
  keys: Keys;
  /** `CN=pump-7,O=acme`, as the modem takes it. Default: its device UUID as the CN. */
  attributes?: string;
  /** Nine of `0` and `1`, from digitalSignature to decipherOnly. */
  keyUsage?: string;
}

export const keyUsagePattern = /^[01]{9}$/u;
const clientKey = 2;
const contentNumbers: Readonly<Record<KeyContent, number>> = { request: 0, publicKey: 1 };

/** Has a key made, and asks for the request that a CA signs. @throws {ThinglineError} MODEM_RESPONSE_INVALID, and those of `run`. */
export async function keyByCommand(
  run: (line: string) => Promise<readonly string[]>,
  command: KeyCommand,
): Promise<{ requestPem: string; publicKey: Uint8Array; subject: string; attestation: KeyAttestation }> {
  const { body, attestation } = await makeKey(run, command, "request");
  const { pem: requestPem, publicKey, subject } = readRequest(body, command.secTag);
  return { requestPem, publicKey, subject, attestation };
}

/** The same, of which only the public key is wanted. */
export async function publicKeyByCommand(
  run: (line: string) => Promise<readonly string[]>,
  command: Pick<KeyCommand, "secTag" | "keys">,
): Promise<{ publicKey: Uint8Array; attestation: KeyAttestation }> {
  const { body, attestation } = await makeKey(run, command, "publicKey");
  return { publicKey: body, attestation };
}

async function makeKey(
  run: (line: string) => Promise<readonly string[]>,
  { secTag, keys, attributes, keyUsage }: KeyCommand,
  content: KeyContent,
): Promise<ReturnType<typeof readKeyAnswer>> {
  // A parameter that is left out before another one keeps its comma.
  const rest = [attributes, keyUsage].slice(0, keyUsage !== undefined ? 2 : attributes !== undefined ? 1 : 0);
  const answer = await run(formatAtCommand("%KEYGEN", [secTag, clientKey, contentNumbers[content], ...rest]));
  return answerOf(answer, { secTag, keys, content });
}

function answerOf(
  answer: readonly string[],
  options: { secTag: number; keys: Keys; content: KeyContent },
): ReturnType<typeof readKeyAnswer> {
  const text = answer.map((each) => stringAt(parseInformation(each)?.parameters ?? [], 0)).find(Boolean);
  if (text === undefined) throw invalid(options.secTag, "no %KEYGEN in the answer");
  return readKeyAnswer(text, options);
}

function readRequest(body: Uint8Array, secTag: number): ReturnType<typeof parseCertificateRequest> {
  try {
    return parseCertificateRequest(body);
  } catch (error) {
    if (!isThinglineError(error, "CERTIFICATE_INVALID")) throw error;
    throw invalid(secTag, error.message, error);
  }
}

function invalid(secTag: number, problem: string, cause?: unknown): ThinglineError {
  const message = `AT%KEYGEN for security tag ${secTag}: ${problem}`;
  return new ThinglineError("MODEM_RESPONSE_INVALID", message, { details: { secTag }, cause });
}
