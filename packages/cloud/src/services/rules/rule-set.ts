import type { Log } from "../../log.js";
import { topicMatches } from "@thingline/protocol/mqtt";
import type { StoreEntry } from "../../store/store.js";
import type { OperationRunner, Scope } from "../operation.js";
import { isSameScope } from "../same-scope.js";
import { TopicFilters } from "../topic-filters.js";
import type { RuleRecord } from "./model.js";
import { prepareRule, type PreparedRule } from "./prepared.js";
import { readRules } from "./read-rules.js";

/** Basic Ingest: what is published there is for the rule that it names. */
export const basicIngestPrefix = "$aws/rules/";

/**
 * The rules that run here, as the store has them. It is read anew whenever a rule changed, by whichever node, and when an engine opens: the
 * store is the truth, and this only keeps what was read of it ready.
 */
export class RuleSet {
  /** What the broker asks for every message: empty but for Basic Ingest while there are no rules. */
  readonly filters = new TopicFilters([`${basicIngestPrefix}#`]);
  readonly #log: Log;
  #rules = new Map<string, { revision: number; rule: PreparedRule }>();
  #scope: Scope | undefined;
  #reading: Promise<void> = Promise.resolve();

  constructor(log: Log) {
    this.#log = log;
  }

  /** For whom clients connect; rules of other accounts hear nothing. */
  open(scope: Scope, runner: Pick<OperationRunner, "run">): Promise<void> {
    this.#scope = scope;
    this.#rules = new Map();
    return this.refresh(scope, runner);
  }

  /** Resolves when what was stored before the call counts here. */
  refresh(scope: Scope, runner: Pick<OperationRunner, "run">): Promise<void> {
    if (this.#scope === undefined || !isSameScope(scope, this.#scope)) return Promise.resolve();
    // One after the other: an older answer must not come behind a newer one.
    const next = this.#reading.then(() => this.#read(scope, runner));
    this.#reading = next.catch(() => undefined);
    return next;
  }

  async #read(scope: Scope, runner: Pick<OperationRunner, "run">): Promise<void> {
    const entries = await runner.run(scope, readRules, undefined);
    const rules = new Map<string, { revision: number; rule: PreparedRule }>();
    for (const entry of entries) {
      const { ruleName } = entry.value;
      const known = this.#rules.get(ruleName);
      const rule = known?.revision === entry.revision ? known.rule : this.#prepare(entry);
      if (rule !== undefined) rules.set(ruleName, { revision: entry.revision, rule });
    }
    this.#rules = rules;
    this.#setFilters();
  }

  /** A rule was checked before it was stored; one that an older release stored may use what is no more. */
  #prepare({ value }: StoreEntry<RuleRecord>): PreparedRule | undefined {
    try {
      return prepareRule(value);
    } catch (error) {
      this.#log.error("ruleUnusable", { rule: value.ruleName, error: String(error) });
      return undefined;
    }
  }

  #setFilters(): void {
    const wanted = new Set([`${basicIngestPrefix}#`]);
    for (const { rule } of this.#rules.values()) {
      if (rule.statement.from !== undefined && !rule.record.ruleDisabled) wanted.add(rule.statement.from);
    }
    for (const filter of this.filters.all) if (!wanted.has(filter)) this.filters.remove(filter);
    for (const filter of wanted) this.filters.add(filter);
  }

  /** The rule that Basic Ingest names, unless it is disabled. */
  named(name: string): PreparedRule | undefined {
    const rule = this.#rules.get(name)?.rule;
    return rule?.record.ruleDisabled === true ? undefined : rule;
  }

  /** In the order of their names. */
  *hearing(topic: string): Iterable<PreparedRule> {
    for (const { rule } of this.#rules.values()) {
      const { from } = rule.statement;
      if (rule.record.ruleDisabled || from === undefined) continue;
      if (topicMatches(from, topic, { aws: true })) yield rule;
    }
  }
}
