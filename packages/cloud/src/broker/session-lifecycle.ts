import { isThinglineError } from "@thingline/protocol";
import type { EncodedTopics, MqttVersion } from "@thingline/protocol/mqtt";
import type { BusLink } from "../bus/bus-link.js";
import { iterateSound } from "../store/iterate.js";
import type { Client } from "./client.js";
import type { ClientIdOrder } from "./client-id-order.js";
import type { CommitGate } from "./commit-gate.js";
import type { BrokerContext } from "./context.js";
import type { GroupDelivery } from "./group-delivery.js";
import type { GroupQueues } from "./group-queue.js";
import type { MovingSessions } from "./moving-sessions.js";
import type { QueueLedger } from "./queue-ledger.js";
import { RateBucket } from "./rate.js";
import { restoredPublication } from "./retained.js";
import type { BrokerSession } from "./session.js";
import { clientIdOfName, nameBeside, thingOwner, type SessionName, type SessionOwner } from "./session-owner.js";
import { loadSession, storedNamesOf, type SessionRecord, type StoredSession } from "./session-store.js";
import { SessionWriter } from "./session-writer.js";
import type { Sessions } from "./sessions.js";
import type { Turns } from "./turn.js";

/** Sessions of a node that is over that are taken at once. */
export const adoptedAtOnceMax = 100;
/** How often a session that other brokers write as well is read again for one CONNECT. */
export const openAttemptsMax = 5;

export interface SessionLifecycleParts {
  sessions: Sessions;
  groups: GroupQueues;
  groupDelivery: GroupDelivery;
  ledger: QueueLedger;
  order: ClientIdOrder;
  port: BusLink;
  moving: MovingSessions;
  gate: CommitGate;
  topics: EncodedTopics;
  turns: Turns;
}

export interface OpenedSession {
  session: BrokerSession;
  isPresent: boolean;
}

export interface SessionTerms {
  owner: SessionOwner;
  version: MqttVersion;
  isCleanStart: boolean;
  expirySeconds: number;
}

/** Opens sessions, lets them wait for their clients, ends them; in memory and in the store. */
export class SessionLifecycle {
  private readonly context: BrokerContext;
  private readonly parts: SessionLifecycleParts;
  private metOthers = false;
  private isClosed = false;

  constructor(context: BrokerContext, parts: SessionLifecycleParts) {
    this.context = context;
    this.parts = parts;
  }

  /** Another broker shares the store: from here on a session may be where this broker does not know it. */
  meetOthers(): void {
    this.metOthers = true;
  }

  private hasMetOthers(): boolean {
    this.metOthers ||= !this.parts.port.isAlone;
    return this.metOthers;
  }

  // At start and end

  /** The sessions of the store: whoever was connected is not any more, and its expiry begins now. */
  async restoreAll(): Promise<void> {
    const { store, keys } = this.context;
    for await (const { key } of iterateSound<SessionRecord>(store, keys.sessions)) {
      await this.restoreAtStart(key.at(-1) as string);
    }
  }

  private async restoreAtStart(name: SessionName): Promise<void> {
    const { clock, store, keys } = this.context;
    const loaded = await loadSession(store, keys, name);
    if (loaded === undefined) return;
    const session = this.restore(loaded);
    const stored = session.stored!;
    if (stored.record.expiresAtMs === undefined) {
      const expiresAtMs = clock.unixMs() + stored.record.expirySeconds * 1000;
      stored.record = { ...stored.record, expiresAtMs };
      // Nobody waits: should this not be written, the next start does it again.
      void stored.writer.writeRecord(stored.record).catch(() => undefined);
    }
    this.waitOffline(session);
  }

