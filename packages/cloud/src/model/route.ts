import { decodePercent, type Labels } from "@thingline/protocol/restjson";

/** Something that is found by method and path. */
export interface Routed {
  readonly method: string;
  /** `/things/{thingName}`, `{label+}` for a label that may hold slashes. */
  readonly path: string;
}

export interface RouteMatch<T extends Routed> {
  target: T;
  labels: Labels;
}

interface Node<T> {
  literals: Map<string, Node<T>>;
  label: Node<T> | undefined;
  /** Below a label that takes several segments. */
  greedy: Node<T> | undefined;
  /** What ends here, by its place in the list that the index was made of. */
  ends: { order: number; target: T; labels: readonly string[] }[];
}

const newNode = <T>(): Node<T> => ({ literals: new Map(), label: undefined, greedy: undefined, ends: [] });

interface Found<T extends Routed> extends RouteMatch<T> {
  order: number;
  labelCount: number;
}

/**
 * Finds targets by the segments of a path, without looking at the others. Literal segments come before labels:
 * `/thing-groups/addThingToThingGroup` is not a group of that name.
 */
export class RouteIndex<T extends Routed> {
  readonly #roots = new Map<string, Node<T>>();

  /** @throws {Error} for a path that is none */
  constructor(targets: readonly T[]) {
    targets.forEach((target, order) => this.#add(target, order));
  }

  /**
   * Every target at a path as it came over the wire, percent-encoding and all: `%2F` inside a label is a slash of the value, a bare
   * slash separates. Those with fewer labels come first, then those that were given first.
   */
  findAll(method: string, rawPath: string): RouteMatch<T>[] {
    const root = this.#roots.get(method);
    if (root === undefined || !rawPath.startsWith("/")) return [];
    const parts = decodeParts(rawPath);
    if (parts === undefined) return [];
    const found: Found<T>[] = [];
    walk(root, parts, 0, [], found);
    if (found.length > 1) found.sort((left, right) => left.labelCount - right.labelCount || left.order - right.order);
    return found.map(({ target, labels }) => ({ target, labels }));
  }

  /** Methods that exist at a path, for the answer to a wrong one. */
  methodsAt(rawPath: string): string[] {
    return [...this.#roots.keys()].filter((method) => this.findAll(method, rawPath).length > 0);
  }

  #add(target: T, order: number): void {
    const { method, path } = target;
    if (!path.startsWith("/")) throw new Error(`the path "${path}" does not begin with /`);
    let node = this.#roots.get(method);
    if (node === undefined) this.#roots.set(method, (node = newNode()));
    const labels: string[] = [];
    const end = { order, target, labels };
    const segments = path.slice(1).split("/");
    for (const [at, segment] of segments.entries()) {
      // Some models of AWS end a path with a slash and others of the same API do not: their clients send either.
      if (at > 0 && at === segments.length - 1 && segment === "") node.ends.push(end);
      const [, label, plus] = /^\{([A-Za-z0-9_]+)(\+?)\}$/.exec(segment) ?? [];
      if (label === undefined) node = childOf(node.literals, segment);
      else {
        labels.push(label);
        node = plus === "+" ? (node.greedy ??= newNode()) : (node.label ??= newNode());
      }
    }
    node.ends.push(end);
  }
}

/** Stops at the first that is not well encoded: each costs an exception, and a path can have thousands. */
function decodeParts(rawPath: string): string[] | undefined {
  const parts: string[] = [];
  for (const raw of rawPath.slice(1).split("/")) {
    const part = decodePercent(raw);
    if (part === undefined) return undefined;
    parts.push(part);
  }
  return parts;
}

function childOf<T>(nodes: Map<string, Node<T>>, literal: string): Node<T> {
  let node = nodes.get(literal);
  if (node === undefined) nodes.set(literal, (node = newNode()));
  return node;
}

/** An empty label would make one operation of another: GET /things/ is not DescribeThing. */
function walk<T extends Routed>(
  node: Node<T>,
  parts: readonly string[],
  at: number,
  values: readonly string[],
  found: Found<T>[],
): void {
  if (at === parts.length) {
    for (const { order, target, labels } of node.ends) {
      const named = Object.fromEntries(labels.map((label, index) => [label, values[index] ?? ""]));
      found.push({ order, target, labels: named, labelCount: labels.length });
    }
    return;
  }
  const part = parts[at] ?? "";
  const literal = node.literals.get(part);
  if (literal !== undefined) walk(literal, parts, at + 1, values, found);
  if (node.label !== undefined && part !== "") walk(node.label, parts, at + 1, [...values, part], found);
  if (node.greedy !== undefined) walkGreedy(node.greedy, parts, at, values, found);
}

/** A greedy label takes at least one segment, and leaves what the rest of its path needs. */
function walkGreedy<T extends Routed>(
  node: Node<T>,
  parts: readonly string[],
  at: number,
  values: readonly string[],
  found: Found<T>[],
): void {
  const hasRest = node.literals.size > 0 || node.label !== undefined;
  for (let end = hasRest ? at + 1 : parts.length; end <= parts.length; end++) {
    const value = parts.slice(at, end).join("/");
    if (value !== "") walk(node, parts, end, [...values, value], found);
  }
}
