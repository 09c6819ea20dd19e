import {
  checkOptionTypes,
  isBytes,
  isThinglineError,
  kindOf,
  optionInvalid,
  ThinglineError,
} from "@thingline/protocol";
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
import { type JsonObject, shadowTopic } from "@thingline/protocol/shadow";
import type { Clock, Connection, Random } from "@thingline/transport";
import { type ConnectorPort, DeviceConnector } from "../connection/connector.js";
import { alreadyConnectedError } from "../connection/errors.js";
import type { AttemptEvent, EndEvent } from "../connection/events.js";
import { Fence } from "../connection/fence.js";
import { HeldInput, type PollOptions, type PollResult } from "../connection/held-input.js";
import type { RecordTooLargeEvent } from "../connection/records.js";
import type { ConnectOptions, Device, DeviceState, PublishOptions } from "../device.js";
import { abortedError } from "../errors.js";
import { OfflineQueue, type OfflineQueuePort } from "../offline-queue/offline-queue.js";
import { checkExpiry } from "../offline-queue/options.js";
import type { OfflineMessage, OfflineQueueStats } from "../offline-queue/types.js";
import { ShadowAsks } from "../shadow/shadow-asks.js";
import type { ShadowClient } from "../shadow/shadow-client.js";
import { DeviceShadows } from "../shadow/shadows.js";
import { type RefusedFilter, subscriptionRefusal } from "../topics/filters.js";
import { DeviceInbox, droppedError, type InboxPort } from "../topics/inbox.js";
import type { Delivery, DeviceMessage, MessageListener } from "../topics/message.js";
import type { DeviceSubscription, SubscribeOptions } from "../topics/subscription.js";
import { DeviceTopics, type TopicsPort } from "../topics/topics.js";
import { abortable, type Settle } from "../topics/waiter.js";
import { announcedRecordBytesOf, type CheckedOptions, topicsOf } from "./check-options.js";
import { checkSecTag, secTagWarning } from "./check-reach.js";
import { EventHub } from "./event-hub.js";
import type { DeviceEventName, DeviceEvents, DeviceListener } from "./events.js";
import { connectOptionTypes, pollOptionTypes, signalOptionTypes, subscribeOptionTypes } from "./option-types.js";
import type { DeviceOptions } from "./options.js";
import { checkPublishOptions } from "./publish-options.js";

const ignore: Settle = () => undefined;
const done = Promise.resolve();
const noOptions: PublishOptions = {};
const noFilters: readonly RefusedFilter[] = [];
const encoder = new TextEncoder();
/** Told to nobody. */
const takenBack = new ThinglineError("CONNECTION_LOST", "the message went back to the offline queue");

/** The one implementation of {@link Device}: requests of the application, and what the session has to say. */
export class DeviceClient implements Device {
  readonly clientId: string;
  #closed: Promise<void> | undefined;
  readonly #checked: CheckedOptions;
  readonly #clock: Clock;
  readonly #hub: EventHub;
  readonly #session: ClientSession<Settle>;
  readonly #topics: DeviceTopics;
  readonly #inbox: DeviceInbox;
  readonly #connector: DeviceConnector;
  readonly #offline: OfflineQueue | undefined;
  readonly #random: Random;
  /** Made with the first shadow. */
  #shadows: DeviceShadows | undefined;
  /** Made when records that are too large keep ending connections. */
  #fence: Fence | undefined;
  #asks: ShadowAsks | undefined;
  /** Undefined: the device drives itself. */
  readonly #held: HeldInput | undefined;
  readonly #hasSecTag: boolean;
  #warning: ThinglineError | undefined;
  #opening: { isAbandoned: boolean } | undefined;
  #isPersistentSession = false;
  #refusedFilters: readonly RefusedFilter[] = noFilters;