  /**
   * Takes the sessions of a node that is over: they wait for their clients here, and other brokers know before anybody forgets
   * that node.
   *
   * @throws {ThinglineError} when one could not be taken; those that were are known here then.
   */
  async adopt(estateId: string): Promise<void> {
    const { store, keys } = this.context;
    let batch: Promise<void>[] = [];
    for await (const { key, value } of iterateSound<SessionRecord>(store, keys.sessions)) {
      if (!this.isLeft(value, estateId)) continue;
      const name = key.at(-1) as SessionName;
      batch.push(this.parts.order.after(clientIdOfName(name), () => this.adoptOne(name, estateId)));
      if (batch.length < adoptedAtOnceMax) continue;
      await Promise.all(batch);
      batch = [];
    }
    await Promise.all(batch);
  }

  /** Whether the session is of that node, or of none that there is. */
  private isLeft({ owner }: SessionRecord, estateId: string): boolean {
    const { brokerId, node } = this.context;
    return owner === estateId || (owner !== brokerId && !node.others().includes(owner));
  }

  private async adoptOne(name: SessionName, estateId: string): Promise<void> {
    const { clock, brokerId: owner, log } = this.context;
    const { sessions, moving } = this.parts;
    if (sessions.named(name) !== undefined) return;
    const place = (loaded: StoredSession) => this.restore(loaded);
    const session = await moving.fetch(name, place, (record) => this.isLeft(record, estateId));
    if (session === undefined) return;
    const stored = session.stored!;
    try {
      const { expiresAtMs = clock.unixMs() + stored.record.expirySeconds * 1000, epoch } = stored.record;
      stored.record = { ...stored.record, owner, epoch: epoch + 1, expiresAtMs };
      await stored.writer.writeRecord(stored.record);
    } catch (error) {
      sessions.forget(session);
      // Its client came to another broker.
      if (isThinglineError(error, "STORE_CONFLICT")) return;
      throw error;
    }
    log.info("sessionAdopted", { clientId: session.clientId, from: estateId });
    this.waitOffline(session);
  }

  /** What ends from here on ends with the broker: no session expires, and no group is served. */
  beginClose(): void {
    this.isClosed = true;
  }

  /** Resolves when all that was asked for is stored. No timer is left. */
  async close(): Promise<void> {
    const sessions = [...this.parts.sessions.all()];
    for (const session of sessions) session.expiryTimer?.cancel();
    await Promise.all(sessions.map(async ({ stored }) => stored?.writer.idle()));
  }

  // A session and its connection

  /** The connection of a session ended: a clean session ends with it, a persistent one waits for its client. */
  detach(session: BrokerSession, client: Client, expirySeconds: number, endReason: string): void {
    if (session.connection !== client) return;
    session.connection = undefined;
    const { awaited } = session;
    session.awaited = undefined;
    for (const settle of awaited?.values() ?? []) settle(false);
    const open = this.parts.groups.giveBack(session);
    this.abandon(session, expirySeconds, endReason);
    if (this.isClosed || open.length === 0) return;
    const { turns, groupDelivery } = this.parts;
    const turn = turns.begin();
    for (const queue of open) groupDelivery.drain(turn, queue);
    turns.end(turn);
  }

  /** A session has no connection: see {@link detach}. */
  abandon(session: BrokerSession, expirySeconds: number, endReason?: string): void {
    const { queue, stored } = session;
    if (stored === undefined || session.isEnded) {
      this.parts.sessions.forget(session);
      return;
    }
    // What was in flight waits again.
    for (const { sizeBytes } of queue.inflight?.kept() ?? []) this.parts.ledger.returned(sizeBytes);
    queue.detach();
    const expiresAtMs = this.context.clock.unixMs() + expirySeconds * 1000;
    stored.record = { ...stored.record, expirySeconds, expiresAtMs, ...(endReason !== undefined && { endReason }) };
    void stored.writer.writeRecord(stored.record).catch(() => undefined);
    this.waitOffline(session);
  }

  /** A persistent session without connection: its expiry runs, and it takes so many messages per second. */
  private waitOffline(session: BrokerSession): void {
    const { clock, limits } = this.context;
    const { publishesPerSecond: rate } = limits;
    if (rate !== Infinity) session.offlineRate = new RateBucket(rate, clock.monotonicMs());
    const expiresAtMs = session.stored!.record.expiresAtMs ?? 0;
    const delayMs = Math.max(0, expiresAtMs - clock.unixMs());
    session.expiryTimer?.cancel();
    session.expiryTimer = clock.setTimer(delayMs, () => void this.expire(session));
  }

