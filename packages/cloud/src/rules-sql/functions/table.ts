import { sqlInvalid } from "../errors.js";
import { externalFunctions } from "./external.js";
import { functionsOf, type SqlFunction } from "./function.js";
import { hashFunctions } from "./hashes.js";
import { messageFunctions } from "./message.js";
import { numberFunctions } from "./numbers.js";
import { objectFunctions } from "./objects.js";
import { textFunctions } from "./texts.js";
import { timeFunctions } from "./times.js";

/** Evaluated by the evaluator itself: its first argument may fail. */
const lazyFunctions = functionsOf({ get_or_default: [1, 2, ([value]) => value, { isNewer: true }] });

const all: readonly SqlFunction[] = [
  ...numberFunctions,
  ...textFunctions,
  ...hashFunctions,
  ...objectFunctions,
  ...messageFunctions,
  ...timeFunctions,
  ...externalFunctions,
  ...lazyFunctions,
];

const byName: ReadonlyMap<string, SqlFunction> = new Map(all.map((each) => [each.name.toLowerCase(), each]));

/** All functions, by their names. */
export const sqlFunctions: readonly string[] = all.map(({ name }) => name).sort();

/** @param name in upper or lower case @throws {ThinglineError} RULE_SQL_INVALID */
export function requireFunction(name: string, at?: number): SqlFunction {
  const found = byName.get(name.toLowerCase());
  if (found !== undefined) return found;
  throw sqlInvalid(`there is no function ${name}()`, at);
}
