// What a template means, as plainly as it can be written down: it walks over the JSON itself, throws for whatever is wrong, and says
// neither where nor why. Templates are taken to be of the grammar; what only their values decide is decided here.

type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
type Members = { [name: string]: Json };

export interface ReferenceInput {
  /** Declared parameters and what the certificate gives. */
  values: ReadonlyMap<string, string>;
  mappings: { [map: string]: { [key: string]: { [name: string]: string } } };
}

class Refused extends Error {}

const refuse = (): never => {
  throw new Refused();
};

/** @returns undefined for what is refused */
export function referenceText(node: Json, input: ReferenceInput): string | undefined {
  try {
    const value = evaluate(node, input);
    return typeof value === "string" ? value : refuse();
  } catch (error) {
    if (error instanceof Refused) return undefined;
    throw error;
  }
}

/** @returns undefined for what is refused */
export function referenceDocument(node: Json, input: ReferenceInput): Json | undefined {
  try {
    return evaluate(node, input);
  } catch (error) {
    if (error instanceof Refused) return undefined;
    throw error;
  }
}

function evaluate(node: Json, input: ReferenceInput): Json {
  if (Array.isArray(node)) return node.map((item) => evaluate(item, input));
  if (typeof node !== "object" || node === null) return node;
  const [name = ""] = Object.keys(node);
  const argument = node[name] as Json;
  if (name === "Ref") return input.values.get(argument as string) ?? refuse();
  if (name === "Fn::Sub") return substitute(argument, input);
  if (!name.startsWith("Fn::")) {
    return Object.fromEntries(Object.entries(node).map(([member, value]) => [member, evaluate(value, input)]));
  }
  const given = (argument as Json[]).map((item) => evaluate(item, input));
  const [first, second, third] = given as [string, Json, string];
  if (name === "Fn::Join") {
    const items = second as (string | null)[];
    return items.includes(null) ? refuse() : items.join(first);
  }
  if (name === "Fn::Split") return first === "" ? refuse() : (second as string).split(first);
  if (name === "Fn::Select") {
    const index = String(first);
    return /^[0-9]{1,9}$/.test(index) ? ((second as (string | null)[])[Number(index)] ?? refuse()) : refuse();
  }
  const map = own(input.mappings, first);
  return own(own(map, second as string), third);
}

const own = <Value>(object: { [name: string]: Value }, name: string): Value =>
  Object.hasOwn(object, name) ? (object[name] as Value) : refuse();

function substitute(argument: Json, input: ReferenceInput): string {
  const [text, given] = (Array.isArray(argument) ? argument : [argument, {}]) as [string, Members];
  const values = new Map(input.values);
  for (const [name, value] of Object.entries(given)) values.set(name, evaluate(value, input) as string);
  return text.replaceAll(/\$\{([^}]*)\}/g, (_whole, name: string) =>
    name.startsWith("!") ? `\${${name.slice(1)}}` : (values.get(name.trim()) ?? refuse()),
  );
}