  private async expire(session: BrokerSession): Promise<void> {
    const { counters, log } = this.context;
    const { clientId } = session;
    await this.parts.order.after(clientId, async () => {
      if (session.isEnded || session.connection !== undefined || this.isClosed) return;
      counters.sessionsExpired++;
      log.info("sessionExpired", { clientId, queued: session.queue.queuedCount });
      await this.end(session);
    });
  }

  /** Ends a session for good, in memory and in the store. Failures of the store are logged by its writer. */
  private async end(session: BrokerSession): Promise<void> {
    const { keys } = this.context;
    const { stored, name } = session;
    const subscriptionKeys = [...session.subscriptions.keys()].map((filter) => keys.subscription(name, filter));
    const messageKeys = storedSequences(session).map((sequence) => keys.message(name, sequence));
    this.parts.sessions.forget(session);
    await stored?.writer.deleteSession([...subscriptionKeys, ...messageKeys]).catch(() => undefined);
  }

  /**
   * Ends the sessions of a client id that are here, for good.
   *
   * @param isEverywhere also those that the store has and no broker: whoever asked all others calls with this
   * @returns whether there was one
   */
  async endAll(clientId: string, isEverywhere: boolean): Promise<boolean> {
    const { sessions, moving } = this.parts;
    const names = new Set([clientId, ...(await storedNamesOf(this.context, clientId))]);
    const current = sessions.get(clientId);
    if (current !== undefined) names.add(current.name);
    let isAny = false;
    for (const name of names) {
      const here = sessions.named(name);
      const session =
        here ??
        (isEverywhere && this.hasMetOthers()
          ? await moving.fetch(name, (loaded: StoredSession) => this.restore(loaded))
          : undefined);
      if (session === undefined) continue;
      isAny = true;
      await this.end(session);
    }
    return isAny;
  }

  /** Another broker holds the session of that name under this epoch, 0 for a clean one, and its client is connected there. */
  taken({ clientId, name, epoch }: { clientId: string; name: SessionName; epoch: number }): void {
    const { sessions } = this.parts;
    const session = sessions.named(name);
    // A clean session has no epoch: what this broker has of the name is older than what the other one says now.
    const isOlder = epoch === 0 || (session?.stored?.record.epoch ?? 0) < epoch;
    if (session !== undefined && isOlder) this.lose(session);
    const current = sessions.get(clientId);
    if (current !== undefined && current.name !== name) current.connection?.end("DUPLICATE_CLIENTID");
  }

  /** Another broker has a newer epoch: nothing more can be written here. */
  private lose(session: BrokerSession): void {
    if (session.isEnded) return;
    this.context.counters.sessionsConflicted++;
    this.context.log.warn("sessionLost", { clientId: session.clientId, epoch: session.stored?.record.epoch });
    const { connection } = session;
    this.parts.sessions.forget(session);
    connection?.end("DUPLICATE_CLIENTID");
  }

  // From the store

  /** Makes a session persistent: from here on it has a record and a writer. */
  private makeStored(session: BrokerSession, record: SessionRecord, revision: number): void {
    const { clock, store, keys, counters, log } = this.context;
    const { clientId, name } = session;
    const writer = new SessionWriter({
      clock,
      store,
      key: keys.session(name),
      record,
      revision,
      gate: this.parts.gate,
      guard: this.context.node.guard,
      onConflict: () => this.lose(session),
      onFailure: (error) => {
        counters.storeFailures++;
        log.error("storeFailed", { what: "session", clientId, error: String(error) });
        // What the client may rely on was not stored: it has to notice, and to do it again.
        session.connection?.end("SERVER_ERROR");
      },
    });
    this.parts.sessions.makePersistent(session, { writer, record });
  }

