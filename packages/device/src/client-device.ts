import { isThinglineError, ThinglineError } from "@thingline/protocol";
import {
  type ClientPacket,
  ClientSession,
  type ClientSessionEffects,
  type ConnectionTerms,
  type Disposition,
  OutboundPublish,
  type OutboundSubscribe,
  type OutboundUnsubscribe,
  type PublishPacket,
} from "@thingline/protocol/mqtt";
import type { Clock, Connection, Timer } from "@thingline/transport";
import type { Device, PublishOptions, SubscribeOptions } from "./client.js";
import { describeCredentials, dial } from "./client-dial.js";
import {
  abortedError,
  disconnectReasonOf,
  droppedError,
  oversizeError,
  refusedOf,
  subscriptionRefusal,
} from "./client-errors.js";
import {
  type DeviceEventName,
  type DeviceListener,
  type DeviceMessage,
  type DisconnectReason,
  EventHub,
  type RefusedFilter,
} from "./client-events.js";
import { DeviceLink } from "./client-link.js";
import { type CheckedOptions, type ConnectDeviceOptions, invalid, packetBytesMaxOf } from "./client-options.js";
import { attemptError, type AttemptFacts, connectResultOf, dialError } from "./client-result.js";
import type { Delivery, DeviceSubscription, MessageListener } from "./client-subscription.js";
import { DeviceTopics } from "./client-topics.js";
import { abortable, type Settle } from "./client-waiter.js";

/** Messages kept between CONNACK and the moment when the caller of {@link connectDevice} can have added listeners. */
export const heldMessagesMax = 1000;

const ignore: Settle = () => undefined;
const done = Promise.resolve();
const encoder = new TextEncoder();

/** The one implementation of {@link Device}. */
export class DeviceClient implements Device {
  readonly clientId: string;
  readonly closed: Promise<void>;
  readonly #options: ConnectDeviceOptions;
  readonly #checked: CheckedOptions;
  readonly #clock: Clock;
  readonly #hub: EventHub;
  readonly #session: ClientSession<Settle>;
  readonly #topics: DeviceTopics;
  #resolveClosed: () => void = () => undefined;
  #link: DeviceLink | undefined;
  #phase: "dialing" | "starting" | "ready" | "closing" | "ended" = "dialing";
  #attempt: { resolve: () => void; reject: (error: ThinglineError) => void } | undefined;
  #ending: { reason: DisconnectReason; error: ThinglineError | undefined } | undefined;
  #disconnecting: Promise<void> | undefined;
  #idle: (() => void) | undefined;
  #timer: Timer | undefined;
  #timerAtMs = Infinity;
  #closeTimer: Timer | undefined;
  #held: (() => void)[] | undefined = [];
  #wasConnected = false;
  #isPersistentSession = false;
  #refusedFilters: readonly RefusedFilter[] = [];

