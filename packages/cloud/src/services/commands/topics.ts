import {
  commandTopic,
  decodeCommandUpdate,
  encodeCommandAccepted,
  encodeCommandRejected,
  parseCommandTopic,
  type CommandOutcome,
  type CommandRejection,
  type CommandTopic,
} from "@thingline/protocol/commands";
import type { Clock } from "@thingline/transport";
import type { Log } from "../../log.js";
import type { Effect, Operation, OperationRunner, ServiceMessage, ServiceTopics } from "../operation.js";
import { CommandsThrottle } from "./throttle.js";
import { rejectionOf, updateExecution } from "./update.js";

export interface CommandTopicsDependencies {
  clock: Clock;
  log: Log;
  isLimited: boolean;
}

const response = "$aws/commands/+/+/executions/+/response";

/** The MQTT face of the service. A device is answered itself, subscribed or not, and nobody else hears of it. */
export function createCommandTopics({ clock, log, isLimited }: CommandTopicsDependencies): ServiceTopics {
  const throttle = new CommandsThrottle({ isLimited });

  const answerRejected = (
    message: ServiceMessage,
    { topic, rejection }: { topic: CommandTopic; rejection: CommandRejection },
    runner: OperationRunner,
    done: (error?: Error) => void,
  ): void => {
    const { scope, clientId } = message;
    const { error, errorMessage } = rejection;
    log.warn("commandUpdateRejected", { clientId, topic: message.topic, code: error, message: errorMessage });
    const { executionId, format = "json" } = topic;
    const payload = encodeCommandRejected({ ...rejection, executionId }, format);
    runner.submit(scope, reject, answerTo(message, topic, "rejected", payload), done);
  };

  return {
    filters: [response, `${response}/+`],

    handle(message, runner, done) {
      const { payload, scope } = message;
      const topic = readTopic(message.topic);
      // Nobody can be answered below a topic that names no target and no execution.
      if (topic === undefined) return void Promise.resolve().then(() => done());
      const refuse = (rejection: CommandRejection): void => answerRejected(message, { topic, rejection }, runner, done);
      if (topic.type !== "response") return refuse(noOperation);
      const { target, executionId, format = "json" } = topic;
      const read = decodeCommandUpdate(payload, format);
      if ("rejection" in read) return refuse(read.rejection);
      const { update } = read;
      const token = update.clientToken === undefined ? {} : { clientToken: update.clientToken };
      try {
        throttle.count(scope, clock);
      } catch (error) {
        return refuse({ ...told(error), ...token });
      }
      const accepted = encodeCommandAccepted({ executionId, ...token }, format);
      const answer = answerTo(message, topic, "accepted", accepted);
      runner.submit(scope, updateExecution, { target, executionId, update, answer }, (error) => {
        if (error === undefined) return done();
        const { isDefect, ...rejection } = rejectionOf(error);
        answerRejected(message, { topic, rejection: { ...rejection, ...token } }, runner, (failure) => {
          done(failure ?? (isDefect ? error : undefined));
        });
      });
    },
  };
}

function told(error: unknown): CommandRejection {
  const { isDefect: _isDefect, ...rejection } = rejectionOf(error);
  return rejection;
}

const noOperation: CommandRejection = {
  error: "InvalidTopic",
  errorMessage: "The topic is in the namespace of commands and maps to no operation",
};

/** Where an answer goes; `request` stands for a topic below an execution that is no response. */
function readTopic(text: string): CommandTopic | undefined {
  const topic = parseCommandTopic(text);
  if (topic !== undefined) return topic.outcome === undefined ? topic : { ...topic, type: "request" };
  const base = parseCommandTopic(text.slice(0, text.lastIndexOf("/")));
  return base?.type === "response" && base.outcome === undefined ? { ...base, type: "request" } : undefined;
}

/** Not for whoever has come under the client id since, with another certificate. */
function answerTo(
  { clientId, certificateId }: ServiceMessage,
  { target, executionId, format }: CommandTopic,
  outcome: CommandOutcome,
  payload: Uint8Array,
): Effect {
  return {
    ...{ type: "publish", payload, qos: 1, onlyToClientId: clientId },
    ...(certificateId !== undefined && { onlyToCertificateId: certificateId }),
    topic: commandTopic({ target, executionId, type: "response", outcome, format }),
  };
}

/** Changes no state: the PUBACK of the update waits until this is handed over. */
const reject: Operation<Effect, void> = async (_context, effect) => ({
  result: undefined,
  operations: [],
  effects: [effect],
});
