import { randomBytes, randomInt, randomUUID } from "node:crypto";
import { ThinglineError } from "@thingline/protocol";
import type { Random } from "../random.js";

/** Cryptographic chance from the system. */
export function createNodeRandom(): Random {
  return {
    bytes: (length) => new Uint8Array(randomBytes(length)),
    // 53 bits, as a double can hold them. Node draws ahead for randomInt(), where randomBytes() asks the system each time.
    fraction: () => (randomInt(2 ** 32) * 2 ** 21 + randomInt(2 ** 21)) / 2 ** 53,
    integer(below) {
      if (!Number.isInteger(below) || below < 1 || below > 2 ** 32) {
        const message = `"below" must be a whole number from 1 to 4294967296, got ${below}`;
        throw new ThinglineError("OPTION_INVALID", message, { details: { below } });
      }
      return randomInt(below);
    },
    uuid: () => randomUUID(),
  };
}
