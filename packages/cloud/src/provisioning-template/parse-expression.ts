import type { DocumentExpression, ListExpression, SubPart, TextExpression } from "./expression.js";
import { checkMembers, memberPath, objectAt, refusal, show, stringAt } from "./refusal.js";
import { templateDepthMax } from "./template.js";

/** What an expression may name. */
export interface ExpressionNames {
  isParameter(name: string): boolean;
  /** A map that is named by a text must be there. */
  isMap(name: string): boolean;
}

const textFunctions = ["Ref", "Fn::Join", "Fn::Select", "Fn::FindInMap", "Fn::Sub"] as const;
const listFunctions = ["Fn::Split"] as const;
const functionNames = [...textFunctions, ...listFunctions].join(", ");

type FunctionName = (typeof textFunctions)[number] | (typeof listFunctions)[number];

/** Reads texts, lists and documents of a template. Refusals are PROVISIONING_TEMPLATE_INVALID and name the path. */
export class ExpressionParser {
  readonly #names: ExpressionNames;

  constructor(names: ExpressionNames) {
    this.#names = names;
  }

  text(path: string, value: unknown, depth = 0): TextExpression {
    if (typeof value === "string") return value;
    requireDepth(path, depth);
    const call = functionAt(path, value);
    if (call === undefined) throw refusal(path, `must be a string or a function, got ${show(value)}`);
    const at = memberPath(path, call.name);
    switch (call.name) {
      case "Ref":
        return this.#ref(at, call.argument);
      case "Fn::Join": {
        const [delimiter, items] = argumentsAt(at, call.argument, ["delimiter", "list"]);
        return {
          ...{ type: "join", path: at },
          delimiter: this.text(`${at}[0]`, delimiter, depth + 1),
          items: this.list(`${at}[1]`, items, depth + 1),
        };
      }
      case "Fn::Select": {
        const [index, items] = argumentsAt(at, call.argument, ["index", "list"]);
        return {
          ...{ type: "select", path: at },
          index: this.#index(`${at}[0]`, index, depth + 1),
          items: this.list(`${at}[1]`, items, depth + 1),
        };
      }
      case "Fn::FindInMap":
        return this.#findInMap(at, call.argument, depth);
      case "Fn::Sub":
        return this.#sub(at, call.argument, depth);
      case "Fn::Split":
        throw refusal(at, "gives a list where a string is needed; Fn::Select or Fn::Join makes one of it");
    }
  }

  list(path: string, value: unknown, depth = 0): ListExpression {
    requireDepth(path, depth);
    if (Array.isArray(value)) {
      const items = value.map((item: unknown, at) =>
        item === null ? null : this.text(`${path}[${at}]`, item, depth + 1),
      );
      return { type: "list", path, items };
    }
    const call = functionAt(path, value);
    if (call === undefined) throw refusal(path, `must be an array or Fn::Split, got ${show(value)}`);
    const at = memberPath(path, call.name);
    if (call.name !== "Fn::Split")
      throw refusal(at, "gives a string where a list is needed; Fn::Split makes one of it");
    const [delimiter, text] = argumentsAt(at, call.argument, ["delimiter", "string"]);
    if (delimiter === "") throw refusal(`${at}[0]`, "must not be empty");
    return {
      ...{ type: "split", path: at },
      delimiter: this.text(`${at}[0]`, delimiter, depth + 1),
      text: this.text(`${at}[1]`, text, depth + 1),
    };
  }

  /** Any JSON. An object with the name of a function is that function. */
  document(path: string, value: unknown, depth = 0): DocumentExpression {
    requireDepth(path, depth);
    if (typeof value === "string") return { type: "text", text: value };
    if (value === null || typeof value === "boolean" || typeof value === "number") return { type: "value", value };
    if (Array.isArray(value)) {
      const items = value.map((item: unknown, at) => this.document(`${path}[${at}]`, item, depth + 1));
      return { type: "array", items };
    }
    const call = functionAt(path, value);
    if (call?.name === "Fn::Split") return { type: "texts", texts: this.list(path, value, depth) };
    if (call !== undefined) return { type: "text", text: this.text(path, value, depth) };
    const members = Object.entries(objectAt(path, value)).map(
      ([name, member]) => [name, this.document(memberPath(path, name), member, depth + 1)] as const,
    );
    return { type: "object", members };
  }

