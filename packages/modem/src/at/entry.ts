import { type AnswerCodec, nothing } from "./answers.js";
import type { LineCodec } from "./lines.js";

/** One form of one command: what it is given, and what its answer looks like. */
export interface CommandEntry<Values, Answer> {
  /** Of a set form. */
  readonly values?: LineCodec<Values>;
  readonly answer: AnswerCodec<Answer>;
}

/** A form without values: execute, read or test. */
export function ask<Answer>(answer: AnswerCodec<Answer>): CommandEntry<undefined, Answer> {
  return { answer };
}

/** A form that is answered with OK alone. */
export const act: CommandEntry<undefined, void> = { answer: nothing };

export function set<Values>(values: LineCodec<Values>): CommandEntry<Values, void> & { values: LineCodec<Values> };
export function set<Values, Answer>(
  values: LineCodec<Values>,
  answer: AnswerCodec<Answer>,
): CommandEntry<Values, Answer> & { values: LineCodec<Values> };
export function set<Values>(values: LineCodec<Values>, answer: AnswerCodec<unknown> = nothing): unknown {
  return { values, answer };
}
