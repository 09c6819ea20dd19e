import { BoundedMap } from "@thingline/protocol";
import type { Clock } from "@thingline/transport";
import type { ClientFacts } from "../services/client-directory.js";

/** AWS tells of a client for so long after the end of its connection. */
export const endKeptMs = 30 * 60 * 1000;
/** Client ids whose end is remembered. */
export const rememberedEndsMax = 10_000;

/** How the last connections ended of clients that are away. In memory: a clean session leaves nothing in the store. */
export class RecentEnds {
  private readonly clock: Clock;
  private readonly ends = new BoundedMap<string, ClientFacts>(rememberedEndsMax);

  constructor(clock: Clock) {
    this.clock = clock;
  }

  add(client: ClientFacts, disconnectReason: string): void {
    this.ends.set(client.clientId, {
      ...client,
      isConnected: false,
      sinceMs: this.clock.unixMs(),
      disconnectReason,
    });
  }

  get(clientId: string): ClientFacts | undefined {
    const end = this.ends.get(clientId);
    return end !== undefined && end.sinceMs + endKeptMs > this.clock.unixMs() ? end : undefined;
  }
}
