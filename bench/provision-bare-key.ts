// Keys as a device or a cloud makes them, for the bare loop of `npm run bench -- provision`.
import { generateKeyPair } from "node:crypto";
import { promisify } from "node:util";
import type { KeyKind } from "@thingline/transport";

const generate = promisify(generateKeyPair);

export async function makeKey(kind: KeyKind): Promise<void> {
  const publicKeyEncoding = { type: "spki", format: "pem" } as const;
  if (kind === "rsa-2048") {
    const privateKeyEncoding = { type: "pkcs1", format: "pem" } as const;
    await generate("rsa", { modulusLength: 2048, publicKeyEncoding, privateKeyEncoding });
  } else {
    const privateKeyEncoding = { type: "sec1", format: "pem" } as const;
    await generate("ec", { namedCurve: "P-256", publicKeyEncoding, privateKeyEncoding });
  }
}
