// Keys as a device or a cloud makes them, and the signatures of a request and of a certificate, for the bare loop of `npm run bench -- provision`.
import { createPublicKey, generateKeyPair, type KeyObject, sign, verify } from "node:crypto";
import { promisify } from "node:util";
import type { KeyKind } from "@thingline/transport";

const generate = promisify(generateKeyPair);
const signAsync = promisify(sign);

/** About what is signed of a request, and of a certificate. */
const [requestBytes, certificateBytes] = [200, 700];

/** Handed over, or kept for TLS, as PEM: once it is written. */
export async function makeKey(kind: KeyKind): Promise<KeyObject> {
  const { privateKey } =
    kind === "rsa-2048"
      ? await generate("rsa", { modulusLength: 2048 })
      : await generate("ec", { namedCurve: "P-256" });
  privateKey.export({ type: kind === "rsa-2048" ? "pkcs1" : "sec1", format: "pem" });
  return privateKey;
}

/** What a request for a certificate is by: its public key, and the signature over what it asks for. */
export interface BareRequest {
  /** SubjectPublicKeyInfo, DER, in base64. */
  publicKey: string;
  signature: string;
}

export async function signRequest(privateKey: KeyObject): Promise<BareRequest> {
  const publicKey = createPublicKey(privateKey).export({ type: "spki", format: "der" });
  const signature = await signAsync("sha256", Buffer.alloc(requestBytes, publicKey), privateKey);
  return { publicKey: publicKey.toString("base64"), signature: signature.toString("base64") };
}

/** @throws when the request is not by its own key */
export function requireSoundRequest({ publicKey, signature }: BareRequest): void {
  const spki = Buffer.from(publicKey, "base64");
  const key = createPublicKey({ key: spki, format: "der", type: "spki" });
  if (!verify("sha256", Buffer.alloc(requestBytes, spki), key, Buffer.from(signature, "base64"))) {
    throw new Error("a request of the bare loop is not by its own key");
  }
}

/** As a CA signs the certificate of a device: the cloud's own has an RSA key, as AWS's. */
export async function signCertificate(authority: KeyObject): Promise<void> {
  await signAsync("sha256", Buffer.alloc(certificateBytes, 1), authority);
}
