import { BoundedMap, isThinglineError } from "@thingline/protocol";
import {
  describeShadowError,
  findClientToken,
  parseShadowTopic,
  shadowRequestFilters,
  shadowTopic,
  type ShadowId,
  type ShadowRejected,
  type ShadowRequestType,
} from "@thingline/protocol/shadow";
import type { Clock } from "@thingline/transport";
import type { Log } from "../../log.js";
import { noIotLog, verbosityOf, type IotLog, type IotLogEntry } from "../iot-log.js";
import type { Operation, OperationRunner, ServiceMessage, ServiceTopics } from "../operation.js";
import { publishJson } from "./model.js";
import { addressShadow, type Shadows } from "./service.js";
import type { ShadowAddress } from "./shadow-address.js";
import { awsShadowLimits, ShadowThrottle, type ShadowLimits } from "./throttle.js";

export interface ShadowTopicsDependencies {
  shadows: Shadows;
  clock: Clock;
  log: Log;
  /** Default: nothing is logged. */
  iotLog?: IotLog | undefined;
  /** Default {@link awsShadowLimits}. */
  limits?: ShadowLimits;
}

/** Request topics whose shadow is remembered; with more, each new one takes the place of another. */
const rememberedTopicsMax = 10_000;

type Request = { id: ShadowId; type: ShadowRequestType };
type Addressed = { shadow: ShadowAddress; type: ShadowRequestType };

/** The MQTT face of the Device Shadow service. */
export function createShadowTopics({
  shadows,
  clock,
  log,
  iotLog = noIotLog,
  limits = awsShadowLimits,
}: ShadowTopicsDependencies) {
  const throttle = new ShadowThrottle(limits);
  /** Of topics with good names only. */
  const remembered = new BoundedMap<string, Addressed>(rememberedTopicsMax);

  const addressOf = (topic: string, { id, type }: Request): Addressed => {
    const addressed = { shadow: addressShadow(id), type };
    remembered.set(topic, addressed);
    return addressed;
  };

  /** Answered with a message of its own; what is a fault of ours is told as well. */
  const answerRejected = (
    message: ServiceMessage,
    request: Request,
    runner: OperationRunner,
    error: Error,
    done: (error?: Error) => void,
  ): void => {
    const { topic, clientId } = message;
    const rejected = describeRejection(error, clock.unixMs(), findClientToken(message.payload));
    const why = isThinglineError(error) ? error.details : { error: String(error) };
    log.warn("shadowRequestRejected", { clientId, topic, code: rejected.code, message: rejected.message, ...why });
    if (iotLog.verbosity >= verbosityOf.ERROR) {
      const failed = {
        level: "ERROR",
        isFailure: true,
        reason: String(rejected.code),
        details: rejected.message,
      } as const;
      iotLog.write({ ...requestEntry(message, request), ...failed });
    }
    runner.submit(message.scope, reject, { ...request, rejected }, (failure) => {
      done(failure ?? (rejected.code === 500 ? error : undefined));
    });
  };

  const topics: ServiceTopics = {
    filters: shadowRequestFilters,
    sources: ["client", "http"],

    handle(message, runner, done) {
      const { topic, scope, clientId, payload } = message;
      let known = remembered.get(topic);
      if (known === undefined) {
        const request = parseRequest(topic);
        if (request === undefined) return void Promise.resolve().then(() => done());
        try {
          known = addressOf(topic, request);
        } catch (error) {
          return answerRejected(message, request, runner, error as Error, done);
        }
      }
      const { shadow, type } = known;
      const { id } = shadow;
      const refusal = throttle.begin(clientId, scope, id.thingName, clock);
      if (refusal !== undefined) return answerRejected(message, { id, type }, runner, refusal, done);
      runner.submit(scope, shadows.addressed[type], { shadow, payload }, (error) => {
        throttle.end(clientId);
        if (error !== undefined) return answerRejected(message, { id, type }, runner, error, done);
        if (iotLog.verbosity >= verbosityOf.INFO) iotLog.write(requestEntry(message, { id, type }));
        done();
      });
    },
  };
  return topics;
}

const eventTypes = { get: "GetThingShadow", update: "UpdateThingShadow", delete: "DeleteThingShadow" } as const;

/** As AWS has it: `deviceShadowName` is the name of the thing for its classic shadow. */
function requestEntry({ topic, clientId, certificateId, source }: ServiceMessage, { id, type }: Request): IotLogEntry {
  const more = { deviceShadowName: id.shadowName ?? id.thingName };
  const protocol = source === "http" ? "HTTP" : "MQTT";
  const who = source === "http" ? {} : { clientId, principalId: certificateId };
  return { level: "INFO", eventType: eventTypes[type], protocol, topicName: topic, ...who, more };
}

function parseRequest(topic: string): Request | undefined {
  const parsed = parseShadowTopic(topic);
  if (parsed === undefined) return undefined;
  const { id, tail: type } = parsed;
  return type === "get" || type === "update" || type === "delete" ? { id, type } : undefined;
}

/** Changes no state: the request's PUBACK waits until this is handed over. */
const reject: Operation<Request & { rejected: ShadowRejected }, void> = async (_context, { id, type, rejected }) => ({
  result: undefined,
  operations: [],
  effects: [publishJson(shadowTopic(id, `${type}/rejected`), () => rejected)],
});

function describeRejection(error: unknown, nowMs: number, clientToken: string | undefined): ShadowRejected {
  // The live service puts no time into what it says of a shadow that is not there.
  const isTimed = !isThinglineError(error, "SHADOW_NOT_FOUND");
  return {
    ...describeShadowError(error),
    ...(isTimed && { timestamp: Math.floor(nowMs / 1000) }),
    ...(clientToken !== undefined && { clientToken }),
  };
}
