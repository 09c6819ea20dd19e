import {
  isThinglineError,
  kindOf,
  optionInvalid,
  type OptionTypes,
  readOptions,
  ThinglineError,
} from "@thingline/protocol";
import {
  checkShadowId,
  decodeShadowRejected,
  isJsonObject,
  type JsonObject,
  type ShadowId,
  shadowTopic,
} from "@thingline/protocol/shadow/client";
import type { Clock, Random, Timer } from "@thingline/transport";
import { abortedError, brokenError } from "../errors.js";
import type { DeviceMessage } from "../topics/message.js";
import { acceptedOf, decodeAnswer, deltaOfMessage, type ShadowAccepted, type ShadowView, viewOf } from "./answers.js";
import { DeltaLoop } from "./delta-loop.js";
import type { DeltaInput, ShadowDelta } from "./delta-view.js";
import {
  copyState,
  copyWishes,
  type ShadowChange,
  type ShadowPatch,
  type ShadowUpdateRequest,
} from "./shadow-state.js";

/** For one loop; leaving it ends it. */
export interface ShadowDeltas<State extends JsonObject = JsonObject> extends AsyncIterableIterator<ShadowDelta<State>> {
  next(): Promise<IteratorResult<ShadowDelta<State>, undefined>>;
  return(): Promise<IteratorResult<ShadowDelta<State>, undefined>>;
  [Symbol.asyncIterator](): ShadowDeltas<State>;
}

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

export interface ShadowUpdateOptions extends ShadowRequestOptions {
  /** The update is refused with SHADOW_VERSION_CONFLICT unless the document has this version. */
  version?: number;
}

export type { ShadowChange, ShadowPatch, ShadowUpdateRequest } from "./shadow-state.js";

export const defaultShadowTimeoutMs = 30_000;
/** How often {@link ShadowClient.report} is made again when it is throttled: some 25 s in all. */
export const defaultReportRetriesMax = 8;
/** How often {@link ShadowClient.modify} reads and writes before it gives up. */
export const defaultShadowAttemptsMax = 5;
/** Connections on which a get is asked, when each ends before the answer. */
export const shadowAsksMax = 10;

const requestTypes = {
  timeoutMs: "number",
  throttledRetriesMax: "number",
  signal: "signal",
} as const satisfies OptionTypes<ShadowRequestOptions>;
const modifyTypes = { ...requestTypes, attemptsMax: "number" } as const;
const updateTypes = { ...requestTypes, version: "number" } as const satisfies OptionTypes<ShadowUpdateOptions>;

type Kind = "get" | "update" | "delete";
interface Waiting {
  kind: Kind;
  send: () => void;
  settle: (answer: { topic: string; payload: Uint8Array } | ThinglineError) => void;
}

const encoder = new TextEncoder();
const firstRetryMs = 200;
const lastRetryMs = 5_000;

/**
 * A device shadow, classic or named, as its device works with it: over MQTT, each request matched to its answer by a
 * client token.
 *
 * Requests that are made between two connections wait for the next one, as every QoS 1 message does. The time-out runs from PUBACK;
 * when the connection is lost after that the answer may be lost with it. A get is then asked again; an update or a delete fails with
 * TIMEOUT, and may have been carried out. At most {@link shadowRequestsInFlightMax} requests of a device are under way.
 *
 * @see AWS IoT developer guide, "Device Shadow MQTT topics"
 */
export class ShadowClient<State extends JsonObject = JsonObject> {
  readonly thingName: string;
  /** Undefined: the classic shadow. */
  readonly name: string | undefined;
  readonly #id: ShadowId;
  readonly #port: ShadowPort;
  readonly #waiting = new Map<string, Waiting>();
  readonly #subscribed = new Map<Kind | "delta", Promise<void>>();
  readonly #loops = new Set<DeltaLoop>();
  #isSyncing = false;
  #isSyncWanted = false;
  #ending: ThinglineError | undefined;
  /** Ends the waits between two attempts. */
  readonly #stop = new AbortController();

  /** @throws {ThinglineError} OPTION_INVALID for names that AWS IoT does not take. */
  constructor(id: ShadowId, port: ShadowPort) {
    checkShadowId(id);
    this.#id = id;
    this.#port = port;
    this.thingName = id.thingName;
    this.name = id.shadowName;
  }

