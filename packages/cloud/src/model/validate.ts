import type { Fault } from "./faults.js";
import type { ListShape, MapShape, Member, PlainShape, Shape, StructureShape } from "./shapes.js";
import { isStructure } from "./structure.js";

/** A value that is nested deeper is refused. The deepest shape of AWS IoT has eight levels. */
export const depthMax = 32;
/** Faults that one request can have; whoever has more is not told how many. */
export const faultsFoundMax = 1_000;
/** Elements of one list or map; those of one that has more are not looked at. AWS IoT has no list of more than a few hundred. */
export const elementsMax = 10_000;

/**
 * Which members of an input an operation acts on, by name; `true` for all of a member, whatever is in it. A member that it does not
 * act on is refused by name when it has a value that matters.
 */
export interface ActedMembers {
  readonly [member: string]: true | ActedMembers;
}

/**
 * Checks a value against its shape.
 *
 * @param faults gets what is wrong, in the words of AWS
 * @returns the value without members that AWS does not have, and without those that are null. Meaningless when there are faults.
 */
export function checkValue(shape: Shape, value: unknown, path: string, faults: Fault[], depth = depthMax): unknown {
  if (depth <= 0) {
    faults.push({ path, value: undefined, constraint: `Member must not be nested deeper than ${depthMax} levels` });
    return undefined;
  }
  switch (shape.type) {
    case "structure":
      return checkStructure(shape, value, path, faults, true, depth);
    case "list":
      return checkList(shape, value, path, faults, depth);
    case "map":
      return checkMap(shape, value, path, faults, depth);
    default:
      return checkPlain(shape, value, path, faults);
  }
}

/** {@link checkValue} for the members of a structure. `path` is empty for an input. */
export function checkStructure(
  shape: StructureShape,
  value: unknown,
  path: string,
  faults: Fault[],
  acted: true | ActedMembers = true,
  depth = depthMax,
): Record<string, unknown> {
  if (!isStructure(value)) {
    faults.push({ path, value, constraint: "Member must be a structure" });
    return {};
  }
  const checked: [string, unknown][] = [];
  for (const [name, member] of shape.members) {
    const item = Object.hasOwn(value, name) ? value[name] : undefined;
    const at = path === "" ? name : `${path}.${name}`;
    if (item === undefined || item === null) {
      if (member.isRequired) faults.push({ path: at, value: undefined, constraint: "Member must not be null" });
      continue;
    }
    checked.push([name, checkMember(member, item, at, faults, acted === true ? true : acted[name], depth)]);
  }
  return Object.fromEntries(checked);
}

function checkMember(
  { shape, isSensitive }: Member,
  value: unknown,
  path: string,
  faults: Fault[],
  acted: true | ActedMembers | undefined,
  depth: number,
): unknown {
  const before = faults.length;
  // A member inside may be one that is not acted on, through lists as well.
  const checked =
    acted !== undefined && acted !== true && depth > 0
      ? checkActed(shape, value, path, faults, acted, depth - 1)
      : checkValue(shape, value, path, faults, depth - 1);
  if (acted === undefined && faults.length === before && saysSomething(value)) {
    faults.push({ path, value, constraint: "Member is not supported by the local cloud" });
  }
  if (isSensitive || ("isSensitive" in shape && shape.isSensitive === true)) {
    for (let at = before; at < faults.length; at++) faults[at] = { ...faults[at]!, isSensitive: true };
  }
  return checked;
}

function checkActed(
  shape: Shape,
  value: unknown,
  path: string,
  faults: Fault[],
  acted: ActedMembers,
  depth: number,
): unknown {
  if (shape.type === "structure") return checkStructure(shape, value, path, faults, acted, depth);
  if (shape.type !== "list" || !Array.isArray(value)) return checkValue(shape, value, path, faults, depth);
  if (!checkCount(shape, value.length, value, path, faults)) return value;
  const { of } = shape;
  return checkItems(value, path, faults, (item, at) => checkActed(of, item, at, faults, acted, depth - 1));
}

/** Whether a member is more than its name: an empty list asks for nothing. */
function saysSomething(value: unknown): boolean {
  return typeof value !== "object" || value === null || Object.keys(value).length > 0;
}

function checkList(shape: ListShape, value: unknown, path: string, faults: Fault[], depth: number): unknown {
  if (!Array.isArray(value)) {
    faults.push({ path, value, constraint: "Member must be a list" });
    return value;
  }
  if (!checkCount(shape, value.length, value, path, faults)) return value;
  const { of } = shape;
  if (isContainer(of))
    return checkItems(value, path, faults, (item, at) => checkValue(of, item, at, faults, depth - 1));
  let isBroken = false;
  checkItems(value, path, faults, (item, at) => {
    const fault = typeFault(of, item);
    if (fault !== undefined) faults.push({ path: at, value: item, constraint: fault });
    else isBroken ||= constraintsBroken(of, item).length > 0;
  });
  // AWS names the list, and all that its elements have to be.
  if (isBroken)
    faults.push({ path, value, constraint: `Member must satisfy constraint: [${constraintsOf(of).join(", ")}]` });
  return value;
}

/** Each item with its path, until there is more wrong than anybody would read. */
function checkItems<T>(
  items: readonly unknown[],
  path: string,
  faults: readonly Fault[],
  check: (item: unknown, path: string) => T,
): T[] {
  const checked: T[] = [];
  for (let at = 0; at < items.length && faults.length < faultsFoundMax; at++) {
    checked.push(check(items[at], `${path}.${at + 1}.member`));
  }
  return checked;
}

