// Wrong inputs, made from the model: each breaks one rule of one member. A seed gives a sample of them.
import type { ModelOperation } from "./model.js";
import { sampleStructure, sampleText, sampleValue } from "./samples.test.support.js";
import type { ListShape, MapShape, Member, PlainShape, Shape } from "./shapes.js";

/** Distinct by operation, path and violation. */
export interface Variant {
  operation: ModelOperation;
  /** `attributePayload.attributes.value`, `tags.member.Key` */
  path: string;
  /** `too long by 1`, `no match for U+0020` */
  violation: string;
  input: Record<string, unknown>;
}

/** Replaces one value deep in an input; undefined takes it away. */
type Put = (value: unknown) => Record<string, unknown>;

interface Place {
  path: string;
  put: Put;
  /** Where the value travels decides what can be wrong with it: a text is never of the wrong type. */
  isText: boolean;
  /** A label that is empty is another path. */
  isLabel: boolean;
}

/** Every variant of an operation but those of page tokens, which only a service can tell from good ones. */
export function* variantsOf(operation: ModelOperation): Generator<Variant> {
  for (const member of operation.input.members.values()) {
    const place: Place = {
      path: member.name,
      put: (value) => ({ ...sampleStructure(operation.input, false), [member.name]: value }),
      isText: member.place !== undefined,
      isLabel: member.place === "label",
    };
    // Bytes are never wrong: what they hold is for the service to say.
    if (operation.input.payload === member.name && member.shape.type === "blob") continue;
    for (const { path, violation, input } of memberVariants(member, place)) yield { operation, path, violation, input };
  }
}

type Found = Omit<Variant, "operation">;

function* memberVariants(member: Member, place: Place): Generator<Found> {
  if (member.isRequired && !place.isLabel) {
    yield found(place, "missing", undefined);
    if (!place.isText) yield found(place, "null", null);
  }
  yield* shapeVariants(member.shape, place);
}

const found = ({ path, put }: Place, violation: string, value: unknown): Found => ({
  path,
  violation,
  input: put(value),
});

function* shapeVariants(shape: Shape, place: Place): Generator<Found> {
  switch (shape.type) {
    case "structure": {
      yield* wrongTypes(place, ["text", 7, true, ["a"]]);
      for (const member of shape.members.values()) {
        const inner = (value: unknown) => place.put({ ...sampleStructure(shape, false), [member.name]: value });
        yield* memberVariants(member, { ...place, path: `${place.path}.${member.name}`, put: inner });
      }
      return;
    }
    case "list":
      yield* listVariants(shape, place);
      return;
    case "map":
      yield* mapVariants(shape, place);
      return;
    case "string":
      yield* textVariants(shape, place);
      return;
    default:
      yield* scalarVariants(shape, place);
  }
}

function* wrongTypes(place: Place, values: readonly unknown[]): Generator<Found> {
  if (place.isText) return;
  for (const value of values) yield found(place, `wrong type: ${JSON.stringify(value)}`, value);
}

function* listVariants(shape: ListShape, place: Place): Generator<Found> {
  yield* wrongTypes(place, ["text", 7, true, { a: 1 }]);
  const item = sampleValue(shape.of, false);
  if (shape.max !== undefined) yield found(place, "too many", new Array(shape.max + 1).fill(item));
  if (shape.min !== undefined && shape.min > 0 && !place.isText) {
    yield found(place, "too few", new Array(shape.min - 1).fill(item));
  }
  if (!place.isText) yield found({ ...place, path: `${place.path}.member` }, "null", [null]);
  const put = (value: unknown) => place.put([item, value]);
  yield* shapeVariants(shape.of, { ...place, path: `${place.path}.member`, put });
}

function* mapVariants(shape: MapShape, place: Place): Generator<Found> {
  const key = shape.key as PlainShape;
  const name = sampleText(key);
  const item = sampleValue(shape.of, false);
  yield* wrongTypes(place, ["text", 7, true, ["a"]]);
  yield found({ ...place, path: `${place.path}.value` }, "null", { [name]: null });
  for (const { violation, value } of brokenTexts(key, place)) {
    yield found({ ...place, path: `${place.path}.key` }, violation, { [value]: item });
  }
  const put = (value: unknown) => place.put({ [name]: value });
  yield* shapeVariants(shape.of, { ...place, path: `${place.path}.value`, put });
}

