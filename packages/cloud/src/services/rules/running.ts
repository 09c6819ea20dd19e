import { encodeBase64 } from "@thingline/protocol/x509";
import { ThinglineError } from "@thingline/protocol";
import type { Random } from "@thingline/transport";
import type { Hash } from "../../hashes.js";
import {
  runStatement,
  type ExternalCall,
  type RuleMessage,
  type Selected,
  type SqlValue,
} from "../../rules-sql/index.js";
import type { IotLog } from "../iot-log.js";
import type { StatementGuard } from "../../statement-guard.js";
import { noClientId, type OperationRunner, type Scope, type ServiceMessage, type ServiceTopics } from "../operation.js";
import { ActionQueue } from "./action-queue.js";
import type { ActionDependencies, DueAction } from "./actions/perform.js";
import { performers } from "./actions/table.js";
import { RuleHost } from "./host.js";
import { actionKinds, type ActionKind, type PreparedAction, type PreparedRule } from "./prepared.js";
import { RuleEntries } from "./rule-entries.js";
import { basicIngestPrefix, type RuleSet } from "./rule-set.js";

export interface RunningDependencies extends ActionDependencies {
  random: Random;
  hash: Hash;
  iotLog: IotLog;
  /** undefined where the platform has none: then a regular expression takes as long as it takes. */
  statementGuard?: StatementGuard | undefined;
  callOut: (call: ExternalCall, scope: Scope, runner: Pick<OperationRunner, "run">) => Promise<SqlValue>;
}

/** Why an action of a rule was not done, as the error action is told. */
type Failure = {
  failedAction: string;
  failedResource: string;
  errorMessage: string;
};

/** What there is of a rule's work on one message. */
interface Work {
  rule: PreparedRule;
  message: ServiceMessage;
  facts: RuleMessage;
  runner: OperationRunner;
}

const sources = ["client", "http", "service", "will", "lifecycle"] as const;

/** Runs rules over messages. Nobody waits for them: the broker acknowledges without them, as AWS does. */
export class RunningRules {
  readonly topics: ServiceTopics;
  readonly #rules: RuleSet;
  readonly #deps: RunningDependencies;
  readonly #entries: RuleEntries;
  /** By kind. */
  readonly #queues = new Map<string, ActionQueue>();

  constructor(rules: RuleSet, deps: RunningDependencies) {
    this.#rules = rules;
    this.#deps = deps;
    this.#entries = new RuleEntries(deps.iotLog);
    this.topics = {
      filters: rules.filters,
      sources,
      holdsAck: false,
      handle: (message, runner, done) => {
        this.#hear(message, runner).then(() => done(), done);
      },
    };
  }