  /**
   * The whole document.
   *
   * @throws {ThinglineError} SHADOW_NOT_FOUND when there is none, THROTTLED, TIMEOUT, INTERNAL_FAILURE, LIMIT_EXCEEDED, and what
   * publish and subscribe throw. `details.status` is the cloud's own code.
   */
  async get(options: ShadowRequestOptions = {}): Promise<ShadowView<State>> {
    const answer = await this.#request("get", {}, readOptions(options, requestTypes, { of: "get()" }));
    const view = viewOf(answer.topic, decodeAnswer(answer.topic, answer.payload));
    return view as ShadowView<State>;
  }

  /**
   * Changes desired or reported state, or both: members are merged, `null` removes one, or a whole section.
   *
   * @throws {ThinglineError} as {@link get}, and SHADOW_VERSION_CONFLICT, SHADOW_DOCUMENT_INVALID, SHADOW_TOO_LARGE.
   */
  async update(request: ShadowUpdateRequest<State>, options: ShadowUpdateOptions = {}): Promise<ShadowAccepted> {
    const read = readOptions(options, updateTypes, { of: "update()" });
    const { version } = read;
    if (version !== undefined && (!Number.isSafeInteger(version) || version < 0)) {
      throw optionInvalid("version", "a whole number from 0", version);
    }
    const state = copyState(request);
    const members = { state, ...(version !== undefined && { version }) };
    const reported = isJsonObject(state["reported"] ?? null) ? (state["reported"] as JsonObject) : undefined;
    if (reported !== undefined) this.#tell({ type: "reporting", reported });
    try {
      const answer = await this.#request("update", members, read);
      const accepted = acceptedOf(answer.topic, decodeAnswer(answer.topic, answer.payload));
      this.#tell({ type: "accepted", version: accepted.version, reported });
      return accepted;
    } catch (error) {
      const conflictWith = isThinglineError(error, "SHADOW_VERSION_CONFLICT") ? version : undefined;
      if (reported !== undefined) this.#tell({ type: "reportFailed", reported, conflictWith });
      throw error;
    }
  }

