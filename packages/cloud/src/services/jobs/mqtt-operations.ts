import { jobsTopic, type JobsRejected, type JobsTopic } from "@thingline/protocol/jobs";
import type { Operation } from "../operation.js";
import { publish } from "./conclude.js";
import { describe, listPending, startNext, update, type DescribedExecution } from "./device-requests.js";
import { bytesOver, jobMessageBytesMax } from "./message-size.js";
import { decideIn, inJobsLane, type JobsDependencies } from "./operations.js";
import { invalidRequest } from "./refusals.js";
import { checkClientToken, checkJobId, clientTokenOf, readDescribe, readStartNext, readUpdate } from "./requests.js";
import type { RequestMembers } from "./requests.js";
import type { JobsUnit } from "./unit.js";
import { secondsOf, withJson } from "./views.js";

/** A topic on which a device asks. */
export type JobsRequestTopic = Exclude<JobsTopic, { type: "notify" | "notify-next" }>;

export interface MqttRequest {
  request: JobsRequestTopic;
  members: RequestMembers;
  /** Who asks, and gets the answer. */
  clientId: string;
}

/** Answers a request of a device, to the client that asked and to nobody else. */
export function createMqttRequests(deps: JobsDependencies): Operation<MqttRequest, void> {
  return inJobsLane<Operation<MqttRequest, void>>(
    decideIn(deps, async (unit, { request, members, clientId }) => {
      checkClientToken(members);
      const text = await answerText(unit, request, members, deps);
      const bytes = bytesOver(text, jobMessageBytesMax);
      // Nothing has been done yet of what was asked for.
      if (bytes !== undefined) {
        throw invalidRequest(`The answer would have ${bytes} bytes, at most ${jobMessageBytesMax} go into a message`);
      }
      unit.answers.push(publish(jobsTopic({ ...request, outcome: "accepted" }), () => text, clientId));
    }),
  );
}

async function answerText(
  unit: JobsUnit,
  request: JobsRequestTopic,
  members: RequestMembers,
  deps: JobsDependencies,
): Promise<string> {
  const { thingName } = request;
  const clientToken = clientTokenOf(members);
  const facts = { ...(clientToken !== undefined && { clientToken }), timestamp: secondsOf(unit.nowMs) };
  switch (request.type) {
    case "get":
      return JSON.stringify({ ...facts, ...(await listPending(unit, thingName, deps)) });
    case "start-next":
      return executionText(facts, await startNext(unit, thingName, readStartNext(members), deps));
    case "describe": {
      const { jobId } = request;
      checkJobId(jobId);
      return executionText(facts, await describe(unit, thingName, { jobId, ...readDescribe(members) }, deps));
    }
    case "update": {
      const { jobId } = request;
      checkJobId(jobId);
      const { document, ...updated } = await update(unit, thingName, { jobId, ...readUpdate(members) }, deps);
      return withJson({ ...facts, ...updated }, "jobDocument", document);
    }
  }
}

function executionText(facts: object, described: DescribedExecution | undefined): string {
  if (described === undefined) return JSON.stringify(facts);
  const { execution, document } = described;
  return withJson(facts, "execution", withJson(execution, "jobDocument", document));
}

export interface Rejection {
  /** Of the request. */
  topic: string;
  rejected: JobsRejected;
  clientId: string;
}

/** Changes no state: the PUBACK of the request waits until this is handed over. */
export const reject: Operation<Rejection, void> = async (_context, { topic, rejected, clientId }) => ({
  result: undefined,
  operations: [],
  effects: [publish(`${topic}/rejected`, () => JSON.stringify(rejected), clientId)],
});