  /** What is under way is aborted. */
  async close(): Promise<void> {
    await Promise.all([...this.#queues.values()].map((queue) => queue.close()));
  }

  async #hear(message: ServiceMessage, runner: OperationRunner): Promise<void> {
    const { topic } = message;
    if (topic.startsWith(basicIngestPrefix)) return this.#ingest(message, runner);
    const works = Array.from(this.#rules.hearing(topic), (rule) => this.#work(rule, message, topic, runner));
    await Promise.all(works);
  }

  /** The rule that a topic names gets what is behind the name. AWS acknowledges a message for no rule as well. */
  async #ingest(message: ServiceMessage, runner: OperationRunner): Promise<void> {
    const [name = "", ...rest] = message.topic.slice(basicIngestPrefix.length).split("/");
    const rule = this.#rules.named(name);
    if (rule === undefined) {
      this.#deps.log.warn("ruleNotFound", { rule: name, clientId: message.clientId, topic: message.topic });
      this.#entries.notFound(message, name);
      return;
    }
    await this.#work(rule, message, rest.join("/"), runner);
  }

  async #work(rule: PreparedRule, message: ServiceMessage, topic: string, runner: OperationRunner): Promise<void> {
    const { clock, random, hash, callOut, log, statementGuard } = this.#deps;
    const facts: RuleMessage = {
      topic,
      payload: message.payload,
      clientId: message.clientId,
      principal: message.certificateId,
      sourceIp: message.sourceIp,
      traceId: message.clientId === noClientId ? undefined : random.uuid(),
      timestampMs: clock.unixMs(),
      properties: message.properties,
    };
    const guard = rule.usesPatterns ? statementGuard : undefined;
    const ask = (call: ExternalCall) => callOut(call, message.scope, runner);
    const hostDeps = { clock, random, hash, guard, callOut: ask };
    const host = new RuleHost(hostDeps, facts, message.scope.account, rule.record);
    const { ruleName } = rule.record;
    let selected: Selected | undefined;
    try {
      selected = await host.until(() => runStatement(rule.statement, host));
    } catch (error) {
      log.warn("ruleSqlFailed", { rule: ruleName, topic, error: String(error) });
      this.#entries.functionFailed(message, ruleName, facts, error instanceof Error ? error.message : String(error));
      return;
    }
    log.debug("ruleMatched", { rule: ruleName, topic, isSelected: selected !== undefined });
    if (selected === undefined) return;
    this.#entries.matched(message, ruleName);
    const work = { rule, message, facts, runner };
    const queued = rule.actions.map((action) => this.#act(work, action, selected, host));
    // The message has been worked on when its actions have their places; what they do is waited for by nobody.
    void Promise.all(queued).then((found) => this.#tellFailures(work, found, selected, host));
  }

  /** @returns why it failed; undefined when it is done */
  async #act(work: Work, action: PreparedAction, selected: Selected, host: RuleHost): Promise<Failure | undefined> {
    const { ruleName } = work.rule.record;
    const performer = performers[action.kind];
    let resource = "";
    try {
      const fields = await host.until(() => action.fill(selected.scope));
      resource = performer.resourceOf(fields);
      await this.#perform(work, { kind: action.kind, fields, selected });
      this.#entries.executed(work.message, ruleName, { kind: action.kind, resource });
      return undefined;
    } catch (error) {
      const errorMessage = error instanceof ThinglineError ? error.message : String(error);
      this.#deps.log.warn("ruleActionFailed", { rule: ruleName, action: action.kind, resource, error: String(error) });
      this.#entries.executed(work.message, ruleName, { kind: action.kind, resource, failure: errorMessage });
      return { failedAction: actionKinds[action.kind], failedResource: resource, errorMessage };
    }
  }

  #perform({ rule, message, runner }: Work, action: Pick<DueAction, "kind" | "fields" | "selected">): Promise<void> {
    const performer = performers[action.kind];
    const { ruleName } = rule.record;
    return this.#queueOf(action.kind).run(action.selected.payload.length, (signal) =>
      performer.perform({ ...action, ruleName, message, scope: message.scope, runner, signal }, this.#deps),
    );
  }

  #queueOf(kind: ActionKind): ActionQueue {
    const queue = this.#queues.get(kind) ?? new ActionQueue(kind, this.#deps.log);
    this.#queues.set(kind, queue);
    return queue;
  }

  /** One message about all that failed. Its own failure is told to the log alone. */
  async #tellFailures(
    work: Work,
    found: readonly (Failure | undefined)[],
    { scope }: Selected,
    host: RuleHost,
  ): Promise<void> {
    const failures = found.filter((failure) => failure !== undefined);
    const { rule, message, facts } = work;
    const { errorAction, record } = rule;
    if (failures.length === 0 || errorAction === undefined) return;
    const told = {
      ruleName: record.ruleName,
      topic: facts.topic,
      cloudwatchTraceId: facts.traceId ?? this.#deps.random.uuid(),
      clientId: message.clientId,
      base64OriginalPayload: encodeBase64(message.payload),
      failures,
    };
    const selected: Selected = { scope, value: told, payload: new TextEncoder().encode(JSON.stringify(told)) };
    await this.#act(work, errorAction, selected, host);
  }
}
