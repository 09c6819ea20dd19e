import type { Functions } from "../../functions/index.js";
import type { Hash } from "../../hashes.js";
import type { StatementGuard } from "../../statement-guard.js";
import type { Log } from "../../log.js";
import type { Clock, Http, Random } from "@thingline/transport";
import type { MessageLimits } from "../message-limits.js";
import type { Objects } from "../objects/index.js";
import type { IotLog } from "../iot-log.js";
import type { Registry } from "../registry/index.js";
import type { CloudService } from "../service.js";
import type { Shadows } from "../shadow/index.js";
import { taggable } from "../taggable.js";
import { createDestinations } from "./destinations.js";
import { createCallOut } from "./external-calls.js";
import { ruleKeys, rulesServiceName } from "./model.js";
import { RuleSet } from "./rule-set.js";
import { RunningRules } from "./running.js";
import { createTopicRules } from "./service.js";

export { actionKinds, type ActionKind } from "./prepared.js";

export interface RulesDependencies {
  clock: Clock;
  random: Random;
  log: Log;
  functions: Functions;
  /** For HTTP actions; without it they fail. */
  http: Http | undefined;
  hash: Hash;
  statementGuard?: StatementGuard | undefined;
  objects: Pick<Objects, "putObject">;
  registry: Pick<Registry, "describeThing" | "listThingGroupsForThing">;
  shadows: Pick<Shadows, "getThingShadow">;
  /** Of what rules republish. */
  messageLimits: MessageLimits;
  iotLog: IotLog;
  /** Where this cloud answers REST. */
  apiUrl: () => string | undefined;
}

function createOperations(rules: RuleSet, deps: RulesDependencies) {
  return { ...createTopicRules(rules), ...createDestinations(deps) };
}

export type Rules = ReturnType<typeof createOperations>;

/** The rules engine: what messages say, and what is done then. */
export function createRulesService(deps: RulesDependencies): CloudService<Rules> {
  const rules = new RuleSet(deps.log);
  const running = new RunningRules(rules, { ...deps, callOut: createCallOut(deps) });
  const operations = createOperations(rules, deps);
  return {
    name: rulesServiceName,
    operations,
    rest: Object.values(operations),
    topics: running.topics,
    taggable: [taggable("rule", ruleKeys.one)],
    onOpen: (scope, runner) => rules.open(scope, runner),
    onRefresh: (scope, runner) => rules.refresh(scope, runner),
    close: () => running.close(),
  };
}
