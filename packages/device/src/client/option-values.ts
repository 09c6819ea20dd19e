import { isThinglineError, kindOf, optionInvalid, ThinglineError } from "@thingline/protocol";
import type { UserProperties } from "@thingline/protocol/mqtt";

/** Each value once. @throws {ThinglineError} OPTION_INVALID: a list that throws when it is read */
export function listOf<Value>(option: string, values: Iterable<Value>): Value[] {
  try {
    return [...new Set(values)];
  } catch (cause) {
    const message = `${option}: expected a list that can be read, got one that threw when it was read`;
    throw new ThinglineError("OPTION_INVALID", message, { details: { option }, cause });
  }
}

export function checkEach(option: string, values: readonly string[] | undefined): void {
  values?.forEach((value, index) => {
    if (text(`${option}[${index}]`, value) === "") throw optionInvalid(`${option}[${index}]`, "some text", "none");
  });
}

/** @throws {ThinglineError} OPTION_INVALID */
export function checkUserProperties(option: string, properties: UserProperties): void {
  for (const pair of properties as Iterable<unknown>) {
    const isPair = Array.isArray(pair) && pair.length === 2 && pair.every((each) => typeof each === "string");
    if (!isPair) throw optionInvalid(option, "pairs of texts, [name, value]", kindOf(pair));
  }
}

/** For what is sent later, or more than once: the memory may be given away meanwhile. One whose memory is gone already is empty. */
export function copyBytes(bytes: Uint8Array): Uint8Array {
  return bytes.length === 0 ? new Uint8Array(0) : bytes.slice();
}

export function optional(option: string, value: number | undefined, min: number, max: number): Record<string, number> {
  return value === undefined ? {} : { [option]: integer(option, value, min, max) };
}

export function integer(option: string, value: number, min: number, max: number): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw optionInvalid(option, `a whole number in ${min}..${max}`, typeof value === "number" ? value : kindOf(value));
}

export function text(option: string, value: string): string {
  if (typeof value === "string") return value;
  throw optionInvalid(option, "a string", kindOf(value));
}

export function flag(option: string, value: boolean): boolean {
  if (typeof value === "boolean") return value;
  throw optionInvalid(option, "true or false", kindOf(value));
}

export function oneOf<Value extends string | number>(option: string, value: Value, values: readonly Value[]): Value {
  if (values.includes(value)) return value;
  const isShort = typeof value === "number" || (typeof value === "string" && value.length <= 32);
  throw optionInvalid(option, values.join(" or "), isShort ? value : kindOf(value));
}

/** A check that does not know the option: its refusal becomes the option's. */
export function named(option: string, check: () => void): void {
  try {
    check();
  } catch (error) {
    if (!isThinglineError(error) || error.code === "OPTION_INVALID") throw error;
    throw new ThinglineError("OPTION_INVALID", `${option}: ${error.message}`, {
      details: { ...error.details, option },
      cause: error,
    });
  }
}
