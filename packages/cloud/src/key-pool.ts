import { ThinglineError } from "@thingline/protocol";
import type { KeyPair, Keys } from "@thingline/transport";

/** RSA keys made ahead. */
export const keyPoolSizeMax = 64;

export interface KeyPool extends Keys {
  /** Waits for the key that is being made; safe to call twice. */
  close(): Promise<void>;
}

/**
 * Keys whose RSA pairs are made ahead, one at a time, so that a device does not wait for a prime. Each pair is given out
 * once. With `size` 0 nothing is made ahead.
 */
export function createKeyPool(keys: Keys, { size }: { size: number }): KeyPool {
  if (!Number.isInteger(size) || size < 0 || size > keyPoolSizeMax) {
    throw new ThinglineError("OPTION_INVALID", `key pool: size must be 0 to ${keyPoolSizeMax}, got ${size}`);
  }
  const ready: KeyPair[] = [];
  let filling: Promise<void> | undefined;
  let isClosed = false;

  const fill = async () => {
    while (!isClosed && ready.length < size) ready.push(await keys.generate("rsa-2048"));
  };
  const refill = () => {
    // A failure shows again, and to somebody, when a key is asked for.
    filling ??= fill()
      .catch(() => undefined)
      .finally(() => (filling = undefined));
  };
  if (size > 0) refill();

  return {
    sign: (privateKeyPem, data) => keys.sign(privateKeyPem, data),
    verify: (signed) => keys.verify(signed),
    publicKeyOf: (privateKeyPem) => keys.publicKeyOf(privateKeyPem),
    certificatePublicKey: (certificatePem) => keys.certificatePublicKey(certificatePem),
    sha256: (data) => keys.sha256(data),
    hmacSha256: (key, data) => keys.hmacSha256(key, data),
    async generate(kind) {
      const made = kind === "rsa-2048" ? ready.shift() : undefined;
      if (size > 0 && !isClosed) refill();
      return made ?? keys.generate(kind);
    },
    async close() {
      isClosed = true;
      await filling;
      ready.length = 0;
    },
  };
}
