import { kindOf, optionInvalid, type OptionTypes, readOptions } from "@thingline/protocol";
import {
  copyJson,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  shadowDepthMax,
  shadowSections,
} from "@thingline/protocol/shadow/client";

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
const sectionTypes = { desired: "any", reported: "any" } as const satisfies OptionTypes<ShadowUpdateRequest>;
const limits = { depthMax: shadowDepthMax, valuesMax: stateValuesMax };

/** A copy: what was checked is what is sent, now and when it is sent again. @throws {ThinglineError} OPTION_INVALID */
export function copyState(request: ShadowUpdateRequest): JsonObject {
  const given: { desired?: unknown; reported?: unknown } = readOptions(request, sectionTypes, {
    of: "the state of a shadow",
  });
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

/** @throws {ThinglineError} OPTION_INVALID */
export function copyWishes(wishes: unknown): JsonObject {
  const copy = copyJson(wishes, "wishes", limits);
  if (!isJsonObject(copy)) throw optionInvalid("wishes", "an object", kindOf(copy));
  return copy;
}