  /** Every loop gets to know of it; when one may have missed something, the document is asked for. */
  #tell(input: DeltaInput): void {
    for (const loop of [...this.#loops]) if (loop.take(input)) this.#wantSync();
  }

  /**
   * What the device is or has: {@link update} of the reported state alone. In a loop over {@link deltas} it is the answer to a wish, whether it
   * says what was wished or not.
   *
   * While there is such a loop, a report that is throttled is made again {@link defaultReportRetriesMax} times, unless
   * `throttledRetriesMax` says otherwise.
   */
  async report(state: ShadowPatch<State>, options: ShadowUpdateOptions = {}): Promise<ShadowAccepted> {
    if ((state as unknown) === undefined) throw optionInvalid("reported", "an object or null", "nothing");
    const retriesMax = this.#loops.size > 0 ? defaultReportRetriesMax : 0;
    const { throttledRetriesMax = retriesMax, ...others } = readOptions(options, updateTypes, { of: "report()" });
    return this.update({ reported: state }, { ...others, throttledRetriesMax });
  }

  /**
   * Heard, and no: the device cannot or will not do these wishes, and has nothing to report about them. Nothing is sent. Loops that have read
   * them do not tell them again until they change.
   *
   * @param wishes the `state` of a delta, or a part of it
   * @throws {ThinglineError} OPTION_INVALID
   */
  decline(wishes: Partial<State>): void {
    this.#tell({ type: "declined", wishes: copyWishes(wishes) });
  }

  /**
   * Reads the document, lets `change` decide, and writes only if nobody wrote in between; else it starts again.
   *
   * @param change gets undefined when there is no shadow; returns undefined, or a promise of it, to leave it as it is
   * @returns undefined when `change` wanted nothing
   * @throws {ThinglineError} SHADOW_VERSION_CONFLICT after `attemptsMax` attempts (default {@link defaultShadowAttemptsMax}).
   */
  async modify(
    change: (document: ShadowView<State> | undefined) => ShadowChange<State> | Promise<ShadowChange<State>>,
    given: ShadowRequestOptions & { attemptsMax?: number } = {},
  ): Promise<ShadowAccepted | undefined> {
    const read = readOptions(given, modifyTypes, { of: "modify()" });
    if (typeof change !== "function") throw optionInvalid("change", "a function", kindOf(change));
    const { attemptsMax = defaultShadowAttemptsMax, ...options } = read;
    if (!Number.isInteger(attemptsMax) || attemptsMax < 1) {
      throw optionInvalid("attemptsMax", "a whole number from 1", attemptsMax);
    }
    for (let attempt = 1; ; attempt++) {
      const document = await this.#getIfThere(options);
      const request = await change(document);
      if (request === undefined) return undefined;
      try {
        // A deleted shadow keeps its version for 48 hours, so that nothing can be said of the version of none.
        return await this.update(request, document === undefined ? options : { ...options, version: document.version });
      } catch (error) {
        if (!isThinglineError(error, "SHADOW_VERSION_CONFLICT") || attempt >= attemptsMax) throw error;
      }
    }
  }

  /** Deletes the document. @throws {ThinglineError} as {@link get}. */
  async delete(options: ShadowRequestOptions = {}): Promise<ShadowAccepted> {
    const answer = await this.#request("delete", {}, readOptions(options, requestTypes, { of: "delete()" }));
    this.#tell({ type: "absent" });
    return acceptedOf(answer.topic, decodeAnswer(answer.topic, answer.payload));
  }

  /**
   * What is to be changed, now and from now on: first the difference that there is, then each new one. None is lost:
   * every delta holds all differences, so the newest takes the place of one that was not read yet, and with every
   * connection, and when a version was skipped, the whole document is asked for. Nothing comes twice, and nothing older
   * than what came before.
   *
   * A wish that was answered by a report that speaks of it, or by {@link decline}, is told again when the wish changes, and not when the
   * difference merely stays: a device that can only clamp reports once. A wish that was done and comes back is a new one. A report that fails
   * answers nothing. A new loop is told everything once.
   *
   * The loop ends with `close()` of the device, without an error. It throws ABORTED by the signal, MQTT_SUBSCRIPTION_REFUSED, other
   * refusals of the shadow service, and what made the device give up. Several loops each get every delta.
   */
  deltas(options: { signal?: AbortSignal } = {}): ShadowDeltas<State> {
    const { signal } = readOptions(options, { signal: "signal" }, { of: "deltas()" });
    const loop = new DeltaLoop(signal, (ended) => this.#loops.delete(ended));
    if (signal?.aborted) loop.end(abortedError(signal));
    else if (this.#ending !== undefined) loop.end(this.#ending);
    else {
      this.#loops.add(loop);
      this.#wantSync();
    }
    return loop as unknown as ShadowDeltas<State>;
  }

  /** Asks for the document, so that every loop of {@link deltas} is up to date. Resolves when they are. */
  async sync(options: ShadowRequestOptions = {}): Promise<void> {
    const asked = new Map([...this.#loops].map((loop) => [loop, loop.inputCount]));
    const document = await this.#getIfThere(options);
    if (document === undefined) return this.#tell({ type: "absent" });
    const { version, timestamp, state, metadata } = document;
    const delta =
      state.delta === undefined
        ? undefined
        : { state: state.delta, metadata: metadata.delta ?? {}, version, timestamp };
    for (const loop of [...this.#loops]) {
      const askedAt = asked.get(loop) ?? loop.inputCount;
      if (loop.take({ type: "document", version, timestamp, delta, askedAt })) this.#wantSync();
    }
  }

  /** The device is ready, on a new connection: something may have been missed. @internal */
  deviceReady(): void {
    // Their answers may have been lost with the connection, and asking twice changes nothing.
    for (const { kind, send } of [...this.#waiting.values()]) if (kind === "get") send();
    if (this.#loops.size > 0) this.#wantSync();
  }

  /** The device is closed. @internal */
  end(error: ThinglineError): void {
    this.#ending = error;
    this.#stop.abort();
    for (const loop of [...this.#loops]) loop.end(undefined);
    for (const { settle } of [...this.#waiting.values()]) settle(error);
  }

  // ---- synchronising -------------------------------------------------------------------------------------------

  /** One after the other; one that is wanted while one runs comes after it. */
  #wantSync(): void {
    this.#isSyncWanted = true;
    if (this.#isSyncing) return;
    void this.#syncWhileWanted().catch((error: unknown) => {
      for (const loop of [...this.#loops]) loop.end(asError(error));
    });
  }

  async #syncWhileWanted(): Promise<void> {
    this.#isSyncing = true;
    try {
      for (let failures = 0; this.#isSyncWanted && this.#loops.size > 0 && this.#ending === undefined;) {
        this.#isSyncWanted = false;
        const failure = await this.#syncOnce();
        if (failure === undefined) failures = 0;
        // `ready` asks again, with the next connection.
        else if (failure.code !== "CONNECTION_LOST") await this.#syncFailed(failure, failures++);
      }
    } finally {
      this.#isSyncing = false;
    }
  }

  async #syncOnce(): Promise<ThinglineError | undefined> {
    try {
      // First the deltas, then the document: what comes in between comes at least once.
      await this.#subscribe("delta");
      await this.sync();
      return undefined;
    } catch (error) {
      return asError(error);
    }
  }

  async #syncFailed(failure: ThinglineError, failures: number): Promise<void> {
    if (this.#ending !== undefined) return;
    // An answer that cannot be read; one that refuses has the cloud's status.
    const isGarbled = failure.code === "SHADOW_DOCUMENT_INVALID" && failure.details["status"] === undefined;
    if (!isGarbled && !mayPass.has(failure.code)) {
      for (const loop of [...this.#loops]) loop.end(failure);
      return;
    }
    this.#port.report(failure);
    this.#isSyncWanted = true;
    await this.#pause(this.#retryDelayMs(failures), undefined);
  }

  /** Ends early, without an error, with the device. @throws {ThinglineError} ABORTED, by the signal. */
  async #pause(delayMs: number, signal: AbortSignal | undefined): Promise<void> {
    const stop = this.#stop.signal;
    try {
      await this.#port.clock.sleep(delayMs, { signal: signal === undefined ? stop : AbortSignal.any([signal, stop]) });
    } catch (error) {
      if (!stop.aborted) throw error;
    }
  }

  #retryDelayMs(failures: number): number {
    const upperMs = Math.min(lastRetryMs, firstRetryMs * 2 ** Math.min(failures, 10));
    return upperMs / 2 + (this.#port.random.fraction() * upperMs) / 2;
  }

  // ---- requests ------------------------------------------------------------------------------------------------

  async #getIfThere(options: ShadowRequestOptions): Promise<ShadowView<State> | undefined> {
    try {
      return await this.get(options);
    } catch (error) {
      if (isThinglineError(error, "SHADOW_NOT_FOUND")) return undefined;
      throw error;
    }
  }

  async #request(kind: Kind, members: JsonObject, options: ShadowRequestOptions) {
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
        await this.#pause(this.#retryDelayMs(retries), signal);
      }
    }
  }

  #requireOpen(): void {
    if (this.#ending !== undefined) throw this.#ending;
  }

  async #ask(kind: Kind, members: JsonObject, timeoutMs: number, signal: AbortSignal | undefined) {
    this.#requireOpen();
    await this.#subscribe(kind);
    this.#requireOpen();
    if (signal?.aborted) throw abortedError(signal);
    const clientToken = this.#port.random.uuid();
    const payload = encoder.encode(JSON.stringify({ ...members, clientToken }));
    return new Promise<{ topic: string; payload: Uint8Array }>((resolve, reject) => {
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
  #subscribe(kind: Kind | "delta"): Promise<void> {
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
      if (kind === "delta")
        for (const loop of [...this.#loops]) loop.end(this.#ending === undefined ? error : undefined);
    };
    const listener = (message: DeviceMessage): void => this.#received(kind, message);
    const subscribing: Promise<void> = this.#port.subscribe(filters, listener, ended);
    this.#subscribed.set(kind, subscribing);
    subscribing.catch(forget);
    return subscribing;
  }

  #deltaReceived(topic: string, payload: Uint8Array): void {
    try {
      this.#tell({ type: "delta", delta: deltaOfMessage(topic, decodeAnswer(topic, payload)) });
    } catch (error) {
      // Something is wanted, perhaps: the document says what.
      this.#tell({ type: "unreadable" });
      throw error;
    }
  }

  /** Nothing that comes from the network may throw into the session. */
  #received(kind: Kind | "delta", { topic, payload }: DeviceMessage): void {
    try {
      if (kind === "delta") return this.#deltaReceived(topic, payload);
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

/** Failures of a synchronisation that another attempt may mend. */
const mayPass = new Set(["TIMEOUT", "THROTTLED", "INTERNAL_FAILURE", "LIMIT_EXCEEDED"]);

const unansweredGet = (connectionCount: number) =>
  new ThinglineError("TIMEOUT", `the shadow service answered get on none of ${connectionCount} connections`, {
    details: { connectionCount },
  });

const timedOut = (kind: Kind, timeoutMs: number, hint: string | undefined) =>
  new ThinglineError("TIMEOUT", `the shadow service did not answer ${kind} within ${timeoutMs} ms${hint ?? ""}`, {
    details: { waitedMs: timeoutMs },
  });

function asError(error: unknown): ThinglineError {
  return error instanceof ThinglineError ? error : brokenError(error, "");
}
