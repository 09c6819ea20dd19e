import { ThinglineError } from "@thingline/protocol";
import { type ClientSession, OutboundPublish } from "@thingline/protocol/mqtt/client";
import type { Clock } from "@thingline/transport";
import type { DeviceConnector } from "../connection/connector.js";
import type { OfflineQueuePort, SentMessage } from "../offline-queue/offline-queue.js";
import type { OfflineMessage, OfflineQueueEvent } from "../offline-queue/types.js";
import type { Settle } from "../topics/waiter.js";
import type { EventHub } from "./event-hub.js";

/** Told to nobody. */
const takenBack = new ThinglineError("CONNECTION_LOST", "the message went back to the offline queue");

/** What an offline queue sees of its device. */
export class OfflinePort implements OfflineQueuePort {
  readonly #session: ClientSession<Settle>;
  readonly #connector: DeviceConnector;
  readonly #clock: Clock;
  readonly #hub: EventHub;

  constructor(session: ClientSession<Settle>, connector: DeviceConnector, clock: Clock, hub: EventHub) {
    this.#session = session;
    this.#connector = connector;
    this.#clock = clock;
    this.#hub = hub;
  }

  hasRoom(): boolean {
    const { terms, waitingCount, inFlightCount } = this.#session;
    if (terms === undefined || this.#connector.state !== "ready") return false;
    return waitingCount === 0 && inFlightCount < terms.inflightMax;
  }

  send(message: OfflineMessage, settle: (error: ThinglineError | undefined) => void): SentMessage {
    const { topic, payload, isRetained, properties } = message;
    const owner: Settle = (outcome) => settle(outcome instanceof ThinglineError ? outcome : undefined);
    const publish = new OutboundPublish<Settle>(topic, payload, 1, isRetained, owner, properties);
    this.#session.publish(publish, this.#clock.monotonicMs());
    this.#connector.open?.arm();
    return {
      abandon: () => {
        this.#session.abandon(publish);
        this.#connector.open?.checkDrained();
      },
      takeBack: () => {
        this.#session.abandon(publish);
        this.#session.giveUp(publish, takenBack);
      },
    };
  }

  holdsOnly(count: number): boolean {
    return this.#session.pendingCount === count;
  }

  emit(event: OfflineQueueEvent): void {
    void this.#hub.emit("offlineQueue", event);
  }

  report(error: Error): void {
    void this.#hub.emit("error", { error });
  }

  guard(handle: () => void): void {
    this.#connector.guard(handle);
  }
}
