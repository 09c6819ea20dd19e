// What the queues of a broker hold, counted message by message, beside what the broker itself counts.
import type { BrokerParts } from "./assemble.js";
import type { QueuedMessage } from "./session.js";

const bytesOf = (messages: readonly QueuedMessage[]): number =>
  messages.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);

export interface QueueCounts {
  queuedMessages: number;
  queuedBytes: number;
  inflightBytes: number;
  /** Bytes that wait, queue by queue. */
  queues: readonly number[];
}

export function ledgerCounts({ groups, ledger, sessions }: BrokerParts): QueueCounts {
  const { queuedMessages, queuedBytes, inflightBytes } = ledger;
  const ofSessions = [...sessions.all()].map(({ queue }) => queue.queuedBytes);
  const ofGroups = [...groups.all()].map(({ waitingBytes }) => waitingBytes);
  return { queuedMessages, queuedBytes, inflightBytes, queues: [...ofSessions, ...ofGroups] };
}

export function recountQueues({ groups, sessions }: BrokerParts): QueueCounts {
  const queues: QueuedMessage[][] = [];
  const inflight: QueuedMessage[] = [];
  for (const { queue } of sessions.all()) {
    const kept = new Set(queue.inflight?.kept() ?? []);
    queues.push(queue.all().filter((message) => !kept.has(message)));
    // What a member of a group has in flight is the group's.
    inflight.push(...[...kept].filter(({ group }) => group === undefined));
  }
  for (const group of groups.all()) {
    queues.push([...group.waiting.all(), ...group.parked]);
    inflight.push(...group.inflight);
  }
  const waiting = queues.flat();
  return {
    queuedMessages: waiting.length,
    queuedBytes: bytesOf(waiting),
    inflightBytes: bytesOf(inflight),
    queues: queues.map(bytesOf),
  };
}
