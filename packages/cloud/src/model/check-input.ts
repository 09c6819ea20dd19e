import { ThinglineError } from "@thingline/protocol";
import { tellFaults, type Fault } from "./faults.js";
import type { ModelOperation } from "./model.js";
import type { PlainShape } from "./shapes.js";
import { checkStructure, checkValue, type ActedMembers } from "./validate.js";

/**
 * Checks an input as AWS does.
 *
 * @param acted what the operation acts on; another member is refused by its name when it has a value that matters
 * @returns the input without members that AWS does not have, and without those that are null
 * @throws {ThinglineError} REQUEST_INVALID with all faults, worded as AWS does
 */
export function checkInput(
  { input: shape }: ModelOperation,
  input: unknown,
  acted: true | ActedMembers = true,
): Record<string, unknown> {
  if (typeof input !== "object" || input === null || Array.isArray(input)) {
    throw new ThinglineError("REQUEST_INVALID", "The request must be a JSON object");
  }
  const faults: Fault[] = [];
  const checked = checkStructure(shape, input, "", faults, acted);
  refuseFaults(faults);
  return checked;
}

/** The same for texts by their names, where no request of AWS's model is at hand. Those that are undefined are not there. */
export function checkTexts(
  shapes: Readonly<Record<string, PlainShape>>,
  values: Readonly<Record<string, string | undefined>>,
): void {
  const faults: Fault[] = [];
  for (const name in shapes) {
    if (values[name] !== undefined) checkValue(shapes[name]!, values[name], name, faults);
  }
  refuseFaults(faults);
}

function refuseFaults(faults: readonly Fault[]): void {
  if (faults.length > 0) throw new ThinglineError("REQUEST_INVALID", tellFaults(faults));
}
