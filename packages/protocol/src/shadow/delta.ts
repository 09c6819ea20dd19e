import {
  isEmptyObject,
  isJsonEqual,
  isJsonObject,
  memberOf,
  setMember,
  type JsonObject,
  type JsonValue,
} from "../json.js";

/**
 * What `desired` wants that `reported` does not say: leaves that are missing or different, with their path. Arrays are
 * compared and copied whole. What only `reported` has is no difference.
 *
 * @returns undefined when there is no difference.
 */
export function findDelta(desired: JsonObject | undefined, reported: JsonObject | undefined): JsonObject | undefined {
  if (desired === undefined || reported === undefined) return desired;
  const delta: Record<string, JsonValue> = {};
  for (const name of Object.keys(desired)) {
    const wanted = desired[name] as JsonValue;
    const told = memberOf(reported, name);
    if (isJsonObject(wanted) && isJsonObject(told)) {
      const inner = findDelta(wanted, told);
      if (inner !== undefined) setMember(delta, name, inner);
    } else if (told === undefined || !isJsonEqual(wanted, told)) {
      setMember(delta, name, wanted);
    }
  }
  return isEmptyObject(delta) ? undefined : delta;
}
