import { ThinglineError } from "@thingline/protocol";
import type { Keys } from "@thingline/transport";
import { md2, type HashName } from "./rules-sql/index.js";

export type { HashName } from "./rules-sql/index.js";

/** Makes digests, by what a program has for them. */
export type Hash = (name: HashName, data: Uint8Array) => Uint8Array;

/** With what the cloud can do by itself: MD2, which nobody has any more, and SHA-256. @throws {ThinglineError} RULE_SQL_FAILED */
export function hashBy(keys: Pick<Keys, "sha256">, given: Hash | undefined): Hash {
  return (name, data) => {
    if (name === "md2") return md2(data);
    if (given !== undefined) return given(name, data);
    if (name === "sha256") return keys.sha256(data);
    throw new ThinglineError("RULE_SQL_FAILED", `this cloud was given no ${name}`);
  };
}