  /** Puts a session that the store holds into memory. */
  private restore({ name, record, revision, subscriptions, messages }: StoredSession): BrokerSession {
    const { sessions, topics } = this.parts;
    const session = sessions.create({ name, owner: record.principal, version: record.version }, record.identifier);
    this.makeStored(session, record, revision);
    session.arrival = ++sessions.arrivals;
    if (sessions.get(session.clientId) === undefined) sessions.becomeCurrent(session);
    // Others know already, or there are none.
    for (const [filter, options] of subscriptions) void sessions.subscribe(session, filter, options);
    for (const { sequence, record: message } of messages) {
      const publication = restoredPublication(message, topics);
      const { sizeBytes, expiresAtMs } = publication;
      const facts = { sequence, sizeBytes, expiresAtMs, publication, isRetained: message.isRetained };
      session.nextSequence = sequence + 1;
      if (session.queue.enqueue({ ...facts, isStored: true, isReplay: true, group: undefined })) {
        this.parts.ledger.queued(sizeBytes);
        continue;
      }
      this.context.counters.droppedQueueFull++;
      void session.stored?.writer.delete(this.context.keys.message(name, sequence)).catch(() => undefined);
    }
    sessions.onArrival?.(session);
    return session;
  }

  // For a CONNECT

  /** What is in memory for a client, if anything. */
  kept(clientId: string, owner: SessionOwner): BrokerSession | undefined {
    const { sessions } = this.parts;
    const session = sessions.named(clientId);
    if (session !== undefined && this.mayBeOf(session.owner, owner)) return session;
    return sessions.named(nameBeside(clientId, owner));
  }

  /** Whether a session may be this owner's; a session of an earlier release may be anybody's. */
  private mayBeOf(sessionOwner: SessionOwner | undefined, owner: SessionOwner): boolean {
    return this.context.sessionOwner === "clientId" || sessionOwner === undefined || sessionOwner === owner;
  }

  /**
   * A session of an earlier release does not say whose it is: it is the thing's of that name, or where there is no such thing, that of
   * whoever comes first.
   */
  private async isOf(sessionOwner: SessionOwner | undefined, clientId: string, owner: SessionOwner): Promise<boolean> {
    if (sessionOwner !== undefined || owner === thingOwner || this.context.sessionOwner === "clientId")
      return this.mayBeOf(sessionOwner, owner);
    return !(await this.context.isThing(clientId));
  }

  /**
   * The session of a client, or the name that a new one gets: in memory, or in the store where another broker left it. A broker that never
   * met another has all sessions in memory, so that clean sessions ask the store nothing.
   */
  private async find(clientId: string, owner: SessionOwner): Promise<{ session?: BrokerSession; name: SessionName }> {
    const beside = nameBeside(clientId, owner);
    const names = this.context.sessionOwner === "clientId" ? [clientId] : [beside, clientId];
    for (const name of names) {
      const { session, isAnothers } = await this.look(name, clientId, owner);
      if (session !== undefined) return { session, name };
      if (isAnothers === true) return { name: beside };
    }
    return { name: clientId };
  }

  private async look(
    name: SessionName,
    clientId: string,
    owner: SessionOwner,
  ): Promise<{ session?: BrokerSession | undefined; isAnothers?: boolean }> {
    const { store, keys } = this.context;
    const known = this.parts.sessions.named(name);
    if (known !== undefined) {
      const isOwn = await this.isOf(known.owner, clientId, owner);
      return isOwn ? { session: known } : { isAnothers: true };
    }
    if (!this.hasMetOthers()) return {};
    const record = (await store.get<SessionRecord>(keys.session(name)))?.value;
    if (record === undefined) return {};
    if (!(await this.isOf(record.principal, clientId, owner))) return { isAnothers: true };
    const place = (loaded: StoredSession) => this.restore(loaded);
    const isSame = ({ principal }: SessionRecord) => principal === record.principal;
    return { session: await this.parts.moving.fetch(name, place, isSame) };
  }

  private isExpired({ stored }: BrokerSession): boolean {
    const expiresAtMs = stored?.record.expiresAtMs;
    return expiresAtMs !== undefined && expiresAtMs <= this.context.clock.unixMs();
  }

