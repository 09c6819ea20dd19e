import { BoundedMap } from "@thingline/protocol";
import type { Clock, Timer } from "@thingline/transport";
import type { Log } from "../../log.js";

/** Nobody who makes a key takes longer. */
export const unansweredAfterMs = 10_000;
/** Requests that are waited for at once; what more are is not said. */
export const unansweredWatchedMax = 256;
/** Clients that it was said of; each is named once. */
export const unansweredToldMax = 1_024;

/** Says so when a device asks for a certificate and nobody answers: with the vending service off that is the likely reason for silence. */
export class UnansweredRequests {
  private readonly clock: Clock;
  private readonly log: Log;
  private readonly waiting = new Map<string, Timer>();
  private readonly told = new BoundedMap<string, true>(unansweredToldMax);

  constructor({ clock, log }: { clock: Clock; log: Log }) {
    this.clock = clock;
    this.log = log;
  }

  asked(clientId: string, topic: string): void {
    if (this.waiting.has(clientId) || this.told.get(clientId) !== undefined) return;
    if (this.waiting.size >= unansweredWatchedMax) return;
    const tell = (): void => {
      this.waiting.delete(clientId);
      this.told.set(clientId, true);
      this.log.warn("provisioningUnanswered", { clientId, topic, explanation });
    };
    this.waiting.set(clientId, this.clock.setTimer(unansweredAfterMs, tell));
  }

  answered(clientId: string): void {
    this.waiting.get(clientId)?.cancel();
    this.waiting.delete(clientId);
  }

  close(): void {
    for (const timer of this.waiting.values()) timer.cancel();
    this.waiting.clear();
  }
}

const explanation =
  "the built-in vending service is off, and nobody else answered: switch it on (thingline cloud vending builtin), or look why your own " +
  "cloud half did not publish on this topic's /accepted/key and /accepted/cert";
