import type { Clock, Connection, Random } from "@thingline/transport";
import type { Bus } from "../bus/bus.js";
import type { Log } from "../log.js";
import type { ConnectionIdentity } from "../policy/authorizer.js";
import type { Clients } from "../services/client-directory.js";
import type { IotLog } from "../services/iot-log.js";
import type { LifecycleEvent } from "../services/lifecycle.js";
import type { OperationRunner, Scope, ServiceTopics } from "../services/operation.js";
import type { EffectId, HandedOver, PublishEffect } from "../services/outbox.js";
import type { CloudNode } from "../nodes/node.js";
import type { Store } from "../store/store.js";
import type { BrokerCounters } from "./counters.js";
import type { BrokerLimits } from "./limits.js";
import type { SessionOwnerRule } from "./session-owner.js";

export interface BrokerOptions {
  clock: Clock;
  random: Random;
  log: Log;
  /** What the account has logged of its clients. Default: nothing. */
  iotLog?: IotLog | undefined;
  /** Persistent sessions, their queues and retained messages live here. Clean sessions never touch it. */
  store: Store;
  /** The account and region whose clients connect here. */
  scope: Scope;
  /** Services that hear messages. Default: none. */
  services?: readonly ServiceTopics[];
  /** Handed to the services. Required when there are any. */
  runner?: OperationRunner;
  /** Default: a bus of its own, with no other broker on it. */
  bus?: Bus;
  /** What this process is to others on the same store. Default: the store is its own. Others of its kind have to be on the bus. */
  node?: CloudNode;
  /** Another node has stored a wake-up for this Unix time. */
  onWakeUpStored?: (atUnixMs: number) => void;
  /** Another node has changed records of this service that every node keeps ready. */
  onRefresh?: (service: string) => Promise<void>;
  /** Default `awsLimits`. */
  limits?: BrokerLimits;
  /** Whose a session is. Default `principal`. */
  sessionOwner?: SessionOwnerRule | undefined;
  /** Whether the registry has a thing of that name; asked for sessions of earlier releases. Default: it has none. */
  isThing?: ((name: string) => Promise<boolean>) | undefined;
  /** Called with each event of a client's life, within the turn in which it happens. What it throws is logged. */
  onLifecycle?: (event: LifecycleEvent) => void;
}

export type { PublishEffect };

export interface BrokerStats extends Readonly<BrokerCounters> {
  /** Clients between CONNACK and disconnect. */
  connections: number;
  /** Persistent sessions, online or not. */
  persistentSessions: number;
  subscriptions: number;
  retainedMessages: number;
  queuedMessages: number;
  queuedBytes: number;
}

export interface Broker {
  /**
   * Takes over a transport connection before its first byte was read. The broker reads the CONNECT, asks the
   * identity, and owns the connection until it is closed.
   */
  accept(connection: Connection, identity: ConnectionIdentity): void;
  /**
   * A message of a service, or of somebody that asked a service over HTTP. Resolves when it was handed over: written to connected clean
   * sessions, stored for persistent ones. A message that nobody wants is handed over at once. What it resolves to says when the services
   * have answered it that hold its acknowledgement.
   * @throws {ThinglineError} CLOSED, TOPIC_NAME_INVALID.
   */
  publish(effect: Omit<PublishEffect, "type">, id?: EffectId): Promise<void | HandedOver>;
  /** What is known of clients, and done with them, whichever node they are at. @throws {ThinglineError} CLOSED */
  readonly clients: Clients;
  /** Tells other nodes that a wake-up for this Unix time is stored. It may get lost. */
  announceWakeUp(atUnixMs: number): void;
  /** Whether anybody subscribes to the topic, connected or not, or hears it. True when other brokers might know of somebody. */
  isWanted(topic: string, source?: "service" | "http"): boolean;
  /** Asks `authorizeConnect` again for each live connection of the certificate and closes those that it refuses. */
  recheckPrincipal(certificateId: string): Promise<void>;
  /** Tells other nodes that records of a service have changed which they keep ready. Resolves when they have read them. */
  refreshOthers(service: string): Promise<void>;
  /** Closes the client's connection (MQTT 5: DISCONNECT 0x98). Its will is sent. Not connected: nothing happens. */
  disconnectClient(clientId: string, reason: string): Promise<void>;
  stats(): BrokerStats;
  /** Disconnects every client (MQTT 5: DISCONNECT 0x8B), waits for what is being stored. Safe to call twice. */
  close(): Promise<void>;
}
