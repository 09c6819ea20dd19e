import type { MqttVersion } from "@thingline/protocol/mqtt";
import type { ClientConnection } from "./client-connection.js";
import type { BrokerCore } from "./core.js";
import { drainGroup } from "./group-delivery.js";
import { RateBucket } from "./rate.js";
import { restoredPublication } from "./retained.js";
import type { BrokerSession } from "./session.js";
import { loadSession, type SessionRecord, type StoredSession } from "./session-store.js";
import { SessionWriter } from "./session-writer.js";

/** The connection of a session ended: a clean session ends with it, a persistent one waits for its client. */
export function detachSession(core: BrokerCore, session: BrokerSession, connection: ClientConnection): void {
  if (session.connection !== connection) return;
  session.connection = undefined;
  const open = core.groups.giveBack(session);
  abandonSession(core, session, connection.terms.sessionExpirySeconds);
  if (core.isClosed || open.length === 0) return;
  core.nowMs = core.options.clock.monotonicMs();
  for (const queue of open) drainGroup(core, queue);
}

/** A session has no connection: see {@link detachSession}. */
export function abandonSession(core: BrokerCore, session: BrokerSession, expirySeconds: number): void {
  const { queue, stored } = session;
  if (stored === undefined || session.isEnded) {
    core.forget(session);
    return;
  }
  const { queuedBytes, queuedCount } = queue;
  queue.detach();
  // What was in flight waits again.
  core.inflightBytes -= queue.queuedBytes - queuedBytes;
  core.queuedBytes += queue.queuedBytes - queuedBytes;
  core.queuedMessages += queue.queuedCount - queuedCount;
  const expiresAtMs = core.options.clock.unixMs() + expirySeconds * 1000;
  stored.record = { ...stored.record, expirySeconds, expiresAtMs };
  void stored.writer.writeRecord(stored.record).catch(() => undefined);
  waitOffline(core, session);
}

/** A persistent session without connection: its expiry runs, and it takes so many messages per second. */
function waitOffline(core: BrokerCore, session: BrokerSession): void {
  const { publishesPerSecond } = core.limits;
  if (publishesPerSecond !== Infinity) session.offlineRate = new RateBucket(publishesPerSecond, core.nowMs);
  const expiresAtMs = session.stored!.record.expiresAtMs ?? 0;
  const delayMs = Math.max(0, expiresAtMs - core.options.clock.unixMs());
  session.expiryTimer?.cancel();
  session.expiryTimer = core.options.clock.setTimer(delayMs, () => void expire(core, session));
}

async function expire(core: BrokerCore, session: BrokerSession): Promise<void> {
  await core.inTurn(session.clientId, async () => {
    if (session.isEnded || session.connection !== undefined || core.isClosed) return;
    core.nowMs = core.options.clock.monotonicMs();
    core.counters.sessionsExpired++;
    core.options.log.info("sessionExpired", { clientId: session.clientId, queued: session.queue.queuedCount });
    await endSession(core, session);
  });
}

/** Ends a session for good, in memory and in the store. Failures of the store are logged by its writer. */
export async function endSession(core: BrokerCore, session: BrokerSession): Promise<void> {
  const { stored, clientId } = session;
  const subscriptionKeys = [...session.subscriptions.keys()].map((filter) => core.keys.subscription(clientId, filter));
  const messageKeys = storedSequences(session).map((sequence) => core.keys.message(clientId, sequence));
  core.forget(session);
  await stored?.writer.deleteSession([...subscriptionKeys, ...messageKeys]).catch(() => undefined);
}

function storedSequences(session: BrokerSession): number[] {
  const sequences: number[] = [];
  for (const message of session.queue.all()) if (message.isStored) sequences.push(message.sequence);
  return sequences;
}

/** Makes a session persistent: from here on it has a record and a writer. */
export function makeStored(core: BrokerCore, session: BrokerSession, record: SessionRecord, revision: number): void {
  const { clock, store } = core.options;
  const { clientId } = session;
  const writer = new SessionWriter({
    clock,
    store,
    key: core.keys.session(clientId),
    record,
    revision,
    gate: core.commitGate,
    onConflict: () => loseSession(core, session),
    onFailure: (error) => {
      core.counters.storeFailures++;
      core.options.log.error("storeFailed", { what: "session", clientId, error: String(error) });
      // What the client may rely on was not stored: it has to notice, and to do it again.
      session.connection?.end("SERVER_ERROR");
    },
  });
  session.stored = { writer, record };
  core.persistentCount++;
}

/** Another broker has a newer epoch: nothing more can be written here. */
export function loseSession(core: BrokerCore, session: BrokerSession): void {
  if (session.isEnded) return;
  core.counters.sessionsConflicted++;
  core.options.log.warn("sessionLost", { clientId: session.clientId, epoch: session.stored?.record.epoch });
  const { connection } = session;
  core.forget(session);
  connection?.end("DUPLICATE_CLIENTID");
}

