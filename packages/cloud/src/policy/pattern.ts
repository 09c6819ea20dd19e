import { ThinglineError } from "@thingline/protocol";

/** One piece of a policy string: text, `*`, `?`, or a policy variable such as `${iot:ClientId}`. */
export type TemplateToken =
  | { type: "text"; text: string }
  | { type: "anyRun" }
  | { type: "anyOne" }
  | { type: "variable"; name: string; fallback: string | undefined };

/** A policy string, taken apart once. `source` is the text as it stands in the document. */
export interface Template {
  source: string;
  tokens: readonly TemplateToken[];
  hasVariables: boolean;
}

/** What a language version gives meaning to. Without variables `${...}` is plain text. */
export interface TemplateOptions {
  hasWildcards: boolean;
  hasVariables: boolean;
}

const literalEscapes: ReadonlyMap<string, string> = new Map([
  ["*", "*"],
  ["?", "?"],
  ["$", "$"],
]);

/**
 * Takes a policy string apart. `${*}`, `${?}` and `${$}` stand for the character itself; `${name, 'default'}` has a default.
 * MQTT's `+` and `#` mean nothing here: they are text.
 *
 * @throws {ThinglineError} POLICY_MALFORMED when a variable is empty or not closed.
 */
export function parseTemplate(source: string, { hasWildcards, hasVariables }: TemplateOptions): Template {
  const tokens: TemplateToken[] = [];
  let text = "";
  const push = (token: TemplateToken) => {
    if (text !== "") tokens.push({ type: "text", text });
    text = "";
    tokens.push(token);
  };
  let foundVariables = false;
  for (let at = 0; at < source.length; at++) {
    const character = source.charAt(at);
    if (hasVariables && character === "$" && source.charAt(at + 1) === "{") {
      const end = source.indexOf("}", at);
      if (end < 0) throw malformed(source, "has a variable without its closing }");
      const inner = source.slice(at + 2, end);
      const escaped = literalEscapes.get(inner);
      if (escaped === undefined) {
        push(parseVariable(source, inner));
        foundVariables = true;
      } else {
        text += escaped;
      }
      at = end;
    } else if (hasWildcards && character === "*") push({ type: "anyRun" });
    else if (hasWildcards && character === "?") push({ type: "anyOne" });
    else text += character;
  }
  if (text !== "") tokens.push({ type: "text", text });
  return { source, tokens, hasVariables: foundVariables };
}

function parseVariable(source: string, inner: string): TemplateToken {
  const comma = inner.indexOf(",");
  const name = (comma < 0 ? inner : inner.slice(0, comma)).trim();
  if (name === "") throw malformed(source, "has a variable without a name");
  if (comma < 0) return { type: "variable", name, fallback: undefined };
  const quoted = inner.slice(comma + 1).trim();
  if (quoted.length < 2 || !quoted.startsWith("'") || !quoted.endsWith("'"))
    throw malformed(source, `has a default for ${name} that is not in single quotes`);
  return { type: "variable", name, fallback: quoted.slice(1, -1) };
}

function malformed(source: string, reason: string): ThinglineError {
  return new ThinglineError("POLICY_MALFORMED", `"${source}" ${reason}`, { details: { reason } });
}

/** A template with every variable filled in, ready to match. Substituted values are text, whatever they contain. */
export interface Pattern {
  /** For people: the text with the variables filled in. */
  text: string;
  matches(candidate: string): boolean;
}

/** A filled-in template, or the name of the first variable that has no value. */
export type BoundTemplate = { pattern: Pattern } | { unresolvedVariable: string };

/** Fills in the variables. A variable without value and without default leaves the template without meaning. */
export function bindTemplate(template: Template, resolve: (name: string) => string | undefined): BoundTemplate {
  const tokens: TemplateToken[] = [];
  for (const token of template.tokens) {
    if (token.type !== "variable") {
      tokens.push(token);
      continue;
    }
    const value = resolve(token.name) ?? token.fallback;
    if (value === undefined) return { unresolvedVariable: token.name };
    tokens.push({ type: "text", text: value });
  }
  return { pattern: createPattern(tokens) };
}

/** A run of text and `?` between two `*`. `null` stands for `?`. */
type Chunk = { plain: string } | { parts: readonly (string | null)[] };

function createPattern(tokens: readonly TemplateToken[]): Pattern {
  const groups: (string | null)[][] = [[]];
  let text = "";
  for (const token of tokens) {
    const group = groups[groups.length - 1] as (string | null)[];
    if (token.type === "anyRun") {
      groups.push([]);
      text += "*";
    } else if (token.type === "anyOne") {
      group.push(null);
      text += "?";
    } else if (token.type === "text") {
      const last = group[group.length - 1];
      if (typeof last === "string") group[group.length - 1] = last + token.text;
      else group.push(token.text);
      text += token.text;
    }
  }
  const chunks = groups.map<Chunk>((parts) =>
    parts.includes(null) ? { parts } : { plain: (parts[0] as string | undefined) ?? "" },
  );
  if (chunks.length === 1) {
    const only = chunks[0] as Chunk;
    return { text, matches: (candidate) => matchAt(only, candidate, 0) === candidate.length };
  }
  if (chunks.every((chunk) => "plain" in chunk && chunk.plain === "")) return { text, matches: () => true };
  return { text, matches: (candidate) => matchesChunks(chunks, candidate) };
}

/**
 * First chunk at the start, last chunk at the end, the others each at the first place where they fit. Never goes back,
 * so the work is bounded by text length times pattern length, whatever an author writes.
 */
function matchesChunks(chunks: readonly Chunk[], text: string): boolean {
  let at = matchAt(chunks[0] as Chunk, text, 0);
  for (let index = 1; at >= 0 && index < chunks.length - 1; index++) at = findFrom(chunks[index] as Chunk, text, at);
  return at >= 0 && endsWithChunk(chunks[chunks.length - 1] as Chunk, text, at);
}

/** Where the chunk ends when it begins at `at`, or -1. */
function matchAt(chunk: Chunk, text: string, at: number): number {
  if ("plain" in chunk) return text.startsWith(chunk.plain, at) ? at + chunk.plain.length : -1;
  for (const part of chunk.parts) {
    if (part === null) {
      if (at >= text.length) return -1;
      at += characterLength(text, at);
    } else {
      if (!text.startsWith(part, at)) return -1;
      at += part.length;
    }
  }
  return at;
}

function findFrom(chunk: Chunk, text: string, from: number): number {
  if ("plain" in chunk) {
    const start = text.indexOf(chunk.plain, from);
    return start < 0 ? -1 : start + chunk.plain.length;
  }
  for (let start = from; start <= text.length; start += characterLength(text, start)) {
    const end = matchAt(chunk, text, start);
    if (end >= 0) return end;
  }
  return -1;
}

function endsWithChunk(chunk: Chunk, text: string, from: number): boolean {
  if ("plain" in chunk) return text.length - chunk.plain.length >= from && text.endsWith(chunk.plain);
  for (let start = from; start <= text.length; start += characterLength(text, start))
    if (matchAt(chunk, text, start) === text.length) return true;
  return false;
}

/** `?` is one character, and a character beyond U+FFFF is two code units. At the end: 1, so that loops end. */
function characterLength(text: string, at: number): number {
  return (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
}

/** How many characters at the start of `text` agree with the fixed beginning of the pattern: for "nearest miss". */
export function commonPrefixLength(pattern: string, text: string): number {
  let length = 0;
  while (length < pattern.length && length < text.length && pattern[length] === text[length]) length++;
  return length;
}
