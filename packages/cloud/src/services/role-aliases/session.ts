import { bytesEqual } from "@thingline/protocol";
import { decodeBase64, encodeBase64 } from "@thingline/protocol/x509";
import type { Keys, Random } from "@thingline/transport";

// Session credentials as AWS's STS gives them, without anything kept of them: the token says what they are and carries a MAC, and the secret
// is made of the token again when somebody has signed with it. So there is no number of them that would have to be bounded.

/** Who a session is, and until when. */
export interface SessionClaims {
  account: string;
  roleArn: string;
  roleAlias: string;
  certificateId: string;
  thingName?: string | undefined;
  /** Unix time in milliseconds, of a whole second. */
  expiresAtMs: number;
}

export interface SessionCredentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken: string;
}

/** Of a token that is looked at; one that is issued here is far shorter. */
export const sessionTokenCharactersMax = 8_192;

/** Of the key that they are made with. */
export const sessionKeyBytes = 32;
const macBytes = 32;
/** 40 characters of base64, as AWS's secrets are. */
const secretBytes = 30;
const base32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/** Of a session's access key id, behind `ASIA`. */
const idCharacters = 16;

interface Session {
  claims: SessionClaims;
  credentials: SessionCredentials;
}

type Mac = Pick<Keys, "hmacSha256">;
const encoder = new TextEncoder();

export function makeSession(
  claims: SessionClaims,
  { key, keys, random }: { key: Uint8Array; keys: Mac; random: Pick<Random, "bytes"> },
): SessionCredentials {
  const characters = Array.from(random.bytes(idCharacters), (byte) => base32.charAt(byte % base32.length));
  const accessKeyId = `ASIA${characters.join("")}`;
  const text = encoder.encode(JSON.stringify({ accessKeyId, ...claims }));
  const token = new Uint8Array(macBytes + text.length);
  token.set(macOf("token", text, { key, keys }));
  token.set(text, macBytes);
  return { accessKeyId, secretAccessKey: secretOf(text, { key, keys }), sessionToken: encodeBase64(token) };
}

/** @returns undefined for what was not made with this key */
export function readSession(sessionToken: string, { key, keys }: { key: Uint8Array; keys: Mac }): Session | undefined {
  if (sessionToken.length > sessionTokenCharactersMax) return undefined;
  const token = decodeBase64(sessionToken);
  if (token === undefined || token.length <= macBytes) return undefined;
  const text = token.subarray(macBytes);
  if (!bytesEqual(macOf("token", text, { key, keys }), token.subarray(0, macBytes))) return undefined;
  // What has the MAC was written here.
  const { accessKeyId, ...claims } = JSON.parse(new TextDecoder().decode(text)) as SessionClaims & {
    accessKeyId: string;
  };
  return { claims, credentials: { accessKeyId, secretAccessKey: secretOf(text, { key, keys }), sessionToken } };
}

function secretOf(text: Uint8Array, made: { key: Uint8Array; keys: Mac }): string {
  return encodeBase64(macOf("secret", text, made).subarray(0, secretBytes));
}

/** One key has two uses, which its first bytes tell apart. */
function macOf(use: "token" | "secret", text: Uint8Array, { key, keys }: { key: Uint8Array; keys: Mac }): Uint8Array {
  return keys.hmacSha256(keys.hmacSha256(key, encoder.encode(use)), text);
}
