import type { DocumentExpression, ListExpression, TextExpression } from "./expression.js";
import { refusal, show } from "./refusal.js";
import type { ProvisioningTemplate } from "./template.js";

/**
 * What all functions of one template may produce together. A template of 10,240 characters could ask for more than any memory holds, as
 * each level of functions may take its own result several times.
 */
export const resolvedCharactersMax = 262_144;

/** Evaluates expressions with the values of parameters. Refusals are PROVISIONING_TEMPLATE_INVALID and name the path. */
export class Evaluator {
  readonly #mappings: ProvisioningTemplate["mappings"];
  readonly #parameters: ReadonlyMap<string, string>;
  #charactersLeft = resolvedCharactersMax;

  constructor({
    mappings,
    parameters,
  }: Pick<ProvisioningTemplate, "mappings"> & { parameters: ReadonlyMap<string, string> }) {
    this.#mappings = mappings;
    this.#parameters = parameters;
  }

  text(expression: TextExpression): string {
    if (typeof expression === "string") return expression;
    const { path } = expression;
    switch (expression.type) {
      case "ref":
        return this.#spent(path, this.#parameter(path, expression.name));
      case "join": {
        const delimiter = this.text(expression.delimiter);
        return this.#joined(path, this.#texts(expression.items), delimiter);
      }
      case "select":
        return this.#selected(path, this.text(expression.index), this.list(expression.items));
      case "findInMap": {
        const [first, second] = expression.keys;
        return this.#spent(path, this.#inMap(path, this.text(expression.map), this.text(first), this.text(second)));
      }
      case "sub": {
        const { parts, variables } = expression;
        const values = new Map<string, string>();
        for (const [name, value] of variables) values.set(name, this.text(value));
        const texts = parts.map((part) =>
          typeof part === "string" ? part : (values.get(part.name) ?? this.#parameter(path, part.name)),
        );
        return this.#joined(path, texts, "");
      }
    }
  }

  list(expression: ListExpression): readonly (string | null)[] {
    if (expression.type === "list") return expression.items.map((item) => (item === null ? null : this.text(item)));
    const { path } = expression;
    const delimiter = this.text(expression.delimiter);
    if (delimiter === "") throw refusal(path, "the delimiter is empty");
    return this.#spent(path, this.text(expression.text)).split(delimiter);
  }

  /** A list none of whose elements is `null`. */
  texts(expression: ListExpression): readonly string[] {
    return this.#texts(expression);
  }

  document(expression: DocumentExpression): unknown {
    switch (expression.type) {
      case "value":
        return expression.value;
      case "text":
        return this.text(expression.text);
      case "texts":
        return this.texts(expression.texts);
      case "array":
        return expression.items.map((item) => this.document(item));
      case "object":
        // Not an object that is filled: `__proto__` may be the name of a member.
        return Object.fromEntries(expression.members.map(([name, value]) => [name, this.document(value)]));
    }
  }

  #texts(expression: ListExpression): readonly string[] {
    return this.list(expression).map((item, at) => {
      if (item === null) throw refusal(`${expression.path}[${at}]`, "is null");
      return item;
    });
  }

  #parameter(path: string, name: string): string {
    const value = this.#parameters.get(name);
    if (value === undefined) throw unresolved(path, name);
    return value;
  }

  #selected(path: string, index: string, items: readonly (string | null)[]): string {
    if (!/^\d{1,9}$/.test(index)) throw refusal(path, `the index must be a number from 0, got ${show(index)}`);
    const item = items[Number(index)];
    if (item === undefined) throw refusal(path, `index ${index} is out of range: the list has ${items.length}`);
    if (item === null) throw refusal(path, `element ${index} is null`);
    return item;
  }

  #inMap(path: string, map: string, first: string, second: string): string {
    const keys = this.#mappings.get(map);
    if (keys === undefined) throw refusal(path, `${show(map)} is not a map of Mappings`);
    const names = keys.get(first);
    if (names === undefined) throw refusal(path, `map ${map} has no key ${show(first)}`);
    const value = names.get(second);
    if (value === undefined) throw refusal(path, `key ${first} of map ${map} has no name ${show(second)}`);
    return value;
  }

  /** Counted before it is made. */
  #joined(path: string, texts: readonly string[], delimiter: string): string {
    let characters = delimiter.length * Math.max(0, texts.length - 1);
    for (const text of texts) characters += text.length;
    this.#spend(path, characters);
    return texts.join(delimiter);
  }

  #spent(path: string, text: string): string {
    this.#spend(path, text.length);
    return text;
  }

  #spend(path: string, characters: number): void {
    this.#charactersLeft -= characters;
    if (this.#charactersLeft >= 0) return;
    throw refusal(path, `the template resolves to more than ${resolvedCharactersMax} characters`);
  }
}

/** In AWS's words. */
export function unresolved(path: string, name: string) {
  return refusal(path, `Cannot resolve reference value: ${name}`);
}
