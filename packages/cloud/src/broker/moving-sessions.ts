import type { BusLink, Outgoing } from "../bus/bus-link.js";
import { wants } from "../bus/interest.js";
import type { BrokerContext } from "./context.js";
import { parseShare } from "./reserved-topics.js";
import type { BrokerSession } from "./session.js";
import { clientIdOfName, type SessionName } from "./session-owner.js";
import { loadSession, type SessionRecord, type StoredSession } from "./session-store.js";
import type { Sessions } from "./sessions.js";

/** A session on its way to this broker: others are told what it wants, and it is nobody's here yet. */
interface Arriving {
  readonly name: SessionName;
  readonly filters: Set<string>;
  /** Undefined: it does not come. Rejects when the others could not be told. */
  readonly placed: Promise<BrokerSession | undefined>;
}

export interface MovingSessionsParts {
  sessions: Sessions;
  port: BusLink;
}

/**
 * Brings sessions here from the store where another broker left them, or still holds them. The order is what keeps messages: first all
 * others know what the session wants, then it is put into memory and its record written, and only then does its holder find out. Until it is in
 * memory, messages for it that come here are kept waiting: they are confirmed when it has them, and fail when it does not come.
 */
export class MovingSessions {
  private readonly context: BrokerContext;
  private readonly parts: MovingSessionsParts;
  private readonly arriving = new Set<Arriving>();

  constructor(context: BrokerContext, parts: MovingSessionsParts) {
    this.context = context;
    this.parts = parts;
  }

  /**
   * @param place puts it into memory, in the same turn in which it returns.
   * @param mayTake asked of the record whenever it was read.
   * @returns undefined when there is none, or it may not be taken
   */
  async fetch(
    name: SessionName,
    place: (loaded: StoredSession) => BrokerSession,
    mayTake: (record: SessionRecord) => boolean = () => true,
  ): Promise<BrokerSession | undefined> {
    const { sessions, port } = this.parts;
    const load = async (): Promise<StoredSession | undefined> => {
      const loaded = await loadSession(this.context.store, this.context.keys, name);
      return loaded !== undefined && mayTake(loaded.record) ? loaded : undefined;
    };
    let loaded = await load();
    if (loaded === undefined) return undefined;
    const filters = new Set<string>();
    let settle!: { resolve: (session: BrokerSession | undefined) => void; reject: (error: unknown) => void };
    const placed = new Promise<BrokerSession | undefined>((resolve, reject) => (settle = { resolve, reject }));
    placed.catch(() => undefined);
    const arriving: Arriving = { name, filters, placed };
    // What came before this may come once more.
    sessions.arrivals++;
    this.arriving.add(arriving);
    try {
      while (loaded !== undefined) {
        const news = plainFilters(loaded).filter((filter) => !filters.has(filter));
        if (news.length === 0) break;
        for (const filter of news) filters.add(filter);
        await Promise.all(news.map(async (filter) => port.renewInterest(filter)));
        // Its holder may have written it meanwhile.
        loaded = await load();
      }
      const session = loaded && place(loaded);
      settle.resolve(session);
      return session;
    } catch (error) {
      settle.reject(error);
      throw error;
    } finally {
      this.arriving.delete(arriving);
      for (const filter of filters) void port.setInterest(filter, false);
    }
  }

  /** @returns what a message of another broker has to wait for, if a session on its way here wants it */
  waitsOf(
    { topic, onlyToClientId }: Outgoing,
    bring: (session: BrokerSession) => Promise<void> | undefined,
  ): Promise<void>[] {
    const waits: Promise<void>[] = [];
    for (const { name, filters, placed } of this.arriving) {
      const isWanted = onlyToClientId === undefined ? wants(filters, topic) : onlyToClientId === clientIdOfName(name);
      if (isWanted) waits.push(placed.then((session) => session && bring(session)));
    }
    return waits;
  }
}

/** Without the names of shared groups. */
function plainFilters({ subscriptions }: StoredSession): string[] {
  return [...new Set([...subscriptions.keys()].map((filter) => parseShare(filter)?.filter ?? filter))];
}