function checkMap(shape: MapShape, value: unknown, path: string, faults: Fault[], depth: number): unknown {
  if (!isStructure(value)) {
    faults.push({ path, value, constraint: "Member must be a map" });
    return value;
  }
  const names = Object.keys(value);
  if (!checkCount(shape, names.length, value, path, faults)) return value;
  const { key, of } = shape;
  const plainKey = key as PlainShape;
  const checked: [string, unknown][] = [];
  let isKeyBroken = false;
  let isValueBroken = false;
  for (const name of names) {
    const item = value[name];
    if (faults.length >= faultsFoundMax) break;
    const keyFault = typeFault(plainKey, name);
    if (keyFault !== undefined) faults.push({ path: `${path}.key`, value: name, constraint: keyFault });
    else isKeyBroken ||= constraintsBroken(plainKey, name).length > 0;
    const at = `${path}.${name}.member`;
    if (isContainer(of)) {
      checked.push([name, checkValue(of, item, at, faults, depth - 1)]);
      continue;
    }
    const fault = typeFault(of, item);
    if (fault !== undefined) faults.push({ path: at, value: item, constraint: fault });
    else isValueBroken ||= constraintsBroken(of, item).length > 0;
    checked.push([name, item]);
  }
  if (isKeyBroken) {
    faults.push({
      path,
      value,
      constraint: `Map keys must satisfy constraint: [${constraintsOf(plainKey).join(", ")}]`,
    });
  }
  if (isValueBroken && !isContainer(of)) {
    faults.push({ path, value, constraint: `Map value must satisfy constraint: [${constraintsOf(of).join(", ")}]` });
  }
  return Object.fromEntries(checked);
}

function checkPlain(shape: PlainShape, value: unknown, path: string, faults: Fault[]): unknown {
  const fault = typeFault(shape, value);
  if (fault !== undefined) faults.push({ path, value, constraint: fault });
  else for (const constraint of constraintsBroken(shape, value)) faults.push({ path, value, constraint });
  return value;
}

/**
 * The number of elements of a list or map.
 *
 * @returns whether they are to be looked at
 */
function checkCount(
  { min, max = elementsMax }: { min?: number | undefined; max?: number | undefined },
  count: number,
  value: unknown,
  path: string,
  faults: Fault[],
): boolean {
  const length = { min, max: Math.min(max, elementsMax) };
  if (min !== undefined && count < min) faults.push({ path, value, constraint: leastOf("length", length) });
  if (count > length.max) faults.push({ path, value, constraint: mostOf("length", length) });
  return count <= elementsMax;
}

/** Of what JavaScript takes for a date, and can write as one. */
const unixSecondsMax = 8.64e12;

/** Why a value is not of the type of its shape, in words; undefined when it is. */
function typeFault({ type }: PlainShape, value: unknown): string | undefined {
  if (value === undefined || value === null) return "Member must not be null";
  switch (type) {
    case "string":
      if (typeof value !== "string") return "Member must be a string";
      // JSON can spell half a character, UTF-8 cannot: it would be another text wherever it is stored or sent.
      return /\p{Surrogate}/u.test(value) ? "Member must be well-formed Unicode text" : undefined;
    case "integer":
      return Number.isSafeInteger(value) && Math.abs((value as number) + 0.5) < 2 ** 31
        ? undefined
        : "Member must be an integer";
    case "long":
      return Number.isSafeInteger(value) ? undefined : "Member must be an integer";
    case "float":
    case "double":
      return Number.isFinite(value) ? undefined : "Member must be a number";
    case "boolean":
      return typeof value === "boolean" ? undefined : "Member must be a boolean";
    case "timestamp":
      return Math.abs(value as number) <= unixSecondsMax && typeof value === "number"
        ? undefined
        : "Member must be a timestamp";
    case "blob":
      return value instanceof Uint8Array ? undefined : "Member must be base64";
  }
}

const leastOf = (what: string, { min }: { min?: number | undefined }) =>
  `Member must have ${what} greater than or equal to ${min}`;
const mostOf = (what: string, { max }: { max?: number | undefined }) =>
  `Member must have ${what} less than or equal to ${max}`;
const whatIsBound = ({ type }: PlainShape) => (type === "string" || type === "blob" ? "length" : "value");
const patternOf = (source: string) => `Member must satisfy regular expression pattern: ${source}`;
const enumOf = (values: readonly string[]) => `Member must satisfy enum value set: [${values.join(", ")}]`;

/** The constraints that a value of the right type breaks. */
function constraintsBroken(shape: PlainShape, value: unknown): string[] {
  const { min, max, pattern, values } = shape;
  const broken: string[] = [];
  const size = typeof value === "number" ? value : ((value as { length?: number }).length ?? 0);
  if (min !== undefined && size < min) broken.push(leastOf(whatIsBound(shape), shape));
  if (max !== undefined && size > max) broken.push(mostOf(whatIsBound(shape), shape));
  if (typeof value !== "string") return broken;
  if (values !== undefined && !values.includes(value)) broken.push(enumOf(values));
  if (pattern !== undefined && !pattern.test(value)) broken.push(patternOf(pattern.source));
  return broken;
}

/** All constraints of an element, which AWS tells together. */
function constraintsOf(shape: PlainShape): string[] {
  const { min, max, pattern, values } = shape;
  return [
    ...(max === undefined ? [] : [mostOf(whatIsBound(shape), shape)]),
    ...(min === undefined ? [] : [leastOf(whatIsBound(shape), shape)]),
    ...(values === undefined ? [] : [enumOf(values)]),
    ...(pattern === undefined ? [] : [patternOf(pattern.source)]),
  ];
}

const isContainer = (shape: Shape): shape is ListShape | MapShape | StructureShape =>
  shape.type === "structure" || shape.type === "list" || shape.type === "map";
