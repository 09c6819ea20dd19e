import { isThinglineError, type ThinglineError } from "@thingline/protocol";
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
} from "@thingline/protocol/mqtt/client";
import { shadowTopic } from "@thingline/protocol/shadow/client";
import type { Clock } from "@thingline/transport";
import { DeviceConnector } from "../connection/connector.js";
import type { AttemptEvent, EndEvent } from "../connection/events.js";
import { Fence } from "../connection/fence.js";
import { HeldInput } from "../connection/held-input.js";
import type { ConnectorPort } from "../connection/port.js";
import type { RecordTooLargeEvent } from "../connection/records.js";
import { OfflineQueue } from "../offline-queue/offline-queue.js";
import { ShadowAsks } from "../shadow/shadow-asks.js";
import type { DeviceShadows } from "../shadow/shadows.js";
import { type RefusedFilter, subscriptionRefusal } from "../topics/filters.js";
import { DeviceInbox, droppedError, type InboxPort } from "../topics/inbox.js";
import type { Delivery, DeviceMessage, MessageListener } from "../topics/message.js";
import { DeviceTopics, type TopicsPort } from "../topics/topics.js";
import type { Settle } from "../topics/waiter.js";
import type { CheckedOptions } from "./check-options.js";
import { EventHub } from "./event-hub.js";
import type { DeviceEventName, DeviceEvents } from "./events.js";
import { OfflinePort } from "./offline-port.js";
import type { DeviceOptions } from "./options.js";

const ignore: Settle = () => undefined;
const noFilters: readonly RefusedFilter[] = [];
const empty = new Uint8Array(0);

/**
 * The parts of a device, and what they need of each other: the session's effects, and the ports of connector, topics and inbox. One
 * object for all parts, and no closures, so that a device is small: a gateway has thousands.
 */
export class DeviceCore implements ClientSessionEffects<Settle>, ConnectorPort, TopicsPort, InboxPort {
  readonly checked: CheckedOptions;
  readonly clock: Clock;
  readonly hub: EventHub;
  readonly session: ClientSession<Settle>;
  readonly topics: DeviceTopics;
  readonly inbox: DeviceInbox;
  readonly connector: DeviceConnector;
  readonly offline: OfflineQueue | undefined;
  /** Undefined: the device drives itself. */
  readonly held: HeldInput | undefined;
  /** Made with the first shadow. */
  shadows: DeviceShadows | undefined;
  isPersistentSession = false;
  refusedFilters: readonly RefusedFilter[] = noFilters;
  /** Made when records that are too large keep ending connections. */
  #fence: Fence | undefined;
  #asks: ShadowAsks | undefined;

  /** @param isHolding messages of the first connection wait until its caller can have added listeners */
  constructor(options: DeviceOptions, checked: CheckedOptions, isHolding: boolean) {
    const { applicationTopics, trustsSession, quotas, offlineQueue } = checked;
    const { clientId, clock } = options;
    this.checked = checked;
    this.clock = clock;
    this.hub = new EventHub(options.on);
    const shadowTopics = checked.shadowTopics.map((tail) => shadowTopic({ thingName: clientId }, tail));
    this.topics = new DeviceTopics({ applicationTopics, shadowTopics, trustsSession, quotas }, this);
    this.inbox = new DeviceInbox(this.topics.router, checked.payloadBytesMax, isHolding, this);
    this.session = new ClientSession<Settle>(checked.session, this);
    const isDriven = checked.session.isKeepAliveAutomatic === false;
    this.held = isDriven ? new HeldInput(clock, (handle) => this.connector.guard(handle)) : undefined;
    this.connector = new DeviceConnector(options, checked, this.session, this.held, this);
    this.offline =
      offlineQueue &&
      new OfflineQueue(offlineQueue, clock, new OfflinePort(this.session, this.connector, clock, this.hub));
  }

  emit<Name extends DeviceEventName>(name: Name, event: DeviceEvents[Name]): void {
    void this.hub.emit(name, event);
  }

  report(error: ThinglineError): void {
    this.emit("error", { error });
  }

