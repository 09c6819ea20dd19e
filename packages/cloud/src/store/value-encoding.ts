import { ThinglineError } from "@thingline/protocol";
import type { StoreValue } from "./store.js";

/** Nesting of arrays and objects in one value. */
export const valueDepthMax = 100;

/** Marks a string that stands for bytes (`\0b` offset `:` length) or that itself begins with U+0000 (`\0\0...`). */
const mark = "\u0000";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * A value as every store keeps it: members that are undefined left out, bytes in buffers of their own (a view would keep
 * the whole network buffer that it came from). What is so already is kept as it is, since nobody changes written values.
 * @throws {ThinglineError} OPTION_INVALID for what is no StoreValue: NaN, functions, too deep.
 */
export function normalizeValue(value: StoreValue, depth = 0): StoreValue {
  if (value === null || typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "number") {
    if (Number.isFinite(value)) return value;
    throw invalidValue(`a number must be finite, got ${value}`);
  }
  if (value instanceof Uint8Array) return Uint8Array.from(value);
  if (typeof value !== "object") throw invalidValue(`a ${typeof value} cannot be stored`);
  if (depth >= valueDepthMax) throw invalidValue(`nested deeper than ${valueDepthMax}`);
  return isArray(value) ? normalizeArray(value, depth) : normalizeObject(value, depth);
}

function normalizeArray(value: readonly StoreValue[], depth: number): readonly StoreValue[] {
  let copy: StoreValue[] | undefined;
  // By index, so that a hole is found.
  for (let at = 0; at < value.length; at++) {
    const item = value[at] as StoreValue;
    const normalized = normalizeValue(item, depth + 1);
    if (normalized !== item) (copy ??= value.slice())[at] = normalized;
  }
  return copy ?? value;
}

function normalizeObject(value: { readonly [name: string]: StoreValue | undefined }, depth: number): StoreValue {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) throw invalidValue("only plain objects can be stored");
  let changed: Map<string, StoreValue | undefined> | undefined;
  // With such a prototype a name is the object's own. Unlike a list of the names it costs no memory.
  for (const name in value) {
    const member = value[name];
    const normalized = member === undefined ? undefined : normalizeValue(member, depth + 1);
    if (normalized === undefined || normalized !== member) (changed ??= new Map()).set(name, normalized);
  }
  if (changed === undefined) return value;
  const entries: [string, StoreValue][] = [];
  for (const name of Object.keys(value)) {
    const member = changed.has(name) ? changed.get(name) : value[name];
    if (member !== undefined) entries.push([name, member]);
  }
  // fromEntries defines a member named __proto__ like any other; an assignment would not.
  return Object.fromEntries(entries);
}

/** Kind byte, then JSON; with bytes inside: kind byte, length of the JSON (4 bytes), JSON, all bytes in a row. */
const plainKind = 1;
const markedKind = 2;

/** Encodes a value that went through {@link normalizeValue}. */
export function encodeValue(value: StoreValue): Uint8Array {
  const blobs: Blobs = { list: [], byteCount: 0, isMarked: false };
  const json = encoder.encode(JSON.stringify(markBytes(value, blobs)));
  if (!blobs.isMarked) {
    const bytes = new Uint8Array(1 + json.length);
    bytes[0] = plainKind;
    bytes.set(json, 1);
    return bytes;
  }
  const bytes = new Uint8Array(5 + json.length + blobs.byteCount);
  bytes[0] = markedKind;
  new DataView(bytes.buffer).setUint32(1, json.length);
  bytes.set(json, 5);
  let at = 5 + json.length;
  for (const blob of blobs.list) {
    bytes.set(blob, at);
    at += blob.length;
  }
  return bytes;
}

interface Blobs {
  list: Uint8Array[];
  byteCount: number;
  isMarked: boolean;
}

/** The value with texts for its bytes; the same object where there are none. */
function markBytes(value: StoreValue | undefined, blobs: Blobs): StoreValue | undefined {
  if (typeof value === "string") {
    if (!value.startsWith(mark)) return value;
    blobs.isMarked = true;
    return mark + value;
  }
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Uint8Array) {
    const reference = `${mark}b${blobs.byteCount}:${value.length}`;
    blobs.list.push(value);
    blobs.byteCount += value.length;
    blobs.isMarked = true;
    return reference;
  }
  if (isArray(value)) return value.map((item) => markBytes(item, blobs) ?? null);
  let marked: [string, StoreValue | undefined][] | undefined;
  for (const [name, member] of Object.entries(value)) {
    const replaced = markBytes(member, blobs);
    if (replaced !== member) marked ??= [];
    marked?.push([name, replaced]);
  }
  // A spread keeps the order of the members, and defines one named __proto__ like any other.
  return marked === undefined ? value : { ...value, ...Object.fromEntries(marked) };
}

/** @throws {ThinglineError} STORE_CORRUPT for bytes that {@link encodeValue} never makes. */
export function decodeValue(bytes: Uint8Array): StoreValue {
  try {
    if (bytes[0] === plainKind) return JSON.parse(decoder.decode(bytes.subarray(1))) as StoreValue;
    if (bytes[0] !== markedKind) throw corruptValue();
    const jsonBytes = new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(1);
    if (5 + jsonBytes > bytes.length) throw corruptValue();
    const value = JSON.parse(decoder.decode(bytes.subarray(5, 5 + jsonBytes))) as StoreValue;
    return restoreBytes(value, bytes.subarray(5 + jsonBytes));
  } catch (error) {
    throw error instanceof ThinglineError ? error : corruptValue(error);
  }
}

/** Undoes {@link markBytes}, in place: the value was just parsed and nobody else has it. */
function restoreBytes(value: StoreValue, blobs: Uint8Array): StoreValue {
  if (typeof value === "string") return value.startsWith(mark) ? restoreString(value, blobs) : value;
  if (typeof value !== "object" || value === null) return value;
  const members = value as Record<string, StoreValue>;
  for (const name of Object.keys(members)) {
    const member = members[name] ?? null;
    if (typeof member !== "string" && typeof member !== "object") continue;
    const restored = restoreBytes(member, blobs);
    if (restored === member) continue;
    Object.defineProperty(members, name, { value: restored, writable: true, enumerable: true, configurable: true });
  }
  return value;
}

function restoreString(text: string, blobs: Uint8Array): StoreValue {
  if (text.startsWith(mark + mark)) return text.slice(1);
  const [offset = NaN, length = NaN] = text.slice(2).split(":").map(Number);
  if (!(offset + length <= blobs.length)) throw corruptValue();
  return Uint8Array.from(blobs.subarray(offset, offset + length));
}

const isArray = (value: StoreValue & object): value is readonly StoreValue[] => Array.isArray(value);
const invalidValue = (message: string) => new ThinglineError("OPTION_INVALID", `store value: ${message}`);
const corruptValue = (cause?: unknown) =>
  new ThinglineError("STORE_CORRUPT", "the store holds a value that cannot be decoded", { cause });