  #ref(path: string, argument: unknown): TextExpression {
    const name = stringAt(path, argument);
    this.#requireParameter(path, name);
    return { type: "ref", path, name };
  }

  #requireParameter(path: string, name: string, hint = ""): void {
    if (!this.#names.isParameter(name)) throw refusal(path, `${show(name)} is not a declared parameter${hint}`);
  }

  /** A number or its digits, or what gives them. */
  #index(path: string, value: unknown, depth: number): TextExpression {
    if (typeof value === "number") {
      if (!Number.isSafeInteger(value) || value < 0) throw refusal(path, `must be an index from 0, got ${value}`);
      return String(value);
    }
    return this.text(path, value, depth);
  }

  #findInMap(path: string, argument: unknown, depth: number): TextExpression {
    const [map, first, second] = argumentsAt(path, argument, ["map", "key", "second key"]);
    const name = this.text(`${path}[0]`, map, depth + 1);
    if (typeof name === "string" && !this.#names.isMap(name)) {
      throw refusal(`${path}[0]`, `${show(name)} is not a map of Mappings`);
    }
    const keys = [this.text(`${path}[1]`, first, depth + 1), this.text(`${path}[2]`, second, depth + 1)] as const;
    return { type: "findInMap", path, map: name, keys };
  }

  #sub(path: string, argument: unknown, depth: number): TextExpression {
    if (typeof argument === "string") return this.#subText(path, path, argument, new Map());
    const [text, given] = argumentsAt(path, argument, ["string", "variables"]);
    const variables = new Map<string, TextExpression>();
    for (const [name, value] of Object.entries(objectAt(`${path}[1]`, given))) {
      variables.set(name, this.text(memberPath(`${path}[1]`, name), value, depth + 1));
    }
    return this.#subText(path, `${path}[0]`, stringAt(`${path}[0]`, text), variables);
  }

  #subText(
    path: string,
    textPath: string,
    text: string,
    variables: ReadonlyMap<string, TextExpression>,
  ): TextExpression {
    const parts = partsOf(textPath, text);
    const hint = "; write ${!...} for what is to stay as it is";
    for (const part of parts) {
      if (typeof part !== "string" && !variables.has(part.name)) this.#requireParameter(textPath, part.name, hint);
    }
    return { type: "sub", path, parts, variables };
  }
}

function requireDepth(path: string, depth: number): void {
  if (depth > templateDepthMax) throw refusal(path, `is nested deeper than ${templateDepthMax} levels`);
}

/** The function that an object calls; undefined for anything else. @throws {ThinglineError} PROVISIONING_TEMPLATE_INVALID */
export function functionAt(path: string, value: unknown): { name: FunctionName; argument: unknown } | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const entries = Object.entries(value as Record<string, unknown>);
  const entry = entries.find(([name]) => name === "Ref" || name.startsWith("Fn:"));
  if (entry === undefined) return undefined;
  const [name, argument] = entry;
  if (!isFunctionName(name)) throw refusal(memberPath(path, name), `is not a function; there are ${functionNames}`);
  if (entries.length > 1)
    checkMembers(path, value as Record<string, unknown>, [name], "cannot stand beside a function");
  return { name, argument };
}

function isFunctionName(name: string): name is FunctionName {
  return ([...textFunctions, ...listFunctions] as readonly string[]).includes(name);
}

function argumentsAt(path: string, value: unknown, names: readonly string[]): readonly unknown[] {
  if (Array.isArray(value) && value.length === names.length) return value;
  const got = Array.isArray(value) ? `an array of ${value.length}` : show(value);
  throw refusal(path, `must be an array of ${names.length}: [${names.join(", ")}], got ${got}`);
}

/** `a${b}c` is text, name, text; `${!b}` is the text `${b}`. */
function partsOf(path: string, text: string): SubPart[] {
  const parts: SubPart[] = [];
  let at = 0;
  while (at < text.length) {
    const start = text.indexOf("${", at);
    if (start < 0) break;
    const end = text.indexOf("}", start);
    if (end < 0) throw refusal(path, `"\${" at character ${start} is not closed`);
    const name = text.slice(start + 2, end);
    if (start > at) parts.push(text.slice(at, start));
    if (name.startsWith("!")) parts.push(`\${${name.slice(1)}}`);
    else if (name.trim() === "") throw refusal(path, `"\${}" at character ${start} names nothing`);
    else parts.push({ name: name.trim() });
    at = end + 1;
  }
  if (at < text.length) parts.push(text.slice(at));
  return parts;
}
