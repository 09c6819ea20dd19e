import { isThinglineError, ThinglineError } from "@thingline/protocol";
import { jobsTopic, type JobsTopic, nextJobId } from "@thingline/protocol/jobs";
import type { Clock, Random, Timer } from "@thingline/transport";
import { brokenError } from "../errors.js";
import type { JobsAnswer, JobsRequest } from "./types.js";

/** What requests need of the device and of the world. */
export interface JobsRequestsPort {
  thingName: string;
  clock: Clock;
  random: Random;
  /** From PUBACK to the answer. */
  answerTimeoutMs: number;
  /** Resolves with PUBACK. */
  publish(topic: string, payload: Uint8Array, signal: AbortSignal): Promise<void>;
}

/** Connections on which one request is made, when each ends before the answer. */
export const jobAsksMax = 10;

export type JobsResult = { answer: JobsAnswer; error?: undefined } | { answer?: undefined; error: ThinglineError };

interface Waiting {
  /** Its answer has a job document, and may be large. */
  hasDocument: boolean;
  send: () => void;
  isAcknowledged: boolean;
  settle: (result: JobsResult) => void;
}

const encoder = new TextEncoder();

/** Requests to the jobs service of one thing, each matched to its answer by a client token. */
export class JobsRequests {
  readonly #port: JobsRequestsPort;
  readonly #waiting = new Map<string, Waiting>();
  readonly #stop = new AbortController();

  constructor(port: JobsRequestsPort) {
    this.#port = port;
  }

  get waitingCount(): number {
    return this.#waiting.size;
  }

  /** `settle` is called once, unless the requests were ended before. @returns gives up waiting */
  send(request: JobsRequest, settle: (result: JobsResult) => void): () => void {
    const { clock, answerTimeoutMs, random, thingName } = this.#port;
    const clientToken = random.uuid();
    const topic = jobsTopic({ thingName, ...topicOf(request) });
    const payload = encoder.encode(JSON.stringify({ ...membersOf(request), clientToken }));
    let timer: Timer | undefined;
    let asked = 0;
    const finish = (): boolean => {
      timer?.cancel();
      return this.#waiting.delete(clientToken);
    };
    const waiting: Waiting = {
      hasDocument: "includesDocument" in request && request.includesDocument,
      isAcknowledged: false,
      settle: (result) => {
        if (finish()) settle(result);
      },
      send: () => {
        timer?.cancel();
        waiting.isAcknowledged = false;
        // A cloud that takes each question and ends the connection instead of an answer would be asked for ever.
        if (++asked > jobAsksMax) return waiting.settle({ error: unanswered(topic, `on ${asked - 1} connections`) });
        this.#port.publish(topic, payload, this.#stop.signal).then(
          () => {
            if (this.#waiting.get(clientToken) !== waiting) return;
            waiting.isAcknowledged = true;
            timer = clock.setTimer(answerTimeoutMs, () =>
              waiting.settle({ error: unanswered(topic, `within ${answerTimeoutMs} ms`) }),
            );
          },
          (error: unknown) => waiting.settle({ error: asError(error) }),
        );
      },
    };
    this.#waiting.set(clientToken, waiting);
    waiting.send();
    return () => void finish();
  }

  /** An answer came. @returns whether anybody waits for it */
  received(clientToken: string | undefined, read: () => JobsAnswer): boolean {
    const waiting = clientToken === undefined ? undefined : this.#waiting.get(clientToken);
    if (waiting === undefined) return false;
    try {
      waiting.settle({ answer: read() });
    } catch (error) {
      waiting.settle({ error: asError(error) });
    }
    return true;
  }

  /** On a new connection: answers may have been lost with the last one. What was not acknowledged the device repeats itself. */
  askAgain(): void {
    for (const waiting of [...this.#waiting.values()]) if (waiting.isAcknowledged) waiting.send();
  }

  /** The connection ended over a message that this device's TLS cannot take: asked again, it would come again. */
  answerTooLarge(error: ThinglineError): void {
    for (const waiting of [...this.#waiting.values()]) if (waiting.hasDocument) waiting.settle({ error });
  }

  /** No answers come any more. */
  end(error: ThinglineError): void {
    this.#stop.abort(error);
    for (const waiting of [...this.#waiting.values()]) waiting.settle({ error });
  }
}

type RequestTopic = JobsTopic extends infer Topic
  ? Topic extends JobsTopic
    ? Omit<Topic, "thingName" | "outcome">
    : never
  : never;

function topicOf(request: JobsRequest): RequestTopic {
  switch (request.type) {
    case "next":
      return { type: "describe", jobId: nextJobId };
    case "list":
      return { type: "get" };
    case "describe":
    case "update":
      return { type: request.type, jobId: request.id.jobId };
  }
}

function membersOf(request: JobsRequest): object {
  if (request.type === "list") return {};
  if (request.type === "next") return request.includesDocument ? {} : { includeJobDocument: false };
  const { executionNumber } = request.id;
  const number = executionNumber > 0 ? { executionNumber } : {};
  if (request.type === "describe") return { ...number, includeJobDocument: request.includesDocument };
  const { status, statusDetails, stepTimeoutInMinutes } = request;
  return {
    status,
    ...number,
    ...(statusDetails !== undefined && { statusDetails }),
    ...(stepTimeoutInMinutes !== undefined && { stepTimeoutInMinutes }),
  };
}

const unanswered = (topic: string, when: string) =>
  new ThinglineError("TIMEOUT", `the jobs service did not answer on "${topic}" ${when}`, { details: { topic } });

export function asError(error: unknown): ThinglineError {
  return isThinglineError(error) ? error : brokenError(error, "");
}
