import { isJsonObject, memberOf, setMember, type JsonObject, type JsonValue } from "../json.js";

/**
 * The shape of a value with `{ "timestamp": seconds }` in the place of each leaf, null included, element by element in
 * arrays. Empty objects and arrays have no leaf.
 */
export function stampMetadata(value: JsonValue, nowSeconds: number): JsonValue {
  if (Array.isArray(value)) return value.map((item: JsonValue) => stampMetadata(item, nowSeconds));
  if (!isJsonObject(value)) return stampOf(nowSeconds);
  const stamped: Record<string, JsonValue> = {};
  for (const name of Object.keys(value)) {
    setMember(stamped, name, stampMetadata(value[name] as JsonValue, nowSeconds));
  }
  return stamped;
}

let lastStamp = { timestamp: NaN };

/** The same object for all leaves of a second: nobody changes it. */
function stampOf(nowSeconds: number): JsonObject {
  if (lastStamp.timestamp !== nowSeconds) lastStamp = { timestamp: nowSeconds };
  return lastStamp;
}

/** The part of `metadata` that belongs to `part`, which is a part of the value that `metadata` belongs to. */
export function cutMetadata(metadata: JsonObject, part: JsonObject): JsonObject {
  const cut: Record<string, JsonValue> = {};
  for (const name of Object.keys(part)) {
    const value = part[name] as JsonValue;
    const found = memberOf(metadata, name);
    if (found === undefined) continue;
    setMember(cut, name, isJsonObject(value) && isJsonObject(found) ? cutMetadata(found, value) : found);
  }
  return cut;
}
