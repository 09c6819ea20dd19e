import type {
  ClientFacts,
  ClientSubscription,
  DirectMessage,
  DirectOutcome,
  DisconnectTerms,
} from "../services/client-directory.js";
import type { Client } from "./client.js";
import type { ClientIdOrder } from "./client-id-order.js";
import type { BrokerContext } from "./context.js";
import type { RecentEnds } from "./recent-ends.js";
import type { PublishSender } from "./send-publish.js";
import type { BrokerSession } from "./session.js";
import type { SessionLifecycle } from "./session-lifecycle.js";
import { thingOwner } from "./session-owner.js";
import type { SessionRecord } from "./session-store.js";
import type { Sessions } from "./sessions.js";
import type { Turn, Turns } from "./turn.js";

export interface ClientDeskParts {
  ends: RecentEnds;
  lifecycle: SessionLifecycle;
  order: ClientIdOrder;
  sender: PublishSender;
  sessions: Sessions;
  turns: Turns;
}

/** What this broker knows of clients, and does with them on behalf of others than themselves. */
export class ClientDesk {
  private readonly context: BrokerContext;
  private readonly parts: ClientDeskParts;

  constructor(context: BrokerContext, parts: ClientDeskParts) {
    this.context = context;
    this.parts = parts;
  }

  describe(clientId: string): ClientFacts | undefined {
    const session = this.parts.sessions.get(clientId);
    if (session?.connection !== undefined) return session.connection.describe();
    const end = this.parts.ends.get(clientId);
    if (end !== undefined || session?.stored === undefined) return end;
    return factsOfRecord(clientId, session.stored.record);
  }

  subscriptions(clientId: string): readonly ClientSubscription[] | undefined {
    const session = this.parts.sessions.get(clientId);
    if (session === undefined || !isThere(session)) return undefined;
    return [...session.subscriptions].map(([topicFilter, { qos }]) => ({ topicFilter, qos: qos === 0 ? 0 : 1 }));
  }

  /** A page of those that are connected or have a persistent session. */
  list(after: string, limit: number): ClientFacts[] {
    const { sessions } = this.parts;
    const page: string[] = [];
    for (const session of sessions.all()) {
      const { clientId } = session;
      // Only the last of a page is compared with most ids, so that many clients cost one walk over them.
      if (clientId <= after || (page.length === limit && clientId >= page[limit - 1]!)) continue;
      if (!isThere(session) || sessions.get(clientId) !== session) continue;
      page.splice(placeOf(page, clientId), 0, clientId);
      if (page.length > limit) page.pop();
    }
    return page.flatMap((clientId) => this.describe(clientId) ?? []);
  }

  /** After a CONNECT that is on its way, so that a client cannot slip through. @returns whether there was anything to end */
  disconnect(clientId: string, { endsSession, preventsWill }: DisconnectTerms): Promise<boolean> {
    return this.parts.order.after(clientId, async () => {
      const session = this.parts.sessions.get(clientId);
      const wasThere = session !== undefined && isThere(session);
      const client = session?.connection;
      if (client !== undefined) {
        this.context.log.info("disconnecting", { clientId, reason: "DeleteConnection", endsSession, preventsWill });
        client.end("API_INITIATED_DISCONNECT", { preventsWill });
      }
      const wasEnded = endsSession && (await this.parts.lifecycle.endAll(clientId, false));
      return wasThere || wasEnded;
    });
  }

  /** Sends a message to a client that is connected here. The outcome is known at once, but for a PUBACK that is waited for. */
  send(clientId: string, message: DirectMessage, waitMs: number | undefined): DirectOutcome | Promise<DirectOutcome> {
    const session = this.parts.sessions.get(clientId);
    const client = session?.connection;
    if (session === undefined || client === undefined) {
      return session?.stored === undefined ? "notConnected" : "sessionOffline";
    }
    if (!client.rights.mayReceive(message.topic)) {
      this.context.counters.droppedReceiveDenied++;
      return "denied";
    }
    const { turns } = this.parts;
    const turn = turns.begin();
    const outcome = this.write(turn, session, client, message, waitMs);
    turns.end(turn);
    return outcome;
  }

  private write(
    turn: Turn,
    session: BrokerSession,
    client: Client,
    { topic, payload, properties }: DirectMessage,
    waitMs: number | undefined,
  ): DirectOutcome | Promise<DirectOutcome> {
    const qos = waitMs === undefined ? 0 : 1;
    const { publication } = turn;
    publication.reset(topic, payload, qos, false, undefined);
    publication.properties = properties;
    if (publication.template(client.version, qos, false).lengthBytes > client.packetBytesMax) return "tooLarge";
    const inflight = session.queue.inflight!;
    // Nothing is queued for it: what cannot go out now does not go out.
    if (qos === 1 && inflight.count >= inflight.windowMax) return "throttled";
    if (!client.flow.maySendQos1(turn)) return "throttled";
    const packetId = qos === 0 ? 0 : inflight.allocate(undefined, turn.nowSeconds);
    this.parts.sender.send(session, client, publication, qos, false, packetId);
    return waitMs === undefined ? "sent" : this.untilAcknowledged(session, packetId, waitMs);
  }

  private untilAcknowledged(session: BrokerSession, packetId: number, waitMs: number): Promise<DirectOutcome> {
    const awaited = (session.awaited ??= new Map());
    return new Promise((resolve) => {
      const settle = (isAcknowledged: boolean): void => {
        timer.cancel();
        // The identifier stays taken until the client says something, or for as long as that of any message.
        if (awaited.get(packetId) === settle) awaited.delete(packetId);
        if (awaited.size === 0 && session.awaited === awaited) session.awaited = undefined;
        resolve(isAcknowledged ? "acknowledged" : "unanswered");
      };
      const timer = this.context.clock.setTimer(waitMs, () => settle(false));
      awaited.set(packetId, settle);
    });
  }
}

/** What a record says of a client that nobody here remembers. */
export function factsOfRecord(clientId: string, record: SessionRecord): ClientFacts {
  const { principal, expirySeconds, expiresAtMs, endReason = "SERVER_ERROR" } = record;
  return {
    clientId,
    isConnected: false,
    thingName: principal === thingOwner ? clientId : undefined,
    isCleanSession: false,
    keepAliveSeconds: undefined,
    sessionExpirySeconds: expirySeconds,
    sinceMs: (expiresAtMs ?? 0) - expirySeconds * 1000,
    disconnectReason: endReason,
    socket: undefined,
  };
}

const isThere = ({ connection, stored }: BrokerSession): boolean => connection !== undefined || stored !== undefined;

/** Where an id belongs in a sorted list. */
function placeOf(ids: readonly string[], id: string): number {
  let [low, high] = [0, ids.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ids[middle]! < id) low = middle + 1;
    else high = middle;
  }
  return low;
}
