import { ThinglineError } from "@thingline/protocol";
import { decodeBase64, readPem, readPublicKeyKind } from "@thingline/protocol/x509";
import type { Keys } from "@thingline/transport";
import { tokenKeyBitsMin, tokenSigningKeysMax } from "./model.js";

const invalid = (message: string) => new ThinglineError("REQUEST_INVALID", message);

/** What a client sends besides the name of an authorizer. */
export interface SignedToken {
  token: string | undefined;
  /** Base64. */
  signature: string | undefined;
}

/**
 * Checks the public keys of an authorizer.
 *
 * @throws {ThinglineError} REQUEST_INVALID
 */
export function checkSigningKeys(given: Readonly<Record<string, string>>): void {
  const names = Object.keys(given);
  if (names.length > tokenSigningKeysMax)
    throw invalid(`tokenSigningPublicKeys has at most ${tokenSigningKeysMax} keys`);
  for (const name of names) {
    const kind = kindOfKey(given[name] ?? "");
    if (kind === undefined) throw invalid(`The public key ${name} is not an RSA public key in PEM`);
    if (kind < tokenKeyBitsMin)
      throw invalid(`The public key ${name} has ${kind} bits; at least ${tokenKeyBitsMin} are needed`);
  }
}

/** @returns the bits of an RSA key; undefined for anything else */
function kindOfKey(pem: string): number | undefined {
  const der = publicKeyDer(pem);
  if (der === undefined) return undefined;
  try {
    const kind = readPublicKeyKind(der);
    return kind.kind === "rsa" ? kind.bits : undefined;
  } catch {
    return undefined;
  }
}

function publicKeyDer(pem: string): Uint8Array | undefined {
  const read = readPem(pem);
  if ("reason" in read) return undefined;
  const [block, another] = read.blocks;
  return another === undefined && block?.label === "PUBLIC KEY" ? block.der : undefined;
}

/**
 * Whether a token was signed by one of the keys: RSA, PKCS#1 v1.5, SHA-256.
 *
 * @returns what is wrong with it, in words that hold neither of the two; undefined for nothing
 */
export function faultOfSignature(
  keys: Pick<Keys, "verify">,
  publicKeys: Readonly<Record<string, string>>,
  { token, signature }: SignedToken,
): string | undefined {
  if (token === undefined) return "the client sent no token";
  if (signature === undefined) return "the client sent no signature of its token (x-amz-customauthorizer-signature)";
  const bytes = decodeBase64(signature);
  if (bytes === undefined) return "the signature of the token is not base64";
  const data = new TextEncoder().encode(token);
  const algorithm = { kind: "rsa", hash: "sha256" } as const;
  const isSigned = Object.values(publicKeys).some((pem) => {
    const publicKey = publicKeyDer(pem);
    return publicKey !== undefined && keys.verify({ publicKey, algorithm, data, signature: bytes });
  });
  return isSigned ? undefined : "the signature of the token is of none of the authorizer's keys";
}
