import type { BrokerContext } from "./context.js";
import type { GroupQueues } from "./group-queue.js";
import type { QueueLedger } from "./queue-ledger.js";
import type { BrokerSession, QueuedMessage } from "./session.js";

/** What clients are done with: it leaves their window, the ledger and the store. */
export class InFlight {
  private readonly context: BrokerContext;
  private readonly ledger: QueueLedger;
  private readonly groups: GroupQueues;

  constructor(context: BrokerContext, { ledger, groups }: { ledger: QueueLedger; groups: GroupQueues }) {
    this.context = context;
    this.ledger = ledger;
    this.groups = groups;
  }

  /** A message in flight is done with. @returns false when there is none under the identifier. */
  acknowledged(session: BrokerSession, packetId: number): boolean {
    const { inflight } = session.queue;
    if (inflight === undefined) return false;
    // Of a clean session nothing is kept, unless it is a member of a group that keeps it.
    if (session.stored !== undefined || session.groups !== undefined)
      this.forgetKept(session, inflight.message(packetId));
    if (session.awaited !== undefined) session.awaited.get(packetId)?.(true);
    return inflight.release(packetId);
  }

  private forgetKept(session: BrokerSession, message: QueuedMessage | undefined): void {
    if (message?.isStored !== true) return;
    if (message.group !== undefined) {
      this.groups.settled(message);
      return;
    }
    this.ledger.settled(message.sizeBytes);
    const key = this.context.keys.message(session.name, message.sequence);
    void session.stored?.writer.delete(key).catch(() => undefined);
  }

  /** AWS gives up a QoS 1 message that a connected client does not acknowledge in time. @returns whether there were any */
  dropUnacknowledged(session: BrokerSession, nowMs: number): boolean {
    const { inflight } = session.queue;
    if (inflight === undefined || inflight.count === 0) return false;
    const { limits, counters } = this.context;
    const late = inflight.sentBefore(Math.floor(nowMs / 1000) - limits.redeliverySecondsMax[session.version]);
    if (late.length === 0) return false;
    for (const packetId of late) this.acknowledged(session, packetId);
    counters.droppedUnacknowledged += late.length;
    this.context.hit("redeliverySecondsMax", { clientId: session.clientId, messages: late.length });
    return true;
  }
}
