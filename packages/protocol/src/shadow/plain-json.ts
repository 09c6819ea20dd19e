import { ThinglineError } from "../errors.js";
import { kindOf } from "../options.js";
import { type JsonValue, setMember } from "../json.js";

export interface PlainJsonLimits {
  /** Levels of objects and arrays below the value itself; those that are empty are none. */
  depthMax: number;
  /** Members and items in all: the same object in many places is written many times. */
  valuesMax: number;
}

/**
 * Copies what an application hands in as JSON, and refuses whatever `JSON.stringify` would drop, change or throw at: NaN and infinities,
 * undefined, holes, functions, symbols, BigInt, cycles, dates, maps, typed arrays and other objects of a class, `toJSON`, lone surrogates,
 * hidden members, and getters and proxies that throw. A copy, so that what was checked is what is sent, whatever a getter says the next time.
 *
 * -0 becomes 0: the two are equal, and rounding makes it every day.
 *
 * @param path how the value is called in the error: `reported`
 * @throws {ThinglineError} OPTION_INVALID naming the place in `details.option`: `reported.sensors[2].temp`.
 */
export function copyJson(value: unknown, path: string, limits: PlainJsonLimits): JsonValue {
  return new Copier(path, limits).copy(value, 0);
}

class Copier {
  readonly #root: string;
  readonly #limits: PlainJsonLimits;
  /** Names and indexes from the root to the value that is being copied. */
  readonly #path: (string | number)[] = [];
  /** The objects around it. */
  readonly #around: object[] = [];
  #valueCount = 0;

  constructor(root: string, limits: PlainJsonLimits) {
    this.#root = root;
    this.#limits = limits;
  }

  copy(value: unknown, level: number): JsonValue {
    this.#valueCount += 1;
    if (this.#valueCount > this.#limits.valuesMax) {
      throw this.#invalid(`at most ${this.#limits.valuesMax} members and items in all`, "more");
    }
    switch (typeof value) {
      case "boolean":
        return value;
      case "number":
        if (Number.isFinite(value)) return value === 0 ? 0 : value;
        throw this.#invalid("a finite number, as JSON has no other", String(value));
      case "string":
        if (!loneSurrogate.test(value)) return value;
        throw this.#invalid("well-formed text", "text with half of a surrogate pair");
      case "object":
        return value === null ? null : this.#copyObject(value, level);
      case "undefined":
        throw this.#invalid("a value, or null to remove the member", "undefined");
      default:
        throw this.#invalid("what JSON can hold", `a ${typeof value}`);
    }
  }

  #copyObject(value: object, level: number): JsonValue {
    if (this.#around.includes(value)) throw this.#invalid("a tree", "an object that holds itself");
    this.#around.push(value);
    const copy = this.#look(() => {
      if (typeof (value as { toJSON?: unknown }).toJSON === "function") {
        throw this.#invalid("plain values", `${kindOf(value)} that writes itself (toJSON)`);
      }
      return Array.isArray(value) ? this.#copyArray(value, level) : this.#copyMembers(value, level);
    });
    this.#around.pop();
    return copy;
  }

  #copyArray(items: readonly unknown[], level: number): JsonValue {
    const { length } = items;
    const names = Reflect.ownKeys(items);
    // Those of an array are its indexes, in order, and `length`.
    if (names.length < length + 1) throw this.#invalid("an array without holes", "one with holes");
    if (names.length > length + 1) {
      const stray = names.find((name, index) => name !== "length" && name !== String(index));
      throw this.#invalid("an array of items alone", `one with the member ${shown(String(stray))}`);
    }
    this.#checkLevel(length > 0, level);
    const copy: JsonValue[] = [];
    for (let index = 0; index < length; index++) {
      this.#path.push(index);
      copy.push(this.copy(items[index], level + 1));
      this.#path.pop();
    }
    return copy;
  }

  #copyMembers(value: object, level: number): JsonValue {
    if (!isPlain(value)) throw this.#invalid("a plain object", kindOf(value));
    const names = Reflect.ownKeys(value);
    this.#checkLevel(names.length > 0, level);
    const copy: Record<string, JsonValue> = {};
    for (const name of names) {
      if (typeof name === "symbol") throw this.#invalid("members with names", "one with a symbol");
      this.#path.push(name);
      if (loneSurrogate.test(name)) throw this.#invalid("a well-formed name", "one with half of a surrogate pair");
      if (Object.getOwnPropertyDescriptor(value, name)?.enumerable !== true) {
        throw this.#invalid("a member that JSON.stringify sees", "one that is hidden (not enumerable)");
      }
      setMember(copy, name, this.copy((value as Record<string, unknown>)[name], level + 1));
      this.#path.pop();
    }
    return copy;
  }

  #checkLevel(isNonEmpty: boolean, level: number): void {
    if (level <= this.#limits.depthMax || !isNonEmpty) return;
    throw this.#invalid(`at most ${this.#limits.depthMax} levels`, "more");
  }

  /** Getters and proxies run code of the application's. */
  #look<Result>(read: () => Result): Result {
    try {
      return read();
    } catch (error) {
      if (error instanceof ThinglineError) throw error;
      throw this.#invalid("a value that can be read", "one that threw when it was read", error);
    }
  }

  #invalid(expected: string, got: string, cause?: unknown): ThinglineError {
    const option = pathText(this.#root, this.#path);
    return new ThinglineError("OPTION_INVALID", `${option}: expected ${expected}, got ${got}`, {
      details: { option },
      ...(cause !== undefined && { cause }),
    });
  }
}

const loneSurrogate = /\p{Surrogate}/u;
const pathCharactersMax = 200;

/** An object literal, of whichever realm, or one without prototype. */
function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value) as object | null;
  if (prototype === null) return true;
  return Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, "isPrototypeOf");
}

/** `reported.sensors[2]["a b"]` */
function pathText(root: string, path: readonly (string | number)[]): string {
  let text = root;
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else if (/^[A-Za-z_$][\w$-]*$/u.test(part)) text += `.${part}`;
    else text += `[${shown(part)}]`;
  }
  return text.length <= pathCharactersMax ? text : `${text.slice(0, pathCharactersMax)}...`;
}

const shown = (name: string): string => JSON.stringify(name.slice(0, pathCharactersMax));
