import { isThinglineError, optionInvalid, ThinglineError } from "@thingline/protocol";
import { decodeShadowRejected, type JsonObject, type ShadowId, shadowTopic } from "@thingline/protocol/shadow/client";
import type { Clock, Random, Timer } from "@thingline/transport";
import { abortedError, brokenError, fractionOf } from "../errors.js";
import type { DeviceMessage } from "../topics/message.js";
import { decodeAnswer } from "./answers.js";

/** What a shadow needs of its device. */
export interface ShadowPort {
  clock: Clock;
  random: Random;
  /** Lets a bounded number of requests run at once. @throws {ThinglineError} LIMIT_EXCEEDED, ABORTED. */
  gate: { run<Result>(request: () => Promise<Result>, signal: AbortSignal | undefined): Promise<Result> };
  /** Resolves with PUBACK. */
  publish(topic: string, payload: Uint8Array, signal: AbortSignal | undefined): Promise<void>;
  /** Resolves when the cloud has granted the filters; `ended` is called once, when no more messages come. */
  subscribe(
    filters: readonly string[],
    listener: (message: DeviceMessage) => void,
    ended: (error: ThinglineError | undefined) => void,
  ): Promise<void>;
  /** What has no caller to go to. */
  report(error: ThinglineError): void;
  /** Why an answer may never come, besides all else: added to the message of a time-out. */
  silenceHint?: string;
}

export interface ShadowRequestOptions {
  /** From PUBACK to the answer. Default {@link defaultShadowTimeoutMs}. */
  timeoutMs?: number;
  /**
   * So many times a request that was throttled (429) is made again, after 0.2 s to 5 s, with jitter. Default 0: it fails
   * with THROTTLED. While there is a loop of `deltas()`, `report()` has the default {@link defaultReportRetriesMax}.
   */
  throttledRetriesMax?: number;
  signal?: AbortSignal;
}

export const defaultShadowTimeoutMs = 30_000;
/** Connections on which a get is asked, when each ends before the answer. */
export const shadowAsksMax = 10;

export type ShadowRequestKind = "get" | "update" | "delete";

/** A message of the shadow service, as it came. */
export interface ShadowMessage {
  topic: string;
  payload: Uint8Array;
}

/** What comes without having been asked for. */
export interface ShadowRequestsHandlers {
  /** What it throws is reported. */
  delta(message: ShadowMessage): void;
  /** No more deltas come. */
  deltasEnded(error: ThinglineError | undefined): void;
}

interface Waiting {
  kind: ShadowRequestKind;
  send: () => void;
  settle: (answer: ShadowMessage | ThinglineError) => void;
}

const encoder = new TextEncoder();
const firstRetryMs = 200;
const lastRetryMs = 5_000;

/** Requests to one shadow, each matched to its answer by a client token. */
export class ShadowRequests {
  readonly #id: ShadowId;
  readonly #port: ShadowPort;
  readonly #handlers: ShadowRequestsHandlers;
  readonly #waiting = new Map<string, Waiting>();
  readonly #subscribed = new Map<ShadowRequestKind | "delta", Promise<void>>();
  #ending: ThinglineError | undefined;
  /** Ends the waits between two attempts. */
  readonly #stop = new AbortController();

  constructor(id: ShadowId, port: ShadowPort, handlers: ShadowRequestsHandlers) {
    this.#id = id;
    this.#port = port;
    this.#handlers = handlers;
  }

  /** Why nothing is asked any more. */
  get ending(): ThinglineError | undefined {
    return this.#ending;
  }

