import { isThinglineError, ThinglineError } from "@thingline/protocol";
import { parseCertificateRequest } from "@thingline/protocol/x509";
import { type CommandValues, formatCommand, parseAnswer } from "../at/table.js";
import { type AttestationTrust, type KeyAttestation, readKeyAnswer } from "./attestation.js";

/** Runs a line for whoever has the channel, with the modem offline and numeric errors switched on. */
export type RunLine = (line: string) => Promise<readonly string[]>;

export interface KeyCommand extends AttestationTrust {
  secTag: number;
  /** `CN=pump-7,O=acme`, as the modem takes it. Default: its device UUID as the CN. */
  attributes?: string | undefined;
  /** Nine of `0` and `1`, from digitalSignature to decipherOnly. */
  keyUsage?: string | undefined;
}

export const keyUsagePattern = /^[01]{9}$/u;
const clientKey = 2;

/** Has a key made, and asks for the request that a CA signs. @throws {ThinglineError} MODEM_RESPONSE_INVALID, and those of `run`. */
export async function keyByCommand(
  run: RunLine,
  { secTag, attributes, keyUsage, ...trust }: KeyCommand,
): Promise<{ requestPem: string; publicKey: Uint8Array; subject: string; attestation: KeyAttestation }> {
  const text = await generate(run, { secTag, keyType: clientKey, content: "request", attributes, keyUsage });
  const { body, attestation } = readKeyAnswer(text, { secTag, ...trust });
  const { pem: requestPem, publicKey, subject } = readRequest(body, secTag);
  return { requestPem, publicKey, subject, attestation };
}

/** The same, of which only the public key is wanted. */
export async function publicKeyByCommand(
  run: RunLine,
  { secTag, ...trust }: Omit<KeyCommand, "attributes" | "keyUsage">,
): Promise<{ publicKey: Uint8Array; attestation: KeyAttestation }> {
  const text = await generate(run, { secTag, keyType: clientKey, content: "publicKey" });
  const { body, attestation } = readKeyAnswer(text, { secTag, content: "publicKey", ...trust });
  return { publicKey: body, attestation };
}

async function generate(run: RunLine, values: CommandValues<"%KEYGEN=">): Promise<string> {
  const answer = parseAnswer("%KEYGEN=", await run(formatCommand("%KEYGEN=", values)));
  if (answer === undefined) throw invalid(values.secTag, "no %KEYGEN in the answer");
  return answer.value;
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
