import { kindOf, optionInvalid } from "@thingline/protocol";
import type { UserProperties } from "@thingline/protocol/mqtt/client";

/** @throws {ThinglineError} OPTION_INVALID */
export function checkUserProperties(option: string, properties: UserProperties): void {
  for (const pair of properties as Iterable<unknown>) {
    const isPair = Array.isArray(pair) && pair.length === 2 && pair.every((each) => typeof each === "string");
    if (!isPair) throw optionInvalid(option, "pairs of texts, [name, value]", kindOf(pair));
  }
}
