import { commandPayloadBytesMax } from "@thingline/protocol/commands";
import { encodeCbor, type CborWritable } from "@thingline/protocol/cbor";
import { encodeBase64 } from "@thingline/protocol/x509";
import { invalid } from "./model.js";
import type { PlainValue } from "./parameters.js";

// A template is kept as the text that was given, and placeholders are replaced in the text: so a device gets every number as it was written.

/** Objects and lists within each other. Ours: AWS states none. */
export const commandTemplateDepthMax = 100;
/** Of a payload with its placeholders filled: what a message to a device may hold. */
export const filledPayloadBytesMax = 128 * 1024;

/** No part of it can hold a closing brace, so the search is linear. */
const placeholder = /\$\{aws:iot:commandexecution::(?:parameter:([.$a-zA-Z0-9_-]{1,192})|(executionTimeoutSec))\}/gu;
const wholePlaceholder = new RegExp(`^(?:${placeholder.source})$`, "u");
const begin = "${aws:iot:commandexecution::";

type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

/**
 * @returns the names of the parameters in it
 * @throws {ThinglineError} REQUEST_INVALID for what is too long, no JSON, or without a placeholder
 */
export function checkTemplate(text: string): ReadonlySet<string> {
  const bytes = encoder.encode(text).length;
  if (bytes > commandPayloadBytesMax) {
    throw invalid(`payloadTemplate has ${bytes} bytes, at most ${commandPayloadBytesMax} are allowed`);
  }
  const names = new Set<string>();
  let count = 0;
  for (const string of stringsIn(parseTemplate(text), 0)) {
    for (const [, name] of string.matchAll(placeholder)) {
      count++;
      if (name !== undefined) names.add(name);
    }
  }
  if (count === 0) throw invalid("payloadTemplate must have at least one placeholder");
  return names;
}

function parseTemplate(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    throw invalid("payloadTemplate must be valid JSON");
  }
}

function* stringsIn(value: Json, depth: number): Generator<string> {
  if (depth > commandTemplateDepthMax) {
    throw invalid(`payloadTemplate has more than ${commandTemplateDepthMax} objects and lists within each other`);
  }
  if (typeof value === "string") yield value;
  else if (Array.isArray(value)) for (const item of value) yield* stringsIn(item, depth + 1);
  else if (typeof value === "object" && value !== null) {
    for (const [name, item] of Object.entries(value)) {
      yield name;
      yield* stringsIn(item, depth + 1);
    }
  }
}

export interface TemplateValues {
  parameters: ReadonlyMap<string, PlainValue>;
  timeoutSeconds: number;
}

/**
 * The payload of an execution. A text that is one placeholder and nothing else becomes the value with its type; within other text a value
 * is text, and bytes are base64.
 *
 * @throws {ThinglineError} REQUEST_INVALID for a payload that no message could hold
 */
export function fillTemplate(text: string, values: TemplateValues, outputFormat: "JSON" | "CBOR"): Uint8Array {
  const filler = new Filler(values);
  const payload = outputFormat === "JSON" ? fillJson(text, filler) : encodeCbor(fillTree(parseTemplate(text), filler));
  if (payload.length > filledPayloadBytesMax) throw tooLarge();
  return payload;
}

const tooLarge = () =>
  invalid(`parameters: the payload would have more than ${filledPayloadBytesMax} bytes with these values`);

/** Replaces placeholders in texts, and stops before what it makes is too large. */
class Filler {
  readonly #values: TemplateValues;
  #written = 0;

  constructor(values: TemplateValues) {
    this.#values = values;
  }

  /** The value that a text stands for; undefined: it is more than one placeholder. */
  whole(text: string): PlainValue | undefined {
    const [found, name] = wholePlaceholder.exec(text) ?? [];
    if (found === undefined) return undefined;
    const value = this.#valueOf(name);
    this.#count(typeof value === "string" || value instanceof Uint8Array ? value.length : 0);
    return value;
  }

  within(text: string): string {
    return text.replace(placeholder, (_found, name: string | undefined) => {
      const filled = textOf(this.#valueOf(name));
      this.#count(filled.length);
      return filled;
    });
  }

  #count(length: number): void {
    this.#written += length;
    if (this.#written > filledPayloadBytesMax) throw tooLarge();
  }

  #valueOf(name: string | undefined): PlainValue {
    const { parameters, timeoutSeconds } = this.#values;
    // Every name of a template is one of the command's parameters: that was checked when it was made.
    return name === undefined ? timeoutSeconds : (parameters.get(name) ?? "");
  }
}

const textOf = (value: PlainValue): string => (value instanceof Uint8Array ? encodeBase64(value) : String(value));

/** A text of JSON, and the colon behind the name of a member. */
const literal = /"[^"\\]*(?:\\.[^"\\]*)*"(\s*:)?/gu;
const encoder = new TextEncoder();

function fillJson(text: string, filler: Filler): Uint8Array {
  const filled = text.replace(literal, (found, colon: string | undefined) => {
    const quoted = colon === undefined ? found : found.slice(0, -colon.length);
    const decoded = JSON.parse(quoted) as string;
    if (!decoded.includes(begin)) return found;
    const whole = colon === undefined ? filler.whole(decoded) : undefined;
    if (whole !== undefined) return jsonOf(whole);
    return JSON.stringify(filler.within(decoded)) + (colon ?? "");
  });
  return encoder.encode(filled);
}

function jsonOf(value: PlainValue): string {
  if (typeof value === "bigint") return value.toString();
  return JSON.stringify(value instanceof Uint8Array ? encodeBase64(value) : value);
}

function fillTree(value: Json, filler: Filler): CborWritable {
  if (typeof value === "string") return filler.whole(value) ?? filler.within(value);
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => fillTree(item, filler));
  return new Map(
    Object.entries(value).map(([name, item]): [string, CborWritable] => [filler.within(name), fillTree(item, filler)]),
  );
}