function* textVariants(shape: PlainShape, place: Place): Generator<Found> {
  yield* wrongTypes(place, [7, 1.5, true, false, ["a"], [], { a: 1 }, {}]);
  // UTF-8, and so a path or a query, has no half characters.
  if (!place.isText) yield found(place, "half a character", `${sampleText(shape)}\ud800`);
  for (const { violation, value } of brokenTexts(shape, place)) yield found(place, violation, value);
}

/** Characters that patterns of names leave out, each for itself: control characters, marks, letters beyond ASCII. */
const strangers = [
  ...Array.from({ length: 128 }, (_, code) => String.fromCharCode(code)).filter((text) => !/[A-Za-z0-9]/.test(text)),
  ...["é", "ß", "Ж", "中", "\u0301", "\u00a0", "\u200b", "\u202e", "\u2028", "\ufeff", "😀", "\u{10ffff}"],
];

function* brokenTexts(shape: PlainShape, { isLabel }: Place): Generator<{ violation: string; value: string }> {
  const { min = 0, max, pattern, values } = shape;
  if (values !== undefined) {
    const first = values[0] ?? "";
    for (const value of [
      first.toLowerCase(),
      `${first} `,
      ` ${first}`,
      `${first}X`,
      "NONE",
      "",
      "é",
      values.join(","),
    ]) {
      if (!values.includes(value) && !(isLabel && value === ""))
        yield { violation: `not of the set: ${JSON.stringify(value)}`, value };
    }
    return;
  }
  const good = sampleText(shape);
  if (max !== undefined) {
    for (const more of [1, 2, 100, max]) {
      yield { violation: `too long by ${more}`, value: good + good.slice(-1).repeat(max + more - good.length) };
    }
  }
  for (const length of new Set([0, min - 1, Math.floor(min / 2)])) {
    if (length >= 0 && length < min && !(isLabel && length === 0)) {
      yield { violation: `of ${length} characters`, value: good.slice(0, length) };
    }
  }
  if (pattern === undefined) return;
  if (min === 0 && !pattern.test("") && !isLabel) yield { violation: "empty", value: "" };
  for (const character of strangers) {
    const code = `U+${character.codePointAt(0)!.toString(16).padStart(4, "0")}`;
    const value = good.length > character.length ? character + good.slice(character.length) : character;
    if (!pattern.test(value)) yield { violation: `no match for ${code}`, value };
  }
}

function* scalarVariants({ type, min, max }: PlainShape, place: Place): Generator<Found> {
  const isNumber = type === "integer" || type === "long" || type === "double" || type === "float";
  if (isNumber && min !== undefined) {
    for (const less of [1, 2, 1_000]) yield found(place, `below by ${less}`, min - less);
  }
  if (isNumber && max !== undefined) {
    for (const more of [1, 2, 1_000]) yield found(place, `above by ${more}`, max + more);
  }
  const words = ["", " ", "many", "1 ", " 1", "+1", "0x10", "1e3", "1,0", "١", "null", "NaN", "Infinity"];
  const numbers = ["1.5", "99999999999999999999"];
  switch (type) {
    case "integer":
    case "long":
      for (const text of [...words, ...numbers]) {
        if (place.isLabel && text === "") continue;
        yield found(place, `no number: ${JSON.stringify(text)}`, text);
      }
      yield* wrongTypes(place, [1.5, 1e300, true, ["1"], { a: 1 }]);
      if (type === "integer") yield found(place, "beyond 32 bits", 2 ** 31);
      return;
    case "boolean":
      for (const text of ["", "yes", "no", "1", "0", "True", " true", "on", "null"]) {
        yield found(place, `no boolean: ${JSON.stringify(text)}`, text);
      }
      yield* wrongTypes(place, [1, 0, ["true"], { a: 1 }]);
      return;
    case "timestamp":
      for (const text of ["", "noon", "2026-13-01T00:00:00Z", "tomorrow"])
        yield found(place, `no time: ${JSON.stringify(text)}`, text);
      yield* wrongTypes(place, [true, ["a"]]);
      return;
    default:
      yield* wrongTypes(place, [true, ["a"], { a: 1 }]);
  }
}
