import type { CommandOptions, ModemSession } from "../session.js";
import { askModem } from "./ask.js";
import {
  type AttestationTrust,
  type DeviceAttestation,
  type OwnershipClaim,
  parseAttestationToken,
  parseClaimToken,
} from "./attestation.js";
import { checkSecTag } from "./reasons.js";

type Commands = Pick<ModemSession, "command">;

export interface TokenOptions extends AttestationTrust, CommandOptions {
  /** 32 hexadecimal digits that nobody could foresee: the token is then of now. Default: the modem makes some up. */
  challenge?: string;
}

/**
 * `AT%ATTESTTOKEN`: the token as the modem gave it, for whoever is to believe it, and what it says.
 *
 * @throws {ThinglineError} AT_MALFORMED for another challenge, MODEM_RESPONSE_INVALID, and those of {@link ModemSession.command}.
 */
export async function readAttestationToken(
  session: Commands,
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
  session: Commands,
  secTag: number,
  { challenge, keys, identityKey, ...options }: TokenOptions,
): Promise<{ token: string; claim: OwnershipClaim }> {
  checkSecTag(secTag);
  const token = await askModem(session, "%CLAIMTOKEN=", { secTag, challenge }, options);
  return { token, claim: parseClaimToken(token, trustOf({ challenge, keys, identityKey })) };
}

function trustOf({ challenge, keys, identityKey }: Pick<TokenOptions, "challenge" | "keys" | "identityKey">) {
  return {
    keys,
    ...(challenge === undefined ? {} : { challenge }),
    ...(identityKey === undefined ? {} : { identityKey }),
  };
}