  /** On a new connection: answers may have been lost with the last one, and asking twice changes nothing. */
  askAgain(): void {
    for (const { kind, send } of [...this.#waiting.values()]) if (kind === "get") send();
  }

  end(error: ThinglineError): void {
    this.#ending = error;
    this.#stop.abort();
    for (const { settle } of [...this.#waiting.values()]) settle(error);
  }

  /** Ends early, without an error, with the device. @throws {ThinglineError} ABORTED, by the signal. */
  async pause(delayMs: number, signal: AbortSignal | undefined): Promise<void> {
    const stop = this.#stop.signal;
    try {
      await this.#port.clock.sleep(delayMs, { signal: signal === undefined ? stop : AbortSignal.any([signal, stop]) });
    } catch (error) {
      if (!stop.aborted) throw error;
    }
  }

  /** 0.1 s to 5 s, with jitter. */
  retryDelayMs(failures: number): number {
    const upperMs = Math.min(lastRetryMs, firstRetryMs * 2 ** Math.min(failures, 10));
    return upperMs / 2 + (fractionOf(this.#port.random) * upperMs) / 2;
  }

  /**
   * Asks, and again after a throttled answer as often as the options say.
   *
   * @throws {ThinglineError} as {@link ShadowClient.get}
   */
  async request(kind: ShadowRequestKind, members: JsonObject, options: ShadowRequestOptions): Promise<ShadowMessage> {
    const { timeoutMs = defaultShadowTimeoutMs, throttledRetriesMax = 0, signal } = options;
    if (!Number.isInteger(timeoutMs) || timeoutMs < 1)
      throw optionInvalid("timeoutMs", "a whole number from 1", timeoutMs);
    if (!Number.isInteger(throttledRetriesMax) || throttledRetriesMax < 0) {
      throw optionInvalid("throttledRetriesMax", "a whole number from 0", throttledRetriesMax);
    }
    for (let retries = 0; ; retries++) {
      try {
        return await this.#port.gate.run(() => this.#ask(kind, members, timeoutMs, signal), signal);
      } catch (error) {
        if (!isThinglineError(error, "THROTTLED") || retries >= throttledRetriesMax) throw error;
        await this.pause(this.retryDelayMs(retries), signal);
      }
    }
  }

  #requireOpen(): void {
    if (this.#ending !== undefined) throw this.#ending;
  }

  async #ask(kind: ShadowRequestKind, members: JsonObject, timeoutMs: number, signal: AbortSignal | undefined) {
    this.#requireOpen();
    await this.subscribe(kind);
    this.#requireOpen();
    if (signal?.aborted) throw abortedError(signal);
    const clientToken = this.#port.random.uuid();
    const payload = encoder.encode(JSON.stringify({ ...members, clientToken }));
    return new Promise<ShadowMessage>((resolve, reject) => {
      let timer: Timer | undefined;
      const abort = (): void => settle(abortedError(signal));
      const settle: Waiting["settle"] = (answer) => {
        if (!this.#waiting.delete(clientToken)) return;
        // Whoever waits is told first: a timer may throw when it is cancelled.
        if (answer instanceof ThinglineError) reject(answer);
        else resolve(answer);
        signal?.removeEventListener("abort", abort);
        timer?.cancel();
      };
      const acknowledged = (): void => {
        if (!this.#waiting.has(clientToken)) return;
        timer?.cancel();
        timer = this.#port.clock.setTimer(timeoutMs, () => {
          timer = undefined;
          settle(timedOut(kind, timeoutMs, this.#port.silenceHint));
        });
      };
      let asked = 0;
      const send = (): void => {
        // A cloud that takes each question and ends the connection instead of an answer would be asked for ever.
        if (++asked > shadowAsksMax) return settle(unansweredGet(asked - 1));
        const publishing = this.#port.publish(shadowTopic(this.#id, kind), payload, signal);
        publishing.then(acknowledged).catch((error: unknown) => settle(asError(error)));
      };
      this.#waiting.set(clientToken, { kind, send, settle });
      signal?.addEventListener("abort", abort, { once: true });
      send();
    });
  }

  /** Once for each kind of request, and again after the cloud took the filters away. */
  subscribe(kind: ShadowRequestKind | "delta"): Promise<void> {
    const known = this.#subscribed.get(kind);
    if (known !== undefined) return known;
    const tails = kind === "delta" ? (["update/delta"] as const) : ([`${kind}/accepted`, `${kind}/rejected`] as const);
    const filters = tails.map((tail) => shadowTopic(this.#id, tail));
    const forget = (): void => {
      if (this.#subscribed.get(kind) === subscribing) this.#subscribed.delete(kind);
    };
    const ended = (error: ThinglineError | undefined): void => {
      forget();
      // No answer comes any more.
      if (error !== undefined) {
        for (const waiting of [...this.#waiting.values()]) if (waiting.kind === kind) waiting.settle(error);
      }
      if (kind === "delta") this.#handlers.deltasEnded(this.#ending === undefined ? error : undefined);
    };
    const listener = (message: DeviceMessage): void => this.#received(kind, message);
    const subscribing: Promise<void> = this.#port.subscribe(filters, listener, ended);
    this.#subscribed.set(kind, subscribing);
    subscribing.catch(forget);
    return subscribing;
  }

  /** Nothing that comes from the network may throw into the session. */
  #received(kind: ShadowRequestKind | "delta", { topic, payload }: DeviceMessage): void {
    try {
      if (kind === "delta") return this.#handlers.delta({ topic, payload });
      const answer = decodeAnswer(topic, payload);
      const waiting = answer.clientToken === undefined ? undefined : this.#waiting.get(answer.clientToken);
      // Somebody else's, or one that we do not wait for any more.
      if (waiting?.kind !== kind) return;
      if (topic.endsWith("/rejected")) waiting.settle(decodeShadowRejected(answer.members));
      else waiting.settle({ topic, payload });
    } catch (error) {
      this.#port.report(asError(error));
    }
  }
}

const unansweredGet = (connectionCount: number) =>
  new ThinglineError("TIMEOUT", `the shadow service answered get on none of ${connectionCount} connections`, {
    details: { connectionCount },
  });

const timedOut = (kind: ShadowRequestKind, timeoutMs: number, hint: string | undefined) =>
  new ThinglineError("TIMEOUT", `the shadow service did not answer ${kind} within ${timeoutMs} ms${hint ?? ""}`, {
    details: { waitedMs: timeoutMs },
  });

export function asError(error: unknown): ThinglineError {
  return error instanceof ThinglineError ? error : brokenError(error, "");
}
