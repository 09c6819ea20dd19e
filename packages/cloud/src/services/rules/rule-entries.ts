import type { RuleMessage } from "../../rules-sql/index.js";
import { verbosityOf, type IotLog, type IotLogEntry, type IotLogLevel } from "../iot-log.js";
import type { ServiceMessage } from "../operation.js";
import { actionKinds, type ActionKind } from "./prepared.js";

/** What an entry calls the place that an action goes to. AWS's guide shows that of republish alone; the others are unconfirmed. */
const resourceNames: Readonly<Partial<Record<ActionKind, string>>> = {
  republish: "RepublishTopic",
  lambda: "FunctionArn",
  s3: "BucketName",
  sns: "TopicArn",
  sqs: "QueueUrl",
  http: "Url",
};

type About = Pick<ServiceMessage, "clientId" | "certificateId" | "topic">;

/**
 * What AWS's log of devices has of rules: RuleMatch, RuleExecution, FunctionExecution, RuleNotFound.
 *
 * @see AWS IoT developer guide, "Rules engine log entries"
 */
export class RuleEntries {
  readonly #log: IotLog;

  constructor(log: IotLog) {
    this.#log = log;
  }

  matched(about: About, ruleName: string): void {
    this.#write("INFO", about, () => ({ eventType: "RuleMatch", more: { ruleName } }));
  }

  executed(about: About, ruleName: string, action: { kind: ActionKind; resource: string; failure?: string }): void {
    const { kind, resource, failure } = action;
    this.#write(failure === undefined ? "INFO" : "ERROR", about, () => ({
      eventType: "RuleExecution",
      isFailure: failure !== undefined,
      more: { ruleName, ruleAction: actionKinds[kind], resources: { [resourceNames[kind] ?? "Resource"]: resource } },
      details: failure,
    }));
  }

  /** A statement that could not be worked out: of all that it does, calls of functions are what fails. */
  functionFailed(about: About, ruleName: string, { topic }: RuleMessage, why: string): void {
    this.#write("ERROR", about, () => ({
      ...{ eventType: "FunctionExecution", isFailure: true, topicName: topic },
      ...{ more: { ruleName }, details: why },
    }));
  }

  notFound(about: About, ruleName: string): void {
    this.#write("ERROR", about, () => ({
      ...{ eventType: "RuleNotFound", isFailure: true, more: { ruleName } },
      ...{ reason: "RuleNotFound", details: `Rule '${ruleName}' not found` },
    }));
  }

  #write(level: IotLogLevel, { clientId, certificateId, topic }: About, entry: () => Omit<IotLogEntry, "level">): void {
    if (this.#log.verbosity < verbosityOf[level]) return;
    this.#log.write({ level, clientId, principalId: certificateId, topicName: topic, ...entry() });
  }
}
