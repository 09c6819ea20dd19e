import type { Keys } from "@thingline/transport";
import { coseSigned, encodeCose, formatSignedText, identityKeyId, rawSignature } from "../at/cose.js";
import { encodeModemMessage, type ModemMessage } from "../at/messages.js";

/** Who vouches for a message. */
export interface Signer {
  keys: Keys;
  /** P-256, PEM. */
  identityKey: string;
}

/** A message and the signature of the device's identity key beside it: the answer of `%ATTESTTOKEN` and `%CLAIMTOKEN`. */
export async function signMessage(message: ModemMessage, signer: Signer): Promise<string> {
  const body = encodeModemMessage(message);
  return formatSignedText({ body, cose: await sign(body, signer, undefined) });
}

/** Something else with a message about it, which the signature holds: the answer of `%KEYGEN`. */
export async function signAbout(body: Uint8Array, message: ModemMessage, signer: Signer): Promise<string> {
  const payload = encodeModemMessage(message);
  return formatSignedText({ body, cose: await sign(payload, signer, payload) });
}

async function sign(
  signed: Uint8Array,
  { keys, identityKey }: Signer,
  payload: Uint8Array | undefined,
): Promise<Uint8Array> {
  const signature = rawSignature(await keys.sign(identityKey, coseSigned(signed)));
  return encodeCose({ keyId: identityKeyId, payload, signature });
}
