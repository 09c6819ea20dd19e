import {
  isThinglineError,
  kindOf,
  optionInvalid,
  type OptionTypes,
  readOptions,
  type ThinglineError,
} from "@thingline/protocol";
import { checkShadowId, isJsonObject, type JsonObject, type ShadowId } from "@thingline/protocol/shadow/client";
import { abortedError } from "../errors.js";
import { acceptedOf, decodeAnswer, deltaOfMessage, type ShadowAccepted, type ShadowView, viewOf } from "./answers.js";
import { DeltaLoop } from "./delta-loop.js";
import type { DeltaInput, ShadowDelta } from "./delta-view.js";
import {
  asError,
  type ShadowMessage,
  type ShadowPort,
  type ShadowRequestOptions,
  ShadowRequests,
  type ShadowRequestsHandlers,
} from "./shadow-requests.js";
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

export interface ShadowUpdateOptions extends ShadowRequestOptions {
  /** The update is refused with SHADOW_VERSION_CONFLICT unless the document has this version. */
  version?: number;
}

/** How often {@link ShadowClient.report} is made again when it is throttled: some 25 s in all. */
export const defaultReportRetriesMax = 8;
/** How often {@link ShadowClient.modify} reads and writes before it gives up. */
export const defaultShadowAttemptsMax = 5;

const requestTypes = {
  timeoutMs: "number",
  throttledRetriesMax: "number",
  signal: "signal",
} as const satisfies OptionTypes<ShadowRequestOptions>;
const modifyTypes = { ...requestTypes, attemptsMax: "number" } as const;
const updateTypes = { ...requestTypes, version: "number" } as const satisfies OptionTypes<ShadowUpdateOptions>;

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
  readonly #requests: ShadowRequests;
  readonly #port: ShadowPort;
  readonly #loops = new Set<DeltaLoop>();
  #isSyncing = false;
  #isSyncWanted = false;

  /** @throws {ThinglineError} OPTION_INVALID for names that AWS IoT does not take. */
  constructor(id: ShadowId, port: ShadowPort) {
    checkShadowId(id);
    this.#port = port;
    this.#requests = new ShadowRequests(id, port, this.#handlers());
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
    const answer = await this.#requests.request("get", {}, readOptions(options, requestTypes, { of: "get()" }));
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
      const answer = await this.#requests.request("update", members, read);
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
    const answer = await this.#requests.request("delete", {}, readOptions(options, requestTypes, { of: "delete()" }));
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
    else if (this.#requests.ending !== undefined) loop.end(this.#requests.ending);
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
    this.#requests.askAgain();
    if (this.#loops.size > 0) this.#wantSync();
  }

  /** The device is closed. @internal */
  end(error: ThinglineError): void {
    this.#requests.end(error);
    for (const loop of [...this.#loops]) loop.end(undefined);
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
      for (let failures = 0; this.#isSyncWanted && this.#loops.size > 0 && this.#requests.ending === undefined;) {
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
      await this.#requests.subscribe("delta");
      await this.sync();
      return undefined;
    } catch (error) {
      return asError(error);
    }
  }

  async #syncFailed(failure: ThinglineError, failures: number): Promise<void> {
    if (this.#requests.ending !== undefined) return;
    // An answer that cannot be read; one that refuses has the cloud's status.
    const isGarbled = failure.code === "SHADOW_DOCUMENT_INVALID" && failure.details["status"] === undefined;
    if (!isGarbled && !mayPass.has(failure.code)) {
      for (const loop of [...this.#loops]) loop.end(failure);
      return;
    }
    this.#port.report(failure);
    this.#isSyncWanted = true;
    await this.#requests.pause(this.#requests.retryDelayMs(failures), undefined);
  }

  async #getIfThere(options: ShadowRequestOptions): Promise<ShadowView<State> | undefined> {
    try {
      return await this.get(options);
    } catch (error) {
      if (isThinglineError(error, "SHADOW_NOT_FOUND")) return undefined;
      throw error;
    }
  }

  #handlers(): ShadowRequestsHandlers {
    return {
      delta: (message) => this.#deltaReceived(message),
      deltasEnded: (error) => {
        for (const loop of [...this.#loops]) loop.end(error);
      },
    };
  }

  #deltaReceived({ topic, payload }: ShadowMessage): void {
    try {
      this.#tell({ type: "delta", delta: deltaOfMessage(topic, decodeAnswer(topic, payload)) });
    } catch (error) {
      // Something is wanted, perhaps: the document says what.
      this.#tell({ type: "unreadable" });
      throw error;
    }
  }
}

/** Failures of a synchronisation that another attempt may mend. */
const mayPass = new Set(["TIMEOUT", "THROTTLED", "INTERNAL_FAILURE", "LIMIT_EXCEEDED"]);
