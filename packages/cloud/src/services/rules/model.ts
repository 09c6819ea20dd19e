import { ThinglineError } from "@thingline/protocol";
import type { JsonObject } from "@thingline/protocol";
import type { SqlVersion } from "../../rules-sql/index.js";
import type { StoreEntry, StoreKey } from "../../store/store.js";
import type { OperationContext, Scope } from "../operation.js";

export const rulesServiceName = "rules";

/** An action as AWS writes it: one member, whose name is its kind. */
export type RuleAction = JsonObject;

/** A topic rule: which messages it selects, what it makes of them, and what is done with that. */
export type RuleRecord = {
  ruleName: string;
  sql: string;
  awsIotSqlVersion: SqlVersion;
  description?: string;
  actions: readonly RuleAction[];
  errorAction?: RuleAction;
  ruleDisabled: boolean;
  createdAtMs: number;
};

/** An endpoint of an HTTP action, which has to say that it wants messages. */
export type DestinationRecord = {
  id: string;
  confirmationUrl: string;
  status: "ENABLED" | "IN_PROGRESS" | "DISABLED" | "ERROR";
  statusReason: string;
  confirmationToken: string;
  createdAtMs: number;
  modifiedAtMs: number;
};

/** Rules of an account, as AWS. */
export const rulesMax = 1_000;
/** Actions of a rule, as AWS. */
export const ruleActionsMax = 10;
/** Bytes of a rule, as JSON. AWS takes a request of so much. */
export const ruleBytesMax = 131_072;
/** Destinations of an account, as AWS. */
export const destinationsMax = 1_000;

const key = (scope: Scope, ...rest: string[]): StoreKey => [scope.account, scope.region, ...rest];

export const ruleKeys = {
  all: (scope: Scope) => key(scope, "topicRule"),
  one: (scope: Scope, name: string) => key(scope, "topicRule", name),
  /** Changes with each rule that is made: two at once must not both be the last that there is room for. */
  guard: (scope: Scope) => key(scope, "topicRules"),
  destinations: (scope: Scope) => key(scope, "topicRuleDestination"),
  /** As the guard of rules, of destinations. */
  destinationGuard: (scope: Scope) => key(scope, "topicRuleDestinations"),
  destination: (scope: Scope, id: string) => key(scope, "topicRuleDestination", id),
  destinationByUrl: (scope: Scope, url: string) => key(scope, "topicRuleDestinationUrl", url),
};

export const ruleArn = ({ account, region }: Scope, name: string): string =>
  `arn:aws:iot:${region}:${account}:rule/${name}`;

export const destinationArn = ({ account, region }: Scope, id: string): string =>
  `arn:aws:iot:${region}:${account}:ruledestination/http/${id}`;

/** The id in an ARN of this account and region. */
export function destinationIdOf(scope: Scope, arn: string): string | undefined {
  const begin = destinationArn(scope, "");
  return arn.startsWith(begin) && arn.length > begin.length ? arn.slice(begin.length) : undefined;
}

type Reader = Pick<OperationContext, "store" | "scope">;

/**
 * AWS does not tell a rule that is not there from one that somebody may not see.
 *
 * @throws {ThinglineError} REQUEST_UNAUTHORIZED
 * @see hashicorp/terraform-provider-aws, resource aws_iot_topic_rule
 */
export async function requireRule({ store, scope }: Reader, name: string): Promise<StoreEntry<RuleRecord>> {
  const entry = await store.get<RuleRecord>(ruleKeys.one(scope, name));
  if (entry !== undefined) return entry;
  throw new ThinglineError("REQUEST_UNAUTHORIZED", `Access to topic rule '${name}' was denied`, { details: { name } });
}

/** @throws {ThinglineError} REQUEST_UNAUTHORIZED, as for rules */
export async function requireDestination(
  { store, scope }: Reader,
  arn: string,
): Promise<StoreEntry<DestinationRecord>> {
  const id = destinationIdOf(scope, arn);
  const entry = id === undefined ? undefined : await store.get<DestinationRecord>(ruleKeys.destination(scope, id));
  if (entry !== undefined) return entry;
  const message = `Access to topic rule destination '${arn.slice(0, 300)}' was denied`;
  throw new ThinglineError("REQUEST_UNAUTHORIZED", message);
}
