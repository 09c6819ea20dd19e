import { parseInformation } from "@thingline/protocol/at";
import type { Domain } from "./domain.js";
import type { LineCodec } from "./lines.js";

/** The information lines of one answer, without its final result. */
export interface AnswerCodec<Value> {
  /**
   * @param name Of the command, which the lines begin with.
   * @returns undefined when the answer is another; lines of other names between them do not count.
   */
  parse(name: string, lines: readonly string[]): { value: Value } | undefined;
  format(name: string, value: Value): string[];
  readonly domain: Domain;
}

/** OK alone. */
export const nothing: AnswerCodec<void> = {
  parse: () => ({ value: undefined }),
  format: () => [],
  domain: { type: "nothing" },
};

/** `NAME: ` and values. */
export function one<Value>(line: LineCodec<Value>): AnswerCodec<Value> {
  return {
    parse: (name, lines) => {
      const [text] = textsOf(name, lines);
      const value = text === undefined ? undefined : line.parse(text, true);
      return value === undefined ? undefined : { value };
    },
    format: (name, value) => [formatLine(name, line, value)],
    domain: line.domain,
  };
}

/** As {@link one}; undefined when there is OK alone. */
export function oneOrNone<Value>(line: LineCodec<Value>): AnswerCodec<Value | undefined> {
  const some = one(line);
  return {
    parse: (name, lines) => (lines.length === 0 ? { value: undefined } : some.parse(name, lines)),
    format: (name, value) => (value === undefined ? [] : some.format(name, value)),
    domain: { type: "optional", of: line.domain },
  };
}

/** Any number of lines of one kind. */
export function many<Value>(line: LineCodec<Value>, lengthMax = 128): AnswerCodec<Value[]> {
  return {
    parse: (name, lines) => {
      const values: Value[] = [];
      for (const text of textsOf(name, lines)) {
        const value = line.parse(text, true);
        if (value === undefined) return undefined;
        values.push(value);
      }
      // Lines, and none of this name: another answer.
      return values.length === 0 && lines.length > 0 ? undefined : { value: values };
    },
    format: (name, values) => values.map((value) => formatLine(name, line, value)),
    domain: { type: "list", of: line.domain, lengthMax },
  };
}

/** One line without a name: `352656100367872`. */
export function bareLine(pattern: RegExp): AnswerCodec<string> {
  return {
    parse: (_, lines) => {
      const value = lines.map((line) => line.trim()).find((line) => pattern.test(line));
      return value === undefined ? undefined : { value };
    },
    format: (_, value) => [value],
    domain: { type: "text", pattern },
  };
}

/** Any number of lines without a name. */
export function bareLines(pattern: RegExp, lengthMax = 512): AnswerCodec<string[]> {
  return {
    parse: (_, lines) => {
      const values = lines.map((line) => line.trim());
      return values.every((value) => pattern.test(value)) ? { value: values } : undefined;
    },
    format: (_, values) => [...values],
    domain: { type: "list", of: { type: "text", pattern }, lengthMax },
  };
}

/** Whatever comes: the answer of another command. */
export const anyLines: AnswerCodec<readonly string[]> = {
  parse: (_, lines) => ({ value: lines }),
  format: (_, lines) => [...lines],
  domain: { type: "list", of: { type: "text", pattern: /^[A-Za-z0-9:, ]{1,20}$/ }, lengthMax: 128 },
};

function formatLine<Value>(name: string, line: LineCodec<Value>, value: Value): string {
  return `${name}: ${line.format(value)}`;
}

function textsOf(name: string, lines: readonly string[]): string[] {
  return lines.flatMap((line) => {
    const information = parseInformation(line);
    return information?.name === name ? [information.text] : [];
  });
}
