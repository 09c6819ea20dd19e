import { fromHex, ThinglineError } from "@thingline/protocol";
import { readPem } from "@thingline/protocol/x509";
import type { CommandOptions } from "../session.js";
import { askModem, type CommandSession } from "./ask.js";
import {
  type AttestationTrust,
  type DeviceAttestation,
  type OwnershipClaim,
  parseAttestationToken,
  parseClaimToken,
} from "./attestation.js";
import { checkSecTag } from "./reasons.js";
import { unlessRejected } from "../failures.js";

export interface TokenOptions extends AttestationTrust, CommandOptions {
  /** 32 hexadecimal digits that nobody could foresee: the token is then of now. Default: the modem makes some up. */
  challenge?: string;
}

/**
 * `AT%ATTESTTOKEN`: the token as the modem gave it, for whoever is to believe it, and what it says.
 *
 * @throws {ThinglineError} AT_MALFORMED for another challenge, MODEM_RESPONSE_INVALID, and those of `ModemSession.command`.
 */
export async function readAttestationToken(
  session: CommandSession,
  { challenge, keys, identityKey, ...options }: TokenOptions,
): Promise<{ token: string; attestation: DeviceAttestation }> {
  const token =
    challenge === undefined
      ? await askModem(session, "%ATTESTTOKEN", undefined, options)
      : await askModem(session, "%ATTESTTOKEN=", { challenge }, options);
  return { token, attestation: parseAttestationToken(token, trustOf({ challenge, keys, identityKey })) };
}

/**
 * `AT%CLAIMTOKEN=`: that this device has the ownership public key of a security tag. nRF9160 with firmware 1.3.4 or later.
 *
 * @throws {ThinglineError} OPTION_INVALID, and as {@link readAttestationToken}: 529 where the tag has no such key
 */
export async function readClaimToken(
  session: CommandSession,
  secTag: number,
  { challenge, keys, identityKey, ...options }: TokenOptions,
): Promise<{ token: string; claim: OwnershipClaim }> {
  checkSecTag(secTag);
  const token = await askModem(session, "%CLAIMTOKEN=", { secTag, challenge }, options);
  return { token, claim: parseClaimToken(token, trustOf({ challenge, keys, identityKey })) };
}

/** Where a modem keeps the public half of its identity key. */
const identityAddress = { secTag: 4_294_967_294, type: 6 } as const;

/**
 * The public half of a modem's identity key, as the modem shows it: SubjectPublicKeyInfo DER. It proves later tokens to be of the same modem; that the
 * modem is genuine only its vendor can tell.
 *
 * @returns undefined where the modem has none, or keeps it to itself.
 * @throws {ThinglineError} MODEM_RESPONSE_INVALID, and those of `ModemSession.command`.
 */
export async function readIdentityKey(
  session: CommandSession,
  options?: CommandOptions,
): Promise<Uint8Array | undefined> {
  const reading = askModem(session, "%CMNG=", { operation: "read", ...identityAddress }, options);
  const content = (await unlessRejected(reading))?.find(({ type }) => type === identityAddress.type)?.content;
  if (content === undefined) return undefined;
  const key = fromHex(content.trim()) ?? pemKey(content);
  if (key !== undefined && key.length > 0) return key;
  throw new ThinglineError("MODEM_RESPONSE_INVALID", "AT%CMNG: the identity key is neither hexadecimal nor PEM");
}

function pemKey(text: string): Uint8Array | undefined {
  const read = readPem(text);
  return "blocks" in read ? read.blocks.find(({ label }) => label === "PUBLIC KEY")?.der : undefined;
}

function trustOf({ challenge, keys, identityKey }: Pick<TokenOptions, "challenge" | "keys" | "identityKey">) {
  return {
    keys,
    ...(challenge === undefined ? {} : { challenge }),
    ...(identityKey === undefined ? {} : { identityKey }),
  };
}
