import { checkOptionTypes, kindOf, optionInvalid, ThinglineError } from "@thingline/protocol";
import {
  copyJson,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  shadowDepthMax,
  shadowSections,
} from "@thingline/protocol/shadow";

/** A part of a state; `null` removes a member. */
export type ShadowPatch<State> = { [Member in keyof State]?: State[Member] | null };

export interface ShadowUpdateRequest<State extends JsonObject = JsonObject> {
  desired?: ShadowPatch<State> | null;
  reported?: ShadowPatch<State> | null;
}

/** Undefined: nothing is to be changed. */
export type ShadowChange<State extends JsonObject = JsonObject> = ShadowUpdateRequest<State> | undefined;

/** Values of an update: no request of AWS's size holds more. */
export const stateValuesMax = 100_000;
const limits = { depthMax: shadowDepthMax, valuesMax: stateValuesMax };

/** A copy: what was checked is what is sent, now and when it is sent again. @throws {ThinglineError} OPTION_INVALID */
export function copyState(request: ShadowUpdateRequest): JsonObject {
  const given = sectionsOf(request);
  const state: Record<string, JsonValue> = {};
  for (const section of shadowSections) {
    const value = given[section];
    if (value === undefined) continue;
    if (typeof value !== "object") throw optionInvalid(section, "an object or null", kindOf(value));
    const copy = copyJson(value, section, limits);
    if (Array.isArray(copy)) throw optionInvalid(section, "an object or null", "an array");
    state[section] = copy;
  }
  return state;
}

/** Read once, as a getter may say something else the next time, or throw. */
function sectionsOf(request: ShadowUpdateRequest): { desired: unknown; reported: unknown } {
  checkOptionTypes(request, { desired: "any", reported: "any" }, { of: "the state of a shadow" });
  try {
    return { desired: request.desired, reported: request.reported };
  } catch (cause) {
    const message = "state: expected desired and reported that can be read, got one that threw when it was read";
    throw new ThinglineError("OPTION_INVALID", message, { details: { option: "state" }, cause });
  }
}

/** @throws {ThinglineError} OPTION_INVALID */
export function copyWishes(wishes: unknown): JsonObject {
  const copy = copyJson(wishes, "wishes", limits);
  if (!isJsonObject(copy)) throw optionInvalid("wishes", "an object", kindOf(copy));
  return copy;
}