  /** Nobody waits for an acknowledgement any more, perhaps: the signal of a caller says so, where there is nobody to throw at. */
  checkDrained(): void {
    this.connector.guard(() => this.connector.open?.checkDrained());
  }

  /** An answer that is too large shows as the one that never came. */
  noteAsk(topic: string): void {
    this.#asks ??= new ShadowAsks();
    this.#asks.published(topic);
  }

  // ---- from CONNACK to ready -----------------------------------------------------------------------------------

  connected(terms: ConnectionTerms): void {
    const { isSessionPresent, clientId, keepAliveSeconds } = terms;
    if (!this.connector.connected(isSessionPresent)) return;
    this.inbox.connected(isSessionPresent);
    this.isPersistentSession = isSessionPresent;
    this.emit("connected", { isPersistentSession: isSessionPresent, clientId, keepAliveSeconds });
    // A listener may have ended it.
    if (!this.connector.isStarting) return;
    const isCautious = this.connector.history.isRecordCautious && this.held === undefined;
    const restore = (): void => this.#restore(isSessionPresent, isCautious);
    // What waits in the session comes before anything is asked for.
    if (isCautious && isSessionPresent) this.#fenced(restore);
    else restore();
  }

  #restore(isSessionPresent: boolean, isCautious: boolean): void {
    const { connector } = this;
    if (!connector.isStarting) return;
    const alone = {
      first: connector.history.suspectFilter,
      fence: (then: () => void) => this.#fenced(then),
      passed: (filter: string) => connector.history.exonerate(filter),
    };
    this.topics.restore(isSessionPresent, {
      done: (refused) => this.#ready(refused),
      failed: (error) => {
        if (connector.isStarting) connector.open?.endNow("misc", error);
      },
      ...(isCautious ? { alone } : {}),
    });
  }

  /** Goes on when the server has handled what was sent, unless the connection ends before. */
  #fenced(then: () => void): void {
    this.#fence ??= new Fence(this.clock, (handle) => this.connector.guard(handle));
    this.#fence.wait(then);
    this.session.probe(this.clock.monotonicMs());
    this.connector.open?.arm();
  }

  #ready(refusedFilters: readonly RefusedFilter[]): void {
    const { connector, isPersistentSession } = this;
    if (!connector.isStarting) return;
    // The original's order: a new session asks before `ready`, a resumed one after it.
    if (!isPersistentSession) this.#requestShadow();
    connector.open?.ready();
    this.refusedFilters = refusedFilters.length === 0 ? noFilters : refusedFilters;
    for (const refused of refusedFilters) this.report(subscriptionRefusal(refused));
    this.emit("ready", { isPersistentSession, refusedFilters });
    this.shadows?.ready();
    if (this.isPersistentSession) this.#requestShadow();
    // PINGRESP will show that nothing sent so far was the reason if the server closes again.
    if (connector.history.isSuspicious) this.session.probe(this.clock.monotonicMs());
    connector.settleCaller();
    this.offline?.pump();
    if (this.inbox.isHolding) this.clock.afterTurn(() => connector.guard(() => this.inbox.release()));
  }

  #requestShadow(): void {
    if (!this.checked.requestsShadow || !this.connector.isUsable) return;
    const topic = shadowTopic({ thingName: this.checked.session.clientId }, "get");
    if (this.connector.history.isRecordCautious) this.noteAsk(topic);
    const publish = new OutboundPublish<Settle>(topic, empty, 0, false, ignore, undefined);
    this.session.publish(publish, this.clock.monotonicMs());
  }

  // ---- of the session ------------------------------------------------------------------------------------------

  send(packet: ClientPacket<Settle>): void {
    if (this.connector.open?.send(packet) === false) this.session.setWritable(false, this.clock.monotonicMs());
  }

  close(error: ThinglineError | undefined): void {
    this.connector.open?.sessionClosed(error);
  }

  message(packet: PublishPacket, connectionNumber: number): Disposition {
    this.#asks?.received(packet.topic);
    return this.inbox.receive(packet, connectionNumber);
  }

  setReading(isReading: boolean): void {
    const { open } = this.connector;
    // Held messages wait for `ready`, and `ready` for the answers to SUBSCRIBE, which must still come in.
    if (isReading || !this.connector.isStarting || !this.inbox.isHolding) open?.setReading(isReading);
    else open?.endNow("misc", droppedError("*", "the queue before ready: pass a `data` listener in `on`"));
  }

  publishSettled(publish: OutboundPublish<Settle>, error: ThinglineError | undefined): void {
    publish.owner(error);
    this.connector.open?.checkDrained();
  }

  publishSent(publish: OutboundPublish<Settle>): void {
    publish.owner(undefined);
  }

  pubackReceived(packetId: number, reasonCode: number): void {
    // Called for each message that is sent: an event is made for listeners only.
    if (this.hub.has("puback")) this.emit("puback", { packetId, reasonCode });
  }

  subscribeSettled(subscribe: OutboundSubscribe<Settle>, outcome: ThinglineError | readonly number[]): void {
    subscribe.owner(outcome);
  }

  unsubscribeSettled(unsubscribe: OutboundUnsubscribe<Settle>, outcome: ThinglineError | readonly number[]): void {
    unsubscribe.owner(outcome);
  }

  pingAnswered(): void {
    this.emit("pingresp", {});
    this.#fence?.answered();
  }

  warned(error: ThinglineError): void {
    this.report(error);
  }

  // ---- of the connector ----------------------------------------------------------------------------------------

  connecting(event: AttemptEvent): void {
    this.emit("connecting", event);
  }

  opened(): void {
    this.topics.connecting();
  }

  progressed(): void {
    this.offline?.pump();
  }

  disconnected(event: EndEvent): void {
    this.emit("disconnected", event);
  }

  ended(isByServer: boolean, cause: ThinglineError | undefined): void {
    this.#fence?.cancel();
    this.offline?.connectionEnded(isByServer, cause);
  }

  suspectFilter(): string | undefined {
    const filter = this.topics.suspectFilter ?? this.#asks?.oldestAnswer;
    this.#asks?.clear();
    return filter;
  }

  recordTooLarge(event: RecordTooLargeEvent): void {
    if (event.type === "filterDropped") this.topics.drop(event.filter, event.error);
    this.emit("recordTooLarge", event);
  }

  isAwaited(): boolean {
    return this.session.isAwaited || this.topics.isAwaited;
  }

  exhausted(error: ThinglineError): void {
    // Messages of the offline queue go back to it.
    this.session.discard(error);
    this.topics.exhausted(error);
  }

  stopped(waiting: ThinglineError, failure: ThinglineError | undefined): void {
    this.session.discard(waiting);
    this.topics.stopped(waiting, failure);
  }

  closed(): void {
    this.shadows?.end();
    this.topics.close();
  }

  // ---- of the topics -------------------------------------------------------------------------------------------

  requireActive(): void {
    this.connector.requireActive();
  }

  isConnected(): boolean {
    return this.connector.isUsable;
  }

  request(request: OutboundSubscribe<Settle> | OutboundUnsubscribe<Settle>): void {
    const nowMs = this.clock.monotonicMs();
    if (request.type === "subscribe") this.session.subscribe(request, nowMs);
    else this.session.unsubscribe(request, nowMs);
    this.connector.open?.arm();
  }

  run(listener: MessageListener, message: DeviceMessage): Delivery {
    return this.hub.run(listener, message, "subscription");
  }

  reportLate(error: unknown): void {
    if (!isThinglineError(error)) throw error;
    if (error.code !== "CLOSED" && error.code !== "CONNECTION_LOST") this.report(error);
  }

  // ---- of the inbox --------------------------------------------------------------------------------------------

  data(message: DeviceMessage): Delivery {
    return this.hub.emit("data", message);
  }

  settle(packetId: number, connectionNumber: number): void {
    // After the promise of a listener there is nobody to throw at.
    try {
      this.session.settle(packetId, connectionNumber, this.clock.monotonicMs());
      this.connector.open?.arm();
    } catch (thrown) {
      this.connector.broken(thrown);
    }
  }
}