  /** Whether `sessionsMax` leaves no room for a client's persistent session; `known` is the session that it has in memory. */
  lacksRoom(known: BrokerSession | undefined, expirySeconds: number): boolean {
    const isFull = this.parts.sessions.persistentCount >= this.context.limits.sessionsMax;
    return isFull && expirySeconds > 0 && known?.stored === undefined;
  }

  /**
   * The session for an accepted CONNECT, resumed or new, owned by this broker under a new epoch when it is persistent.
   *
   * @returns undefined when it is to be persistent, and there are as many of these as `sessionsMax` allows.
   * @throws {ThinglineError} of the store.
   */
  async open(clientId: string, terms: SessionTerms): Promise<OpenedSession | undefined> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.openOnce(clientId, terms);
      } catch (error) {
        // Another broker wrote it since it was read here: it is read again.
        if (!isThinglineError(error, "STORE_CONFLICT") || attempt >= openAttemptsMax) throw error;
      }
    }
  }

  private async openOnce(clientId: string, terms: SessionTerms): Promise<OpenedSession | undefined> {
    const { owner, version, isCleanStart, expirySeconds } = terms;
    const { sessions } = this.parts;
    const { session: old, name } = await this.find(clientId, owner);
    // Its timer may be due in this very moment, and not have come yet.
    const isOver = old !== undefined && this.isExpired(old);
    const canResume = old?.stored !== undefined && !isCleanStart && !isOver && old.version === version;
    if (old !== undefined && !canResume) {
      if (isOver) this.context.counters.sessionsExpired++;
      // A session does not cross protocol versions.
      await this.end(old);
    }
    if (canResume) {
      old.expiryTimer?.cancel();
      old.expiryTimer = undefined;
      old.offlineRate = undefined;
      old.owner = owner;
      sessions.becomeCurrent(old);
      await this.own(old, expirySeconds);
      for (const message of old.queue.all()) message.isReplay = true;
      return { session: old, isPresent: true };
    }
    // An MQTT 3.1.1 client cannot be told that it gets less than it asked for, and would lose what it believes to be kept.
    if (this.lacksRoom(undefined, expirySeconds)) return undefined;
    const session = sessions.create({ name, owner, version });
    sessions.becomeCurrent(session);
    if (name !== clientId) this.context.log.info("sessionOfAnother", { clientId, owner, explanation: besideAnother });
    if (expirySeconds > 0) {
      const { identifier } = session;
      const record = { epoch: 0, identifier, owner: "", version, expirySeconds, expiresAtMs: undefined };
      this.makeStored(session, record, 0);
      await this.own(session, expirySeconds);
    } else this.tellTaken(session, 0);
    return { session, isPresent: false };
  }

  private async own(session: BrokerSession, expirySeconds: number): Promise<void> {
    const stored = session.stored!;
    const epoch = stored.record.epoch + 1;
    const owner = this.context.brokerId;
    const whose = session.owner !== undefined && { principal: session.owner };
    stored.record = { ...stored.record, ...whose, epoch, owner, expirySeconds, expiresAtMs: undefined };
    try {
      await stored.writer.writeRecord(stored.record);
    } catch (error) {
      // Nobody is connected to it: without this it would never expire.
      this.abandon(session, expirySeconds);
      throw error;
    }
    this.tellTaken(session, epoch);
  }

  /** Nobody waits: a holder that does not hear of it finds out with its next commit. */
  private tellTaken({ clientId, name }: BrokerSession, epoch: number): void {
    const { port } = this.parts;
    if (!port.isAlone) port.control({ type: "sessionTaken", clientId, name, epoch })?.catch(() => undefined);
  }
}

const besideAnother =
  "there is a session under this client id that belongs to another thing or certificate: it stays as it is, and this client has its own";

function storedSequences(session: BrokerSession): number[] {
  const sequences: number[] = [];
  for (const message of session.queue.all()) if (message.isStored) sequences.push(message.sequence);
  return sequences;
}