  constructor(options: ConnectDeviceOptions, checked: CheckedOptions) {
    this.#options = options;
    this.#checked = checked;
    this.#clock = options.clock;
    this.clientId = options.clientId;
    this.#hub = new EventHub(options.on);
    if (options.on?.data !== undefined) this.#held = undefined;
    this.#topics = new DeviceTopics(checked.applicationTopics, {
      requireUsable: () => this.#requireUsable(),
      isOpen: () => this.#session.state === "connected" && this.#phase !== "closing",
      send: (request) => this.#request(request),
      run: (listener, message) => this.#hub.run(listener, message, "subscription"),
      report: (error) => this.#reportLate(error),
    });
    this.#session = new ClientSession<Settle>(checked.session, this.#effects());
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve));
  }

  get isConnected(): boolean {
    return this.#session.state === "connected";
  }

  get isPersistentSession(): boolean {
    return this.#isPersistentSession;
  }

  get refusedFilters(): readonly RefusedFilter[] {
    return this.#refusedFilters;
  }

  get connection(): Connection {
    if (this.#link === undefined) throw new Error("a device is handed out with a connection");
    return this.#link.connection;
  }

  on<Name extends DeviceEventName>(name: Name, listener: DeviceListener<Name>): () => void {
    return this.#hub.on(name, listener);
  }

  off<Name extends DeviceEventName>(name: Name, listener: DeviceListener<Name>): void {
    this.#hub.off(name, listener);
  }

  // ---- connecting ----------------------------------------------------------------------------------------------

  async start(): Promise<void> {
    const { signal } = this.#options;
    let connection: Connection;
    this.#emit("connecting", {});
    try {
      if (signal?.aborted) throw abortedError(signal);
      connection = await dial(this.#options, this.#checked);
      if (signal?.aborted) {
        connection.destroy();
        throw abortedError(signal);
      }
    } catch (thrown) {
      const error = dialError(thrown, this.#facts(undefined));
      this.#phase = "ended";
      this.#resolveClosed();
      this.#emit("connecting", { result: connectResultOf(error), error });
      throw error;
    }
    await this.#open(connection, signal);
  }

  async #open(connection: Connection, signal: AbortSignal | undefined): Promise<void> {
    const { session, payloadBytesMax } = this.#checked;
    const link = new DeviceLink(connection, session.version, packetBytesMaxOf(payloadBytesMax));
    this.#link = link;
    this.#phase = "starting";
    const ready = new Promise<void>((resolve, reject) => (this.#attempt = { resolve, reject }));
    const abort = (): void => this.#endNow("userRequest", abortedError(signal));
    signal?.addEventListener("abort", abort, { once: true });
    this.#session.connectionOpened(this.#clock.monotonicMs());
    link.start({
      packet: (packet) => {
        this.#session.packetReceived(packet, this.#clock.monotonicMs());
        return this.#session.state !== "offline";
      },
      malformed: (error) => this.#session.fail(error, this.#clock.monotonicMs()),
      inputHandled: () => this.#arm(),
      drained: () => {
        this.#session.setWritable(true, this.#clock.monotonicMs());
        this.#arm();
      },
      closed: (error) => this.#linkClosed(error),
    });
    this.#arm();
    try {
      await ready;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }

  #connected(terms: ConnectionTerms): void {
    this.#wasConnected = true;
    this.#isPersistentSession = terms.isSessionPresent;
    const { clientId, keepAliveSeconds } = terms;
    this.#emit("connected", { isPersistentSession: terms.isSessionPresent, clientId, keepAliveSeconds });
    const topics = this.#checked.applicationTopics;
    if (terms.isSessionPresent || topics.length === 0) {
      this.#ready([]);
      return;
    }
    const refused: RefusedFilter[] = [];
    let unanswered = 0;
    this.#topics.request(topics, 1, (filters) => {
      unanswered += 1;
      return (outcome) => {
        unanswered -= 1;
        if (outcome instanceof ThinglineError) return this.#subscribingFailed(outcome);
        refused.push(...refusedOf(filters, outcome ?? []));
        if (unanswered === 0) this.#ready(refused);
      };
    });
  }

  #subscribingFailed(error: ThinglineError): void {
    if (this.#phase === "starting") this.#endNow("misc", error);
  }

  #ready(refusedFilters: readonly RefusedFilter[]): void {
    if (this.#phase !== "starting") return;
    this.#phase = "ready";
    this.#refusedFilters = refusedFilters;
    for (const refused of refusedFilters) this.#emit("error", { error: subscriptionRefusal(refused) });
    this.#emit("ready", { isPersistentSession: this.#isPersistentSession, refusedFilters });
    this.#attempt?.resolve();
    this.#attempt = undefined;
    if (this.#held !== undefined) this.#clock.afterTurn(() => this.#releaseHeld());
  }

  // ---- requests ------------------------------------------------------------------------------------------------

  publish(topic: string, payload: Uint8Array | string, options: PublishOptions = {}): Promise<void> {
    const { qos = 1, isRetained = false, properties, signal } = options;
    try {
      this.#requireUsable();
      if (qos !== 0 && qos !== 1) throw invalid("qos", "0 or 1", qos);
      if (properties !== undefined && this.#checked.session.version === 4) {
        throw invalid("properties", "none in MQTT 3.1.1", "an object");
      }
      if (signal?.aborted) throw abortedError(signal);
      const bytes = typeof payload === "string" ? encoder.encode(payload) : payload;
      const publish = new OutboundPublish<Settle>(topic, bytes, qos, isRetained, ignore, properties);
      const isSent = this.#session.publish(publish, this.#clock.monotonicMs());
      this.#arm();
      // What the connection took at once needs no promise of its own.
      if (isSent && qos === 0) return done;
      return new Promise<void>((resolve, reject) => {
        const settle: Settle = (outcome) => (outcome instanceof ThinglineError ? reject(outcome) : resolve());
        publish.owner = abortable(signal, settle, () => {
          this.#session.abandon(publish);
          this.#checkIdle();
        });
      });
    } catch (error) {
      return rejection(error);
    }
  }

  async subscribe(
    filters: string | readonly string[],
    second: MessageListener | SubscribeOptions = {},
    third: SubscribeOptions = {},
  ): Promise<DeviceSubscription> {
    return typeof second === "function"
      ? this.#topics.subscribe(filters, second, third)
      : this.#topics.subscribe(filters, undefined, second);
  }

  unsubscribe(filters: string | readonly string[], { signal }: { signal?: AbortSignal } = {}): Promise<void> {
    return this.#topics.unsubscribe(filters, signal);
  }

  #request(request: OutboundSubscribe<Settle> | OutboundUnsubscribe<Settle>): void {
    const nowMs = this.#clock.monotonicMs();
    if (request.type === "subscribe") this.#session.subscribe(request, nowMs);
    else this.#session.unsubscribe(request, nowMs);
    this.#arm();
  }

  ping(): void {
    this.#requireUsable();
    try {
      this.#session.ping(this.#clock.monotonicMs());
    } finally {
      this.#arm();
    }
  }

  keepAliveTimeLeftMs(): number {
    return this.#session.keepAliveTimeLeftMs(this.#clock.monotonicMs());
  }

  #requireUsable(): void {
    if (this.#phase === "ready" || this.#phase === "starting") return;
    const error = this.#ending?.error;
    const why = error === undefined ? "the device was disconnected" : `the connection ended: ${error.message}`;
    throw new ThinglineError("CLOSED", why, { cause: error });
  }

  // ---- messages ------------------------------------------------------------------------------------------------

  #message(packet: PublishPacket, connectionNumber: number): Disposition {
    const { payloadBytesMax } = this.#checked;
    if (packet.payload.length > payloadBytesMax) {
      this.#emit("error", { error: oversizeError(packet.topic, packet.payload.length, payloadBytesMax) });
      return "settled";
    }
    if (this.#held !== undefined) return this.#hold(this.#held, packet, connectionNumber);
    const delivery = this.#deliver(packet);
    if (delivery === undefined) return "settled";
    if (packet.qos === 1) void delivery.then(() => this.#settleMessage(packet, connectionNumber));
    return "pending";
  }

  #deliver(message: DeviceMessage): Delivery {
    const { subscriptions, isData } = this.#topics.router.route(message.topic);
    let delivery: Delivery = isData ? this.#hub.emit("data", message) : undefined;
    for (const subscription of subscriptions) {
      const own = subscription.deliver(message);
      if (own === "dropped") this.#emit("error", { error: droppedError(message.topic, "the subscription's queue") });
      else if (own !== undefined) delivery = delivery === undefined ? own : delivery.then(() => own);
    }
    return delivery;
  }

  /** Nobody can have added listeners yet. */
  #hold(held: (() => void)[], packet: PublishPacket, connectionNumber: number): Disposition {
    if (held.length >= heldMessagesMax && packet.qos === 0) {
      this.#emit("error", { error: droppedError(packet.topic, "the queue before ready") });
      return "settled";
    }
    held.push(() => {
      const delivery = this.#deliver(packet);
      if (packet.qos === 0) return;
      if (delivery === undefined) this.#settleMessage(packet, connectionNumber);
      else void delivery.then(() => this.#settleMessage(packet, connectionNumber));
    });
    return "pending";
  }

  #releaseHeld(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const deliver of held) deliver();
  }

  #settleMessage(packet: PublishPacket, connectionNumber: number): void {
    this.#session.settle(packet.packetId ?? 0, connectionNumber, this.#clock.monotonicMs());
    this.#arm();
  }

  #setReading(isReading: boolean): void {
    if (isReading) this.#link?.connection.resume();
    else if (this.#phase !== "starting") this.#link?.connection.pause();
    // Before `ready` the answers to SUBSCRIBE must still come in: what is held is bounded by failing instead.
    else this.#endNow("misc", droppedError("*", "the queue before ready: pass a `data` listener in `on`"));
  }

  // ---- time and ending -----------------------------------------------------------------------------------------

  #arm(): void {
    const atMs = this.#session.wakeAtMs;
    if (atMs >= this.#timerAtMs || this.#phase === "ended") return;
    this.#timer?.cancel();
    this.#timerAtMs = atMs;
    this.#timer = this.#clock.setTimer(Math.max(0, atMs - this.#clock.monotonicMs()), () => {
      this.#timerAtMs = Infinity;
      this.#session.tick(this.#clock.monotonicMs());
      this.#arm();
    });
  }

  disconnect(): Promise<void> {
    this.#disconnecting ??= this.#disconnect();
    return this.#disconnecting;
  }

  close(): Promise<void> {
    return this.disconnect();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.disconnect();
  }

  async #disconnect(): Promise<void> {
    if (this.#phase === "ready") {
      this.#phase = "closing";
      await this.#drain();
      this.#endNow("userRequest", undefined);
    }
    await this.closed;
  }

  /** Waits for what was published before, for `closeTimeoutMs` at the most. */
  async #drain(): Promise<void> {
    if (!this.#session.isAwaited) return;
    const idle = new Promise<void>((resolve) => (this.#idle = resolve));
    const timer = this.#clock.setTimer(this.#checked.closeTimeoutMs, () => this.#idle?.());
    await idle;
    this.#idle = undefined;
    timer.cancel();
  }

  #checkIdle(): void {
    if (!this.#session.isAwaited) this.#idle?.();
  }

  /** Ends the connection by our own decision. */
  #endNow(reason: DisconnectReason, error: ThinglineError | undefined): void {
    if (this.#ending !== undefined || this.#phase === "ended") return;
    this.#ending = { reason, error };
    this.#session.disconnect(this.#clock.monotonicMs());
  }

  /** The session has ended the connection: `#ending` tells why when it was ours to decide. */
  #sessionClosed(error: ThinglineError | undefined): void {
    this.#ending ??= { reason: disconnectReasonOf(error), error };
    this.#phase = "closing";
    const link = this.#link;
    if (link === undefined) return;
    if (error?.code === "MQTT_CONNECT_REFUSED") {
      this.#emit("error", { error });
    }
    this.#closeTimer = this.#clock.setTimer(this.#checked.closeTimeoutMs, () => link.connection.destroy());
    // Over a dead link there is nobody to say goodbye to.
    if (error?.code === "CONNECTION_LOST") link.connection.destroy();
    else void link.connection.close();
  }

  #linkClosed(error: ThinglineError | undefined): void {
    if (this.#phase === "ended") return;
    const ending = (this.#ending ??= { reason: "closedByRemote", error: error ?? this.#closedByRemote() });
    this.#session.connectionClosed();
    const wasStarting = this.#attempt !== undefined;
    this.#phase = "ended";
    this.#timer?.cancel();
    this.#closeTimer?.cancel();
    const failure = wasStarting ? this.#attemptFailure(ending.error) : ending.error;
    const closed = new ThinglineError("CLOSED", "the device was disconnected before this was answered");
    this.#session.discard(failure ?? closed);
    this.#idle?.();
    this.#topics.end(failure);
    this.#emit(
      "disconnected",
      failure === undefined ? { reason: ending.reason } : { reason: ending.reason, error: failure },
    );
    if (failure !== undefined) this.#attempt?.reject(failure);
    this.#attempt = undefined;
    this.#resolveClosed();
  }

  /** Why {@link connectDevice} fails: before CONNACK with advice, after it as it is. */
  #attemptFailure(error: ThinglineError | undefined): ThinglineError {
    if (error !== undefined && (this.#wasConnected || error.code === "ABORTED")) return error;
    if (this.#wasConnected) return this.#closedByRemote();
    return attemptError(error, this.#facts(this.#link?.connection.secure?.protocol));
  }

  #closedByRemote(): ThinglineError {
    const { inFlightCount } = this.#session;
    const hint =
      inFlightCount === 0
        ? ""
        : `; unacknowledged messages: ${inFlightCount}. AWS IoT closes the connection when a policy denies a publish`;
    const details = { inFlightCount };
    return new ThinglineError("CONNECTION_LOST", `the server closed the connection${hint}`, { details });
  }

  #facts(protocol: AttemptFacts["protocol"]): AttemptFacts {
    const { host, port } = this.#checked;
    return { host, port, clientId: this.clientId, protocol, ...describeCredentials(this.#options) };
  }

  #reportLate(error: unknown): void {
    if (!isThinglineError(error)) throw error;
    if (error.code !== "CLOSED" && error.code !== "CONNECTION_LOST") this.#emit("error", { error });
  }

  #emit<Name extends DeviceEventName>(name: Name, event: Parameters<DeviceListener<Name>>[0]): void {
    void this.#hub.emit(name, event);
  }

  #effects(): ClientSessionEffects<Settle> {
    return {
      send: (packet: ClientPacket<Settle>) => {
        if (this.#link?.send(packet) === false) this.#session.setWritable(false, this.#clock.monotonicMs());
      },
      close: (error) => this.#sessionClosed(error),
      connected: (terms) => this.#connected(terms),
      message: (packet, connectionNumber) => this.#message(packet, connectionNumber),
      setReading: (isReading) => this.#setReading(isReading),
      publishSettled: (publish, error) => {
        publish.owner(error);
        if (this.#idle !== undefined) this.#checkIdle();
      },
      publishSent: (publish) => publish.owner(undefined),
      pubackReceived: (packetId, reasonCode) => this.#emit("puback", { packetId, reasonCode }),
      subscribeSettled: (subscribe, outcome) => subscribe.owner(outcome),
      unsubscribeSettled: (unsubscribe, outcome) => unsubscribe.owner(outcome),
      pingAnswered: () => this.#emit("pingresp", {}),
      warned: (error) => this.#emit("error", { error }),
    };
  }
}

async function rejection(error: unknown): Promise<never> {
  throw error;
}
