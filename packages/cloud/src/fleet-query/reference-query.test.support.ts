import type { VirtualRandom } from "@thingline/transport/virtual";
import type { IndexedThing } from "./documents.js";

// Queries that are generated as trees, of which the answer is known before there is a text.

export interface ReferenceCase {
  readonly query: string;
  readonly document: IndexedThing;
  readonly expected: boolean;
}

type Node =
  | { type: "term"; text: string; matches: (document: IndexedThing) => boolean }
  | { type: "not"; of: Node; sign: string }
  | { type: "and" | "or" | "side"; of: Node[] };

const words = ["red", "Green", "BLUE", "rod", "reed"];
const numbers = [-3, 0, 1.5, 7, 42, 100];

export function* referenceCases(random: VirtualRandom, count: number): Generator<ReferenceCase> {
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random.fraction() * from.length)]!;
  const chance = (share: number) => random.fraction() < share;

  const document = (): IndexedThing => ({
    ...{ thingName: pick(words), thingId: "id", version: 1 },
    groups: words.filter(() => chance(0.3)).map((thingGroupName) => ({ thingGroupName, thingGroupId: "id" })),
    attributes: { ...(chance(0.8) && { color: pick(words) }), ...(chance(0.8) && { size: String(pick(numbers)) }) },
    ...(chance(0.8) && {
      shadow: {
        reported: { level: pick(numbers), note: `${pick(words)} ${pick(words)}`, list: [pick(numbers), pick(words)] },
        ...{ metadata: {}, hasDelta: chance(0.5), version: 1 },
      },
    }),
  });

  const reported = (one: IndexedThing, name: string) =>
    (one.shadow?.reported as Record<string, unknown> | undefined)?.[name];
  const texts: readonly [field: string, read: (one: IndexedThing) => string[]][] = [
    ["thingName", (one) => [one.thingName]],
    ["thingGroupNames", (one) => one.groups.map(({ thingGroupName }) => thingGroupName)],
    ["attributes.color", (one) => (one.attributes["color"] === undefined ? [] : [one.attributes["color"]])],
    ["shadow.reported.note", (one) => ((reported(one, "note") ?? "") as string).split(" ").filter(Boolean)],
  ];
  const measures: readonly [field: string, read: (one: IndexedThing) => number[]][] = [
    ["attributes.size", (one) => (one.attributes["size"] === undefined ? [] : [Number(one.attributes["size"])])],
    ["shadow.reported.level", (one) => (one.shadow === undefined ? [] : [reported(one, "level") as number])],
    [
      "shadow.reported.list",
      (one) => ((reported(one, "list") ?? []) as unknown[]).filter((value) => typeof value === "number"),
    ],
  ];

  const textTerm = (): Node => {
    const [field, read] = pick(texts);
    const word = pick(words);
    const kind = pick(["word", "prefix", "one", "all"]);
    const [text, pattern]: [string, RegExp] =
      kind === "word"
        ? [chance(0.3) ? `"${word}"` : word.toUpperCase(), new RegExp(`^${word}$`, "i")]
        : kind === "prefix"
          ? [`${word.slice(0, 2)}*`, new RegExp(`^${word.slice(0, 2)}`, "i")]
          : kind === "one"
            ? [`${word[0]}?${word.slice(2)}`, new RegExp(`^${word[0]}.${word.slice(2)}$`, "i")]
            : ["*", /^/];
    return { type: "term", text: `${field}:${text}`, matches: (one) => read(one).some((value) => pattern.test(value)) };
  };

  const numberTerm = (): Node => {
    const [field, read] = pick(measures);
    const [low, high] = [pick(numbers), pick(numbers)].toSorted((left, right) => left - right) as [number, number];
    const kind = pick(["range", "above", "below", "equal"]);
    if (kind === "range") {
      const [opening, closing] = [pick(["[", "{"]), pick(["]", "}"])];
      const fits = (value: number) =>
        (opening === "[" ? value >= low : value > low) && (closing === "]" ? value <= high : value < high);
      const text = `${field}:${opening}${low} TO ${high}${closing}`;
      return { type: "term", text, matches: (one) => read(one).some(fits) };
    }
    if (kind === "equal") {
      return { type: "term", text: `${field}:${low}`, matches: (one) => read(one).includes(low) };
    }
    const sign = kind === "above" ? pick([">", ">="]) : pick(["<", "<="]);
    const fits = (value: number) =>
      (sign.length === 2 && value === low) || (kind === "above" ? value > low : value < low);
    return { type: "term", text: `${field}${pick(["", " "])}${sign}${low}`, matches: (one) => read(one).some(fits) };
  };

  let termsLeft = 0;
  const tree = (depth: number): Node => {
    if (depth === 0 || termsLeft <= 2 || chance(0.2)) {
      termsLeft--;
      return chance(0.5) ? textTerm() : numberTerm();
    }
    if (chance(0.25)) return { type: "not", of: tree(depth - 1), sign: pick(["NOT ", "-", "!", "- "]) };
    const type = pick(["and", "or", "side"] as const);
    return { type, of: [tree(depth - 1), tree(depth - 1)] };
  };

  for (let at = 0; at < count; at++) {
    termsLeft = 8;
    const node = tree(3);
    const one = document();
    yield { query: write(node), document: one, expected: decide(node, one) };
  }
}

/** In brackets whatever a reader might take apart in another way: who stands in whom, by how closely each binds. */
const closeness = { side: 0, or: 1, and: 2, not: 3, term: 4 };

function write(node: Node): string {
  if (node.type === "term") return node.text;
  const inner = (child: Node) => (closeness[child.type] > closeness[node.type] ? write(child) : `(${write(child)})`);
  if (node.type === "not") return `${node.sign}${inner(node.of)}`;
  const sign = node.type === "side" ? " " : node.type === "or" ? " OR " : " AND ";
  return node.of.map(inner).join(sign);
}

function decide(node: Node, one: IndexedThing): boolean {
  if (node.type === "term") return node.matches(one);
  if (node.type === "not") return !decide(node.of, one);
  const answers = node.of.map((child) => decide(child, one));
  return node.type === "or" ? answers.includes(true) : !answers.includes(false);
}
