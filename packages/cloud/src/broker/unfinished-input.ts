import { reasonCodes } from "@thingline/protocol/mqtt";
import type { Connection } from "@thingline/transport";
import type { EndDetails } from "./client.js";
import type { BrokerContext } from "./context.js";
import type { DisconnectReason } from "./disconnect-reasons.js";

/** So many bytes of an unfinished packet a connection may have whatever the others have: nearly every piece of input ends within a packet. */
export const unfinishedBytesShare = 4 * 1024;

/** A connection with more than its share of an unfinished packet. */
export interface UnfinishedConnection {
  readonly connection: Connection;
  /** Tells {@link UnfinishedInput.changed} that nothing is held any more. */
  end(reason: DisconnectReason, details: EndDetails): void;
}

/** Packets of all connections that have come in part. When they are too much together, the one that was begun first goes. */
export class UnfinishedInput {
  private readonly context: BrokerContext;
  private readonly oldestFirst = new Set<UnfinishedConnection>();
  private bytes = 0;

  constructor(context: BrokerContext) {
    this.context = context;
  }

  /**
   * A connection that counted with `before` counts with `now`; 0 is a connection within its share.
   *
   * @param isAnother the packet is not the one of before
   */
  changed(connection: UnfinishedConnection, before: number, now: number, isAnother: boolean): void {
    this.bytes += now - before;
    if (now === 0 || isAnother) this.oldestFirst.delete(connection);
    if (now !== 0) this.oldestFirst.add(connection);
    const { unfinishedBytesTotalMax } = this.context.limits;
    while (this.bytes > unfinishedBytesTotalMax) {
      // Who means it finishes a packet before others begin so many.
      const [oldest = connection] = this.oldestFirst;
      this.context.hit("unfinishedBytesTotalMax", { remote: oldest.connection.remote.host });
      const reasonString = "the unfinished packets of all clients are too much together, and this one is the oldest";
      oldest.end("CLIENT_ERROR", { reasonCode: reasonCodes.quotaExceeded, reasonString });
    }
  }
}
