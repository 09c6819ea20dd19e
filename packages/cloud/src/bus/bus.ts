import type { PublishProperties } from "@thingline/protocol/mqtt";

/** A message on its way to the subscribers of other brokers. Bytes are not changed after they were handed over. */
export interface BusMessage {
  topic: string;
  payload: Uint8Array;
  qos: 0 | 1;
  isRetained: boolean;
  properties: PublishProperties | undefined;
  /** Unix time; undefined means never. */
  expiresAtMs: number | undefined;
  /** Only for the session of this client, subscribed or not. */
  onlyToClientId: string | undefined;
}

/** What brokers tell each other beyond messages. */
export type BusControl =
  /** The sender holds the session of this client id now, under this epoch: let go of it. */
  | { type: "sessionTaken"; clientId: string; epoch: number }
  | { type: "disconnectClient"; clientId: string; reason: string }
  | { type: "recheckPrincipal"; certificateId: string };

/** A broker's ear on the bus. */
export interface BusReceiver {
  /** Resolves when handed over: written to clean sessions, stored for persistent ones. Undefined: done already. */
  onMessage(message: BusMessage): Promise<void> | undefined;
  onControl(control: BusControl): void;
}

/** One broker's plug in the bus. */
export interface BusPort {
  /** No other broker is there. */
  readonly isAlone: boolean;
  /** Whether another broker wants messages on this topic. Asked for every message, so it must cost nothing when alone. */
  hasInterest(topic: string): boolean;
  /** To every other broker with interest. Undefined: handed over already. */
  publish(message: BusMessage): Promise<void> | undefined;
  control(control: BusControl): void;
  /** This broker's sessions start or stop to want what matches the filter. Counted by the port: call in pairs. */
  setInterest(filter: string, isWanted: boolean): void;
  close(): void;
}

/** How brokers of one account and region reach each other: a function call in one process, a network later. */
export interface Bus {
  attach(receiver: BusReceiver): BusPort;
}