  /** @param isHolding messages of the first connection wait until its caller can have added listeners */
  constructor(options: DeviceOptions, checked: CheckedOptions, isHolding: boolean) {
    this.#checked = checked;
    this.#clock = options.clock;
    this.clientId = options.clientId;
    this.#hub = new EventHub(options.on);
    const inside = new DeviceClient.Inside(this);
    const shadowTopics = checked.shadowTopics.map((tail) => shadowTopic({ thingName: options.clientId }, tail));
    const { applicationTopics, trustsSession, quotas } = checked;
    this.#topics = new DeviceTopics({ applicationTopics, shadowTopics, trustsSession, quotas }, inside);
    this.#inbox = new DeviceInbox(this.#topics.router, checked.payloadBytesMax, isHolding, inside);
    this.#session = new ClientSession<Settle>(checked.session, inside);
    this.#held = checked.session.isKeepAliveAutomatic === false ? new HeldInput(options.clock) : undefined;
    this.#connector = new DeviceConnector(options, checked, this.#session, this.#held, inside);
    this.#random = options.random;
    const { offlineQueue } = checked;
    this.#offline = offlineQueue && new OfflineQueue(offlineQueue, options.clock, this.#offlinePort());
    const { secTag } = options as { secTag?: number };
    this.#hasSecTag = secTag !== undefined;
    this.#warning = secTag === undefined ? undefined : secTagWarning(secTag);
  }

  get closed(): Promise<void> {
    // The folder of the queue stays ours until the session has said what became of each message.
    this.#closed ??= this.#connector.closed.then(() => this.#offline?.close());
    return this.#closed;
  }

