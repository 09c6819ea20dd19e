import { isThinglineError } from "@thingline/protocol";
import {
  describeShadowError,
  findClientToken,
  parseShadowTopic,
  shadowRequestFilters,
  type ShadowId,
  type ShadowRejected,
  type ShadowRequestType,
} from "@thingline/protocol/shadow";
import type { Clock } from "@thingline/transport";
import type { Log } from "../../log.js";
import type { Operation, OperationRunner, ServiceMessage, ServiceTopics } from "../operation.js";
import { publishJson } from "./model.js";
import type { Shadows } from "./service.js";
import { awsShadowLimits, ShadowThrottle, type ShadowLimits } from "./throttle.js";

export interface ShadowTopicsDependencies {
  shadows: Shadows;
  clock: Clock;
  log: Log;
  /** Default {@link awsShadowLimits}. */
  limits?: ShadowLimits;
}

type Request = { id: ShadowId; type: ShadowRequestType };

/** The MQTT face of the Device Shadow service. */
export function createShadowTopics({ shadows, clock, log, limits = awsShadowLimits }: ShadowTopicsDependencies) {
  const throttle = new ShadowThrottle(limits);
  const operations = { get: answerGet(shadows), update: shadows.updateThingShadow, delete: shadows.deleteThingShadow };

  const run = async ({ id, type }: Request, message: ServiceMessage, runner: OperationRunner): Promise<void> => {
    const { scope, clientId, payload } = message;
    throttle.begin(clientId, `${scope.account}/${scope.region}/${id.thingName}`, clock.monotonicMs());
    try {
      await runner.run<RequestInput, unknown>(scope, operations[type], { ...id, payload });
    } finally {
      throttle.end(clientId);
    }
  };

  const topics: ServiceTopics = {
    filters: shadowRequestFilters,

    async handle(message, runner) {
      const request = parseRequest(message.topic);
      if (request === undefined) return;
      try {
        await run(request, message, runner);
      } catch (error) {
        const rejected = describeRejection(error, clock.unixMs(), findClientToken(message.payload));
        const { clientId, topic } = message;
        const why = isThinglineError(error) ? error.details : { error: String(error) };
        log.warn("shadowRequestRejected", { clientId, topic, code: rejected.code, message: rejected.message, ...why });
        await runner.run(message.scope, reject, { ...request, rejected });
        if (rejected.code === 500) throw error;
      }
    },
  };
  return topics;
}

type RequestInput = ShadowId & { payload: Uint8Array };

function parseRequest(topic: string): Request | undefined {
  const parsed = parseShadowTopic(topic);
  if (parsed === undefined) return undefined;
  const { id, tail: type } = parsed;
  return type === "get" || type === "update" || type === "delete" ? { id, type } : undefined;
}

/** Over HTTP the body is the answer; here it goes to whoever listens. */
function answerGet({ getThingShadow }: Shadows): Shadows["getThingShadow"] {
  const run: Shadows["getThingShadow"] = async (context, input) => {
    const outcome = await getThingShadow(context, input);
    return { ...outcome, effects: [publishJson(input, "get/accepted", () => outcome.result)] };
  };
  return Object.assign(run, { lane: getThingShadow.lane });
}

/** Changes no state: the request's PUBACK waits until this is handed over. */
const reject: Operation<Request & { rejected: ShadowRejected }, void> = async (_context, { id, type, rejected }) => ({
  result: undefined,
  operations: [],
  effects: [publishJson(id, `${type}/rejected`, () => rejected)],
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
