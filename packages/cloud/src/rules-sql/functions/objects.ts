import { decodeBase64, encodeBase64 } from "@thingline/protocol/x509";
import { toIndex, toText } from "../conversions.js";
import { sqlFailed } from "../errors.js";
import { readJson } from "../json.js";
import { decodeUtf8, encodeUtf8 } from "../text.js";
import { isArray, isBytes, isObject, memberOf, newObject, type SqlValue } from "../values.js";
import { functionsOf } from "./function.js";
import { sqlItemsMax } from "./texts.js";

function get([of, key]: readonly SqlValue[]): SqlValue {
  if (isObject(of)) return typeof key === "string" ? memberOf(of, key) : undefined;
  const at = toIndex(key);
  if (at === undefined || at < 0) return undefined;
  if (isArray(of)) return of[at];
  return typeof of === "string" ? Array.from(of)[at] : undefined;
}

function requireBase64(name: string, scheme: SqlValue): boolean {
  if (scheme === "base64") return true;
  if (scheme === "proto") throw sqlFailed(`${name}() of protobuf is not built in the local cloud`);
  return false;
}

function encode([value, scheme]: readonly SqlValue[]): SqlValue {
  if (!requireBase64("encode", scheme)) return undefined;
  if (isBytes(value)) return encodeBase64(value);
  const text = toText(value);
  return text === undefined ? undefined : encodeBase64(encodeUtf8(text));
}

/** JSON becomes what it says, other text a text; Null for what is neither. */
function decode([value, scheme]: readonly SqlValue[]): SqlValue {
  if (!requireBase64("decode", scheme)) return undefined;
  const encoded = toText(value);
  if (encoded === undefined) return undefined;
  const bytes = decodeBase64(encoded);
  if (bytes === undefined) return null;
  const json = readJson(bytes);
  return json === undefined ? (decodeUtf8(bytes) ?? null) : json.value;
}

function transform([mode, attributes, items]: readonly SqlValue[]): SqlValue {
  if (mode !== "enrichArray" || !isObject(attributes) || !isArray(items)) return undefined;
  if (items.length * (Object.keys(attributes).length + 1) > sqlItemsMax) {
    throw sqlFailed(`transform() makes objects of more than ${sqlItemsMax} members`);
  }
  return items.map((item) => (isObject(item) ? Object.assign(newObject(), item, attributes) : item));
}

export const objectFunctions = functionsOf({
  decode: [2, 6, decode, { isNewer: true, starAt: 0 }],
  encode: [2, 2, encode, { isNewer: true, starAt: 0 }],
  get: [2, 2, get],
  isNull: [1, 1, ([value]) => value === null],
  isUndefined: [1, 1, ([value]) => value === undefined, { isNewer: true }],
  transform: [3, 3, transform, { isNewer: true }],
});