/** Puts a session that the store holds into memory. */
export function restoreSession(core: BrokerCore, loaded: StoredSession): BrokerSession {
  const { clientId, record, revision } = loaded;
  const session = core.newSession(clientId, record.version);
  makeStored(core, session, record, revision);
  for (const [filter, options] of loaded.subscriptions) core.subscribe(session, filter, options);
  for (const { sequence, record: message } of loaded.messages) {
    const publication = restoredPublication(message, core.topics);
    const { sizeBytes, expiresAtMs } = publication;
    session.nextSequence = sequence + 1;
    const { isRetained } = message;
    const queued = {
      sequence,
      sizeBytes,
      expiresAtMs,
      publication,
      isRetained,
      isStored: true,
      isReplay: true,
      group: undefined,
    };
    if (!session.queue.enqueue(queued)) {
      core.counters.droppedQueueFull++;
      void session.stored?.writer.delete(core.keys.message(clientId, sequence)).catch(() => undefined);
      continue;
    }
    core.queuedMessages++;
    core.queuedBytes += sizeBytes;
  }
  return session;
}

/** A session of the store at start: whoever was connected is not any more, and its expiry begins now. */
export async function restoreAtStart(core: BrokerCore, clientId: string): Promise<void> {
  const loaded = await loadSession(core.options.store, core.keys, clientId);
  if (loaded === undefined) return;
  const session = restoreSession(core, loaded);
  const stored = session.stored!;
  if (stored.record.expiresAtMs === undefined) {
    const expiresAtMs = core.options.clock.unixMs() + stored.record.expirySeconds * 1000;
    stored.record = { ...stored.record, expiresAtMs };
    // Nobody waits: should this not be written, the next start does it again.
    void stored.writer.writeRecord(stored.record).catch(() => undefined);
  }
  waitOffline(core, session);
}

/**
 * The session of a client id: in memory, or in the store where another broker left it. A broker that never met another
 * has all sessions in memory, so that clean sessions ask the store nothing.
 */
export async function findSession(core: BrokerCore, clientId: string): Promise<BrokerSession | undefined> {
  const known = core.sessions.get(clientId);
  if (known !== undefined || !core.hasMetOthers()) return known;
  const loaded = await loadSession(core.options.store, core.keys, clientId);
  return loaded === undefined ? undefined : restoreSession(core, loaded);
}

function isExpired(core: BrokerCore, { stored }: BrokerSession): boolean {
  const expiresAtMs = stored?.record.expiresAtMs;
  return expiresAtMs !== undefined && expiresAtMs <= core.options.clock.unixMs();
}

/** Whether `sessionsMax` leaves no room for a client's persistent session; `known` is the session that it has in memory. */
export function lacksRoom(core: BrokerCore, known: BrokerSession | undefined, expirySeconds: number): boolean {
  return expirySeconds > 0 && known?.stored === undefined && core.persistentCount >= core.limits.sessionsMax;
}

export interface OpenedSession {
  session: BrokerSession;
  isPresent: boolean;
}

/**
 * The session for an accepted CONNECT, resumed or new, owned by this broker under a new epoch when it is persistent.
 *
 * @returns undefined when it is to be persistent, and there are as many of these as `sessionsMax` allows.
 * @throws {ThinglineError} of the store.
 */
export async function openSession(
  core: BrokerCore,
  clientId: string,
  terms: { version: MqttVersion; isCleanStart: boolean; expirySeconds: number },
): Promise<OpenedSession | undefined> {
  const { version, isCleanStart, expirySeconds } = terms;
  const old = await findSession(core, clientId);
  // Its timer may be due in this very moment, and not have come yet.
  const isOver = old !== undefined && isExpired(core, old);
  const canResume = old?.stored !== undefined && !isCleanStart && !isOver && old.version === version;
  if (old !== undefined && !canResume) {
    if (isOver) core.counters.sessionsExpired++;
    // A session does not cross protocol versions.
    await endSession(core, old);
  }
  if (canResume) {
    old.expiryTimer?.cancel();
    old.expiryTimer = undefined;
    old.offlineRate = undefined;
    await ownSession(core, old, expirySeconds);
    for (const message of old.queue.all()) message.isReplay = true;
    return { session: old, isPresent: true };
  }
  // An MQTT 3.1.1 client cannot be told that it gets less than it asked for, and would lose what it believes to be kept.
  if (lacksRoom(core, undefined, expirySeconds)) return undefined;
  const session = core.newSession(clientId, version);
  if (expirySeconds > 0) {
    const record = { epoch: 0, owner: "", version, expirySeconds, expiresAtMs: undefined };
    makeStored(core, session, record, 0);
    await ownSession(core, session, expirySeconds);
  }
  return { session, isPresent: false };
}

async function ownSession(core: BrokerCore, session: BrokerSession, expirySeconds: number): Promise<void> {
  const stored = session.stored!;
  const epoch = stored.record.epoch + 1;
  stored.record = { ...stored.record, epoch, owner: core.brokerId, expirySeconds, expiresAtMs: undefined };
  try {
    await stored.writer.writeRecord(stored.record);
  } catch (error) {
    // Nobody is connected to it: without this it would never expire.
    abandonSession(core, session, expirySeconds);
    throw error;
  }
  if (!core.port.isAlone) core.port.control({ type: "sessionTaken", clientId: session.clientId, epoch });
}
