import { toHex } from "@thingline/protocol";
import { toText } from "../conversions.js";
import type { HashName } from "../host.js";
import { encodeUtf8 } from "../text.js";
import { functionsOf, type SqlFunction } from "./function.js";

const names: readonly HashName[] = ["md2", "md5", "sha1", "sha224", "sha256", "sha384", "sha512"];

const hash =
  (name: HashName): SqlFunction["run"] =>
  ([value], host) => {
    const text = toText(value);
    return text === undefined ? undefined : toHex(host.hash(name, encodeUtf8(text)));
  };

export const hashFunctions = functionsOf(Object.fromEntries(names.map((name) => [name, [1, 1, hash(name)] as const])));
