import type { PublishProperties } from "@thingline/protocol/mqtt";

/** Names a message or control for good: each attempt to bring it has the same. */
export interface BusId {
  readonly publisher: string;
  /** Rises with each of the publisher's; one count for QoS 1 and controls, one for QoS 0. */
  readonly sequence: number;
  /** Of an effect: it is performed again when it failed, also after later ones, and so has no place in an order. */
  readonly isEffect?: true;
}

/** How many retained messages a broker has sent to the others. */
export interface RetainedCount {
  readonly broker: string;
  readonly count: number;
}

/** A message on its way to the subscribers of other brokers. Bytes are not changed after they were handed over. */
export interface BusMessage {
  id: BusId;
  topic: string;
  payload: Uint8Array;
  qos: 0 | 1;
  isRetained: boolean;
  properties: PublishProperties | undefined;
  /** Unix time; undefined means never. */
  expiresAtMs: number | undefined;
  /** Only for the session of this client, subscribed or not. */
  onlyToClientId: string | undefined;
  /** And only if it came with this certificate. */
  onlyToCertificateId?: string | undefined;
  /** Of retained messages: which broker sends it, and how many it has sent so far. Who misses one reads the store. */
  retained: RetainedCount | undefined;
}

/** What brokers tell each other beyond messages. */
export type BusOrder =
  /**
   * The sender holds the session of this name now, under this epoch, 0 for a clean one: let go of it. Who is connected under the client id with another
   * session gives way.
   */
  | { type: "sessionTaken"; clientId: string; name: string; epoch: number }
  | { type: "disconnectClient"; clientId: string; reason: string }
  | { type: "recheckPrincipal"; certificateId: string }
  /** Records of a service have changed that every node keeps ready. */
  | { type: "refreshService"; service: string }
  /** The sender has stored a wake-up for this Unix time. */
  | { type: "wakeUpStored"; atUnixMs: number }
  /** The sender gave up one of these: whoever has not had them all reads the store. */
  | { type: "retainedSoFar"; sent: RetainedCount }
  /** The broker `from` asks about a client; who has nothing to say confirms. */
  | { type: "clientQuestion"; from: string; number: number; question: ClientQuestion }
  /** For the broker `to`. Of one question there may be several, also of one broker. */
  | { type: "clientAnswer"; to: string; number: number; answer: ClientAnswer };

/** What a broker asks the others about their clients. */
export type ClientQuestion =
  | { type: "describe"; clientId: string }
  | { type: "subscriptions"; clientId: string }
  | { type: "list"; after: string; limit: number }
  | { type: "disconnect"; clientId: string; endsSession: boolean; preventsWill: boolean }
  | {
      type: "send";
      clientId: string;
      topic: string;
      payload: Uint8Array;
      properties: PublishProperties | undefined;
      waitMs: number | undefined;
    };

/** Of what the brokers say about clients, the bus carries it and looks at nothing. */
export type ClientAnswer =
  | { type: "described"; facts: readonly object[] }
  | { type: "subscriptions"; subscriptions: readonly { readonly topicFilter: string; readonly qos: 0 | 1 }[] }
  | { type: "disconnected" }
  /** `waiting`: it was sent, and another answer follows. */
  | { type: "sent"; outcome: string };

export type BusControl = BusOrder & { id: BusId };

/** A broker's ear on the bus. What it returns is the confirmation: undefined means that it is done already. */
export interface BusReceiver {
  /** Resolves when handed over: written to clean sessions, stored for persistent ones. */
  onMessage(message: BusMessage): Promise<void> | undefined;
  /** Resolves when it is done. */
  onControl(control: BusControl): Promise<void> | undefined;
}

/**
 * One broker's plug in the bus. A bus may lose, delay, repeat and reorder what it carries; it tells by a rejection what it could not
 * bring, and never confirms what was not confirmed to it. `BusLink` makes order and retries of it.
 */
export interface BusPort {
  /** No other broker is there. */
  readonly isAlone: boolean;
  /** Whether another broker wants messages on this topic. Asked for every message, so it must cost nothing when alone. */
  hasInterest(topic: string): boolean;
  /**
   * One attempt to bring it to every other broker with interest; retained ones and those for one client go to all. Undefined: handed
   * over already. Resolves when each of them confirmed, and each that said meanwhile, perhaps again, that it wants it: a session may have moved
   * there from one that was asked.
   * @throws {ThinglineError} TIMEOUT when one did not in {@link busTimeoutMs}, or what one of them failed with.
   */
  publish(message: BusMessage): Promise<void> | undefined;
  /** The same, to every other broker. */
  control(control: BusControl): Promise<void> | undefined;
  /**
   * This broker wants, or no longer wants, what matches the filter. Resolves when all others know; undefined: they do already. Saying
   * the same again is right: it tells those that do not know yet, and brings what is under way once more. @throws {ThinglineError} TIMEOUT
   */
  setInterest(filter: string, isWanted: boolean): Promise<void> | undefined;
  /** Whether the broker of that name is there, and what it wants is known here. */
  knows(name: string): boolean;
  /**
   * The node of that name is over. It need not know anything, and what it says from now on does not count: what its sessions want is kept up,
   * and a port that did not know it by now never will.
   */
  silence(name: string): void;
  /** The broker of that name is gone for good, and others have what it had: nobody waits for it any more. */
  forget(name: string): void;
  /** Hears and says nothing from now on. One with a name is missed by the others until they {@link forget} it. */
  close(): void;
}

/** How brokers of one account and region reach each other: a function call in one process, a network later. */
export interface Bus {
  /**
   * @param name of the node. What a named broker wants is kept up while it does not answer, so that messages for its sessions fail,
   * and are tried again, until another node has these sessions. One without a name takes its sessions with it.
   */
  attach(receiver: BusReceiver, name?: string): BusPort;
}

/** How long one attempt waits for its confirmations. */
export const busTimeoutMs = 2_000;
