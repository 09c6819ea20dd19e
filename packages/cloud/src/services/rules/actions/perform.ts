import type { Clock, Http } from "@thingline/transport";
import type { Functions } from "../../../functions/index.js";
import type { Log } from "../../../log.js";
import type { OperationRunner, Scope, ServiceMessage } from "../../operation.js";
import type { MessageLimits } from "../../message-limits.js";
import type { Objects } from "../../objects/index.js";
import type { ActionKind, FilledFields } from "../prepared.js";
import type { Selected } from "../../../rules-sql/index.js";

export interface ActionDependencies {
  functions: Functions;
  http: Http | undefined;
  clock: Clock;
  objects: Pick<Objects, "putObject">;
  log: Log;
  /** Of what a rule republishes. */
  messageLimits: MessageLimits;
}

/** An action that is due. */
export interface DueAction {
  readonly ruleName: string;
  readonly kind: ActionKind;
  /** With its templates filled. */
  readonly fields: FilledFields;
  readonly selected: Pick<Selected, "payload" | "value">;
  readonly message: ServiceMessage;
  readonly scope: Scope;
  readonly runner: Pick<OperationRunner, "run">;
  /** Ends when the cloud closes. */
  readonly signal: AbortSignal;
}

/** How actions of a kind are done. */
export interface ActionPerformer {
  /** What the message of an error action names. */
  resourceOf(fields: FilledFields): string;
  /** @throws {ThinglineError} what the error action is told */
  perform(action: DueAction, deps: ActionDependencies): Promise<void>;
}

/** A member that AWS's model requires, as text. */
export const textOf = (fields: FilledFields, name: string): string => {
  const value = fields[name];
  return typeof value === "string" ? value : "";
};