  get state(): DeviceState {
    return this.#connector.state;
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

  get connection(): Connection | undefined {
    return this.#connector.link?.connection;
  }

  get offlineQueue(): OfflineQueueStats | undefined {
    return this.#offline?.stats;
  }

  on<Name extends DeviceEventName>(name: Name, listener: DeviceListener<Name>): () => void {
    return this.#hub.on(name, listener);
  }

  off<Name extends DeviceEventName>(name: Name, listener: DeviceListener<Name>): void {
    this.#hub.off(name, listener);
  }

  // ---- connections ---------------------------------------------------------------------------------------------

  async connect(options: ConnectOptions = {}): Promise<void> {
    checkOptionTypes(options, connectOptionTypes, { of: "connect()" });
    const { signal, applicationTopics, secTag } = options;
    const topics = applicationTopics === undefined ? undefined : topicsOf(applicationTopics, this.#checked.quotas);
    if (secTag !== undefined) checkSecTag(secTag, this.#hasSecTag);
    this.#connector.requireIdle();
    if (secTag !== undefined) this.#warning = secTagWarning(secTag);
    this.#warnOnce();
    // A listener of the warning may have done anything.
    this.#connector.requireIdle();
    if (this.#offline?.isOpen === false) await this.#openQueue(this.#offline);
    if (topics !== undefined) this.#topics.router.applicationTopics = topics;
    await this.#connector.connect(signal, secTag);
  }

  /** The device is idle all the while; whoever disconnects it means this call. */
  async #openQueue(offline: OfflineQueue): Promise<void> {
    if (this.#opening !== undefined) throw alreadyConnectedError("reading its offline queue");
    const opening = { isAbandoned: false };
    this.#opening = opening;
    try {
      await offline.open();
    } finally {
      this.#opening = undefined;
    }
    this.#connector.requireIdle();
    if (opening.isAbandoned) throw new ThinglineError("ABORTED", "disconnect() was called before the device was ready");
  }

  #warnOnce(): void {
    const warning = this.#warning;
    this.#warning = undefined;
    if (warning !== undefined) this.#emit("warning", { warning });
  }

  disconnect(): Promise<void> {
    if (this.#opening !== undefined) this.#opening.isAbandoned = true;
    return this.#connector.disconnect();
  }

  close(): Promise<void> {
    const { closed } = this;
    void this.#connector.close();
    return closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #connected(terms: ConnectionTerms): void {
    if (!this.#connector.connected(terms.isSessionPresent)) return;
    this.#inbox.connected(terms.isSessionPresent);
    this.#isPersistentSession = terms.isSessionPresent;
    const { clientId, keepAliveSeconds } = terms;
    this.#emit("connected", { isPersistentSession: terms.isSessionPresent, clientId, keepAliveSeconds });
    // A listener may have ended it.
    if (!this.#connector.isStarting) return;
    const isCautious = this.#connector.isRecordCautious && this.#held === undefined;
    const restore = (): void => this.#restore(terms.isSessionPresent, isCautious);
    // What waits in the session comes before anything is asked for.
    if (isCautious && terms.isSessionPresent) this.#fenced(restore);
    else restore();
  }

  #restore(isSessionPresent: boolean, isCautious: boolean): void {
    if (!this.#connector.isStarting) return;
    const alone = {
      first: this.#connector.suspectFilter,
      fence: (then: () => void) => this.#fenced(then),
      passed: (filter: string) => this.#connector.exonerate(filter),
    };
    this.#topics.restore(isSessionPresent, {
      done: (refused) => this.#ready(refused),
      failed: (error) => {
        if (this.#connector.isStarting) this.#connector.endNow("misc", error);
      },
      ...(isCautious ? { alone } : {}),
    });
  }

  /** Goes on when the server has handled what was sent, unless the connection ends before. */
  #fenced(then: () => void): void {
    this.#fence ??= new Fence(this.#clock);
    this.#fence.wait(then);
    this.#session.probe(this.#clock.monotonicMs());
    this.#connector.arm();
  }

  #ready(refusedFilters: readonly RefusedFilter[]): void {
    if (!this.#connector.isStarting) return;
    // The original's order: a new session asks before `ready`, a resumed one after it.
    if (!this.#isPersistentSession) this.#requestShadow();
    this.#connector.ready();
    this.#refusedFilters = refusedFilters.length === 0 ? noFilters : refusedFilters;
    for (const refused of refusedFilters) this.#emit("error", { error: subscriptionRefusal(refused) });
    this.#emit("ready", { isPersistentSession: this.#isPersistentSession, refusedFilters });
    this.#shadows?.ready();
    if (this.#isPersistentSession) this.#requestShadow();
    // PINGRESP will show that nothing sent so far was the reason if the server closes again.
    if (this.#connector.isSuspicious) this.#session.probe(this.#clock.monotonicMs());
    this.#connector.settleCaller();
    this.#offline?.pump();
    if (this.#inbox.isHolding) this.#clock.afterTurn(() => this.#inbox.release());
  }

  #requestShadow(): void {
    if (!this.#checked.requestsShadow || !this.#connector.isOpen) return;
    const topic = shadowTopic({ thingName: this.clientId }, "get");
    if (this.#connector.isRecordCautious) this.#noteAsk(topic);
    this.#session.publish(
      new OutboundPublish<Settle>(topic, new Uint8Array(0), 0, false, ignore, undefined),
      this.#clock.monotonicMs(),
    );
  }

  /** An answer that is too large shows as the one that never came. */
  #noteAsk(topic: string): void {
    this.#asks ??= new ShadowAsks();
    this.#asks.published(topic);
  }

  #setReading(isReading: boolean): void {
    const { link } = this.#connector;
    if (isReading) return link?.setReading(true);
    // Held messages wait for `ready`, and `ready` for the answers to SUBSCRIBE, which must still come in.
    if (!this.#connector.isStarting || !this.#inbox.isHolding) return link?.setReading(false);
    this.#connector.endNow("misc", droppedError("*", "the queue before ready: pass a `data` listener in `on`"));
  }

  // ---- requests ------------------------------------------------------------------------------------------------

  publish(topic: string, payload: Uint8Array | string, options: PublishOptions = noOptions): Promise<void> {
    try {
      if (options !== noOptions) checkPublishOptions(options);
      const { qos = 1, isRetained = false, properties, signal } = options;
      const offline = qos === 1 ? this.#offline : undefined;
      if (qos !== 0 && qos !== 1) throw optionInvalid("qos", "0 or 1", qos);
      if (properties !== undefined && this.#checked.session.version === 4) {
        throw optionInvalid("properties", "none in MQTT 3.1.1", "an object");
      }
      if (typeof topic !== "string") throw optionInvalid("topic", "a string", kindOf(topic));
      const bytes = typeof payload === "string" ? encoder.encode(payload) : requireBytes(payload);
      checkUntil(options, offline !== undefined);
      // What is wrong with the call is told first: it is wrong with a connection, too.
      if (offline === undefined) this.#connector.requireActive();
      else this.#connector.requireOpen();
      if (signal?.aborted) throw abortedError(signal);
      this.#checked.quotas.checkPublish(topic, bytes, properties);
      if (this.#connector.isRecordCautious) this.#noteAsk(topic);
      const publish = new OutboundPublish<Settle>(topic, bytes, qos, isRetained, ignore, properties);
      const isSent = this.#sendDirectly(publish, options.until, offline);
      if (isSent === undefined) return this.#publishOffline(publish, options);
      this.#connector.arm();
      // What the connection took at once needs no promise of its own.
      if (isSent && qos === 0) return done;
      return new Promise<void>((resolve, reject) => {
        const settle: Settle = (outcome) => (outcome instanceof ThinglineError ? reject(outcome) : resolve());
        publish.owner = abortable(signal, settle, () => {
          this.#session.abandon(publish);
          this.#connector.checkDrained();
        });
      });
    } catch (error) {
      return rejection(error);
    }
  }

  /** @returns as the session, or undefined: it has to go through the offline queue */
  #sendDirectly(
    publish: OutboundPublish<Settle>,
    until: PublishOptions["until"],
    offline: OfflineQueue | undefined,
  ): boolean | undefined {
    const isPast = offline === undefined || (offline.isPassable && this.#connector.state === "ready");
    if (!isPast || until === "stored") return undefined;
    try {
      return this.#session.publish(publish, this.#clock.monotonicMs());
    } catch (error) {
      // The session's own queue is full.
      if (offline === undefined || !isThinglineError(error, "LIMIT_EXCEEDED")) throw error;
      return undefined;
    }
  }

  async #publishOffline(publish: OfflineMessage, options: PublishOptions): Promise<void> {
    const { topic, payload, isRetained, properties } = publish;
    const { until = "acknowledged", expiresAfterMs, signal } = options;
    const message = { topic, payload, isRetained, ...(properties === undefined ? {} : { properties }) };
    await this.#offline?.publish(message, { until, expiresAfterMs, signal });
  }

  #offlinePort(): OfflineQueuePort {
    return {
      hasRoom: () => {
        const { terms, waitingCount, inFlightCount } = this.#session;
        if (terms === undefined || this.#connector.state !== "ready") return false;
        return waitingCount === 0 && inFlightCount < terms.inflightMax;
      },
      send: ({ topic, payload, isRetained, properties }, settle) => {
        const owner: Settle = (outcome) => settle(outcome instanceof ThinglineError ? outcome : undefined);
        const publish = new OutboundPublish<Settle>(topic, payload, 1, isRetained, owner, properties);
        this.#session.publish(publish, this.#clock.monotonicMs());
        this.#connector.arm();
        return {
          abandon: () => {
            this.#session.abandon(publish);
            this.#connector.checkDrained();
          },
          takeBack: () => {
            this.#session.abandon(publish);
            this.#session.giveUp(publish, takenBack);
          },
        };
      },
      holdsOnly: (count) => this.#session.pendingCount === count,
      emit: (event) => this.#emit("offlineQueue", event),
      report: (error) => this.#emit("error", { error }),
    };
  }

  async subscribe(
    filters: string | readonly string[],
    second: MessageListener | SubscribeOptions = {},
    third: SubscribeOptions = {},
  ): Promise<DeviceSubscription> {
    const [listener, options] = typeof second === "function" ? [second, third] : [undefined, second];
    checkOptionTypes(options, subscribeOptionTypes, { of: "subscribe()" });
    return this.#topics.subscribe(filters, listener, options);
  }

  async unsubscribe(filters: string | readonly string[], options: { signal?: AbortSignal } = {}): Promise<void> {
    checkOptionTypes(options, signalOptionTypes, { of: "unsubscribe()" });
    return this.#topics.unsubscribe(filters, options.signal);
  }

  #request(request: OutboundSubscribe<Settle> | OutboundUnsubscribe<Settle>): void {
    const nowMs = this.#clock.monotonicMs();
    if (request.type === "subscribe") this.#session.subscribe(request, nowMs);
    else this.#session.unsubscribe(request, nowMs);
    this.#connector.arm();
  }

  shadow<State extends JsonObject = JsonObject>(name?: string): ShadowClient<State> {
    this.#shadows ??= new DeviceShadows({
      clientId: this.clientId,
      clock: this.#clock,
      random: this.#random,
      publish: (topic, payload, how) => this.publish(topic, payload, how),
      subscribe: (filters, listener) => this.subscribe(filters, listener),
      report: (error) => this.#emit("error", { error }),
      answerBytesMax: announcedRecordBytesOf(this.#checked),
    });
    if (this.#connector.state === "closed") this.#shadows.end();
    return this.#shadows.get(name) as unknown as ShadowClient<State>;
  }

  ping(): void {
    this.#connector.requireActive();
    try {
      this.#session.ping(this.#clock.monotonicMs());
    } finally {
      this.#connector.arm();
    }
  }

  keepAliveTimeLeftMs(): number {
    return this.#session.keepAliveTimeLeftMs(this.#clock.monotonicMs());
  }

  async poll(options: PollOptions = {}): Promise<PollResult> {
    const held = this.#requireDriven("poll()");
    checkOptionTypes(options, pollOptionTypes, { of: "poll()" });
    return held.poll(options);
  }

  input(): void {
    this.#requireDriven("input()");
    this.#connector.input();
  }

  /** @throws {ThinglineError} CLOSED, DRIVER_MISMATCH */
  #requireDriven(call: string): HeldInput {
    this.#connector.requireOpen();
    if (this.#held !== undefined) return this.#held;
    const message = `${call} is for devices with \`driver: "application"\`: this one handles its input by itself`;
    throw new ThinglineError("DRIVER_MISMATCH", message);
  }

  // ---- events and effects --------------------------------------------------------------------------------------

  #reportLate(error: unknown): void {
    if (!isThinglineError(error)) throw error;
    if (error.code !== "CLOSED" && error.code !== "CONNECTION_LOST") this.#emit("error", { error });
  }

  #emit<Name extends DeviceEventName>(name: Name, event: DeviceEvents[Name]): void {
    void this.#hub.emit(name, event);
  }

  // ---- what its parts need of it -------------------------------------------------------------------------------

  /** One object for all parts, and no closures, so that a device is small: a gateway has thousands. */
  private static readonly Inside = class Inside
    implements ClientSessionEffects<Settle>, ConnectorPort, TopicsPort, InboxPort
  {
    private readonly device: DeviceClient;

    constructor(device: DeviceClient) {
      this.device = device;
    }

    // Of the session

    send(packet: ClientPacket<Settle>): void {
      const { device } = this;
      if (device.#connector.link?.send(packet) === false) {
        device.#session.setWritable(false, device.#clock.monotonicMs());
      }
    }

    close(error: ThinglineError | undefined): void {
      this.device.#connector.sessionClosed(error);
    }

    connected(terms: ConnectionTerms): void {
      this.device.#connected(terms);
    }

    message(packet: PublishPacket, connectionNumber: number): Disposition {
      this.device.#asks?.received(packet.topic);
      return this.device.#inbox.receive(packet, connectionNumber);
    }

    setReading(isReading: boolean): void {
      this.device.#setReading(isReading);
    }

    publishSettled(publish: OutboundPublish<Settle>, error: ThinglineError | undefined): void {
      publish.owner(error);
      this.device.#connector.checkDrained();
    }

    publishSent(publish: OutboundPublish<Settle>): void {
      publish.owner(undefined);
    }

    pubackReceived(packetId: number, reasonCode: number): void {
      // Called for each message that is sent: an event is made for listeners only.
      if (this.device.#hub.has("puback")) this.device.#emit("puback", { packetId, reasonCode });
    }

    subscribeSettled(subscribe: OutboundSubscribe<Settle>, outcome: ThinglineError | readonly number[]): void {
      subscribe.owner(outcome);
    }

    unsubscribeSettled(unsubscribe: OutboundUnsubscribe<Settle>, outcome: ThinglineError | readonly number[]): void {
      unsubscribe.owner(outcome);
    }

    pingAnswered(): void {
      this.device.#emit("pingresp", {});
      this.device.#fence?.answered();
    }

    warned(error: ThinglineError): void {
      this.device.#emit("error", { error });
    }

    // Of the connector

    connecting(event: AttemptEvent): void {
      this.device.#emit("connecting", event);
    }

    disconnected(event: EndEvent): void {
      this.device.#emit("disconnected", event);
    }

    ended(isByServer: boolean, cause: ThinglineError | undefined): void {
      this.device.#fence?.cancel();
      this.device.#offline?.connectionEnded(isByServer, cause);
    }

    suspectFilter(): string | undefined {
      const { device } = this;
      const filter = device.#topics.suspectFilter ?? device.#asks?.oldestAnswer;
      device.#asks?.clear();
      return filter;
    }

    recordTooLarge(event: RecordTooLargeEvent): void {
      if (event.type === "filterDropped") this.device.#topics.drop(event.filter, event.error);
      this.device.#emit("recordTooLarge", event);
    }

    isAwaited(): boolean {
      return this.device.#session.isAwaited || this.device.#topics.isAwaited;
    }

    exhausted(error: ThinglineError): void {
      // Messages of the offline queue go back to it.
      this.device.#session.discard(error);
      this.device.#topics.exhausted(error);
    }

    stopped(waiting: ThinglineError, failure: ThinglineError | undefined): void {
      this.device.#session.discard(waiting);
      this.device.#topics.stopped(waiting, failure);
    }

    opened(): void {
      this.device.#topics.connecting();
    }

    progressed(): void {
      this.device.#offline?.pump();
    }

    closed(): void {
      this.device.#shadows?.end();
      this.device.#topics.close();
    }

    // Of the topics

    requireActive(): void {
      this.device.#connector.requireActive();
    }

    isConnected(): boolean {
      return this.device.#connector.isOpen;
    }

    request(request: OutboundSubscribe<Settle> | OutboundUnsubscribe<Settle>): void {
      this.device.#request(request);
    }

    run(listener: MessageListener, message: DeviceMessage): Delivery {
      return this.device.#hub.run(listener, message, "subscription");
    }

    reportLate(error: unknown): void {
      this.device.#reportLate(error);
    }

    // Of the inbox

    data(message: DeviceMessage): Delivery {
      return this.device.#hub.emit("data", message);
    }

    report(error: ThinglineError): void {
      this.device.#emit("error", { error });
    }

    settle(packetId: number, connectionNumber: number): void {
      this.device.#session.settle(packetId, connectionNumber, this.device.#clock.monotonicMs());
      this.device.#connector.arm();
    }
  };
}

function requireBytes(payload: Uint8Array): Uint8Array {
  if (isBytes(payload)) return payload;
  const got = `${kindOf(payload)}; JSON.stringify() makes text of an object`;
  throw optionInvalid("payload", "a string or a Uint8Array", got);
}

/** @throws {ThinglineError} OPTION_INVALID */
function checkUntil({ until, expiresAfterMs }: PublishOptions, hasQueue: boolean): void {
  if (until !== undefined && until !== "acknowledged" && until !== "stored") {
    throw optionInvalid("until", "acknowledged or stored", until);
  }
  if (expiresAfterMs !== undefined) checkExpiry("expiresAfterMs", expiresAfterMs);
  if (hasQueue || (until !== "stored" && expiresAfterMs === undefined)) return;
  const option = until === "stored" ? "until" : "expiresAfterMs";
  throw optionInvalid(option, "QoS 1 and an offlineQueue with it", "one of them missing");
}

async function rejection(error: unknown): Promise<never> {
  throw error;
}
