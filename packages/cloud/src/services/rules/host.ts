import { ThinglineError } from "@thingline/protocol";
import type { Clock, Random } from "@thingline/transport";
import type { Hash } from "../../hashes.js";
import {
  ExternalNeeded,
  writeJson,
  type ExternalCall,
  type MessageHost,
  type RuleMessage,
  type SqlValue,
} from "../../rules-sql/index.js";
import type { StatementGuard } from "../../statement-guard.js";
import type { RuleRecord } from "./model.js";

/** Calls out of one statement and its templates. */
export const externalCallsMax = 16;

export interface HostDependencies {
  clock: Clock;
  random: Random;
  hash: Hash;
  /** For a rule with regular expressions. */
  guard: StatementGuard | undefined;
  /** Makes a call. @throws {ThinglineError} */
  callOut: (call: ExternalCall) => Promise<SqlValue>;
}

/**
 * What a rule sees while it works on one message. A statement that calls out is begun again when the answer is there, and has to see the same
 * chance and the same answers then.
 */
export class RuleHost implements MessageHost {
  readonly message: RuleMessage;
  readonly accountId: string;
  readonly sqlVersion: MessageHost["sqlVersion"];
  readonly hash: MessageHost["hash"];
  readonly #deps: HostDependencies;
  /** Works within its time, or as long as it takes. */
  readonly #guarded: StatementGuard;
  readonly #answers = new Map<string, { value: SqlValue } | { error: ThinglineError }>();
  /** Of the work that runs now. Several take turns: each has drawn its own. */
  #drawn: (string | number)[] = [];
  #at = 0;

  constructor(deps: HostDependencies, message: RuleMessage, accountId: string, { awsIotSqlVersion }: RuleRecord) {
    this.#deps = deps;
    this.#guarded = deps.guard ?? ((work) => work());
    this.message = message;
    this.accountId = accountId;
    this.sqlVersion = awsIotSqlVersion;
    this.hash = deps.hash;
  }

  newUuid(): string {
    return this.#draw(() => this.#deps.random.uuid()) as string;
  }

  random(): number {
    return this.#draw(() => this.#deps.random.fraction()) as number;
  }

  /** What was drawn at this place before, or something new. */
  #draw(make: () => string | number): string | number {
    return (this.#drawn[this.#at++] ??= make());
  }

  external(call: ExternalCall): SqlValue {
    const answer = this.#answers.get(keyOf(call));
    if (answer === undefined) throw new ExternalNeeded(call);
    if ("error" in answer) throw answer.error;
    return answer.value;
  }

  /** Works something out, and again whenever a call out has been answered. @throws {ThinglineError} RULE_SQL_FAILED */
  async until<T>(work: () => T): Promise<T> {
    const drawn: (string | number)[] = [];
    for (;;) {
      [this.#drawn, this.#at] = [drawn, 0];
      try {
        return this.#guarded(work);
      } catch (error) {
        if (!(error instanceof ExternalNeeded)) throw error;
        await this.#answer(error.call);
      }
    }
  }

  async #answer(call: ExternalCall): Promise<void> {
    const key = keyOf(call);
    if (this.#answers.size >= externalCallsMax) {
      this.#answers.set(key, { error: failed(call, `a rule makes at most ${externalCallsMax} calls for a message`) });
      return;
    }
    try {
      this.#answers.set(key, { value: await this.#deps.callOut(call) });
    } catch (error) {
      this.#answers.set(key, { error: failed(call, error instanceof Error ? error.message : String(error), error) });
    }
  }
}

const keyOf = ({ name, args }: ExternalCall): string => `${name} ${writeJson(args)}`;

const failed = ({ name }: ExternalCall, why: string, cause?: unknown): ThinglineError =>
  new ThinglineError("RULE_SQL_FAILED", `${name}() failed: ${why}`, cause === undefined ? {} : { cause });
