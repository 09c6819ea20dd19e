import { BoundedMap } from "@thingline/protocol";

/** First connections that are worked on at once. */
export const firstConnectionsInFlightMax = 64;
/** New certificates of one CA, as AWS's quotas for RegisterThing and RegisterCertificate. */
export const firstConnectionsPerSecond = 10;
/** So many may come at once. */
export const firstConnectionsBurstMax = 100;
/** Connections of one certificate that waits for its activation: one a second, so many at once. */
export const pendingConnectionsBurstMax = 5;
/** Certificates and CAs whose last connections are remembered; the one that was seen first is forgotten. */
export const firstConnectionsRememberedMax = 10_000;

/** Tokens that were left at a time. */
interface Bucket {
  tokens: number;
  atMs: number;
}

export interface GateOptions {
  monotonicMs: () => number;
  /** Quotas of AWS are kept. The bound on what is worked on at once stays. */
  isLimited: boolean;
}

/** How many first connections may be worked on: at once, of one certificate, of one CA. */
export class FirstConnectionsGate {
  readonly #monotonicMs: () => number;
  readonly #isLimited: boolean;
  readonly #ofCertificate = new BoundedMap<string, Bucket>(firstConnectionsRememberedMax);
  readonly #ofCa = new BoundedMap<string, Bucket>(firstConnectionsRememberedMax);
  #inFlight = 0;

  constructor({ monotonicMs, isLimited }: GateOptions) {
    this.#monotonicMs = monotonicMs;
    this.#isLimited = isLimited;
  }

  /** Why it has to come later; undefined when it may go on, and then {@link leave} follows. */
  enter({ certificateId, caCertificateId }: { certificateId: string; caCertificateId: string }): string | undefined {
    if (this.#inFlight >= firstConnectionsInFlightMax) {
      return `${firstConnectionsInFlightMax} first connections are worked on already; connect again later`;
    }
    if (this.#isLimited) {
      const ofOne = take(this.#ofCertificate, certificateId, this.#monotonicMs(), {
        perSecond: 1,
        burstMax: pendingConnectionsBurstMax,
      });
      if (!ofOne)
        return "it connects more often than once a second while it waits for its activation; connect again later";
      const ofAll = take(this.#ofCa, caCertificateId, this.#monotonicMs(), {
        perSecond: firstConnectionsPerSecond,
        burstMax: firstConnectionsBurstMax,
      });
      if (!ofAll) {
        return `more than ${firstConnectionsPerSecond} certificates a second of the CA ${caCertificateId} connect for the first time; connect again later`;
      }
    }
    this.#inFlight++;
    return undefined;
  }

  leave(): void {
    this.#inFlight--;
  }
}

function take(
  buckets: BoundedMap<string, Bucket>,
  key: string,
  nowMs: number,
  { perSecond, burstMax }: { perSecond: number; burstMax: number },
): boolean {
  const last = buckets.get(key) ?? { tokens: burstMax, atMs: nowMs };
  const tokens = Math.min(burstMax, last.tokens + ((nowMs - last.atMs) * perSecond) / 1000);
  const isTaken = tokens >= 1;
  buckets.set(key, { tokens: isTaken ? tokens - 1 : tokens, atMs: nowMs });
  return isTaken;
}
