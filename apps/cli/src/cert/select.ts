import type { CertLife } from "./life.js";

// Which certificates are meant. Pure.

/** Keeps those that end first, and counts the others: a fleet may have more than fit into memory. */
export class SoonestEnding {
  readonly #max: number;
  /** The last is the first that goes. */
  readonly #kept: CertLife[] = [];
  #count = 0;

  constructor(max: number) {
    this.#max = max;
  }

  add(life: CertLife): void {
    this.#count += 1;
    const last = this.#kept.at(-1);
    if (this.#kept.length >= this.#max && last !== undefined && !endsBefore(life, last)) return;
    let [low, high] = [0, this.#kept.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (endsBefore(life, this.#kept[middle] as CertLife)) high = middle;
      else low = middle + 1;
    }
    this.#kept.splice(low, 0, life);
    if (this.#kept.length > this.#max) this.#kept.pop();
  }

  get kept(): readonly CertLife[] {
    return this.#kept;
  }

  /** Those that are not kept. */
  get leftOut(): number {
    return this.#count - this.#kept.length;
  }
}

/** One whose end is not known comes last; of the same end, what was made first. */
function endsBefore(one: CertLife, other: CertLife): boolean {
  const [end, otherEnd] = [one.notAfterMs ?? Infinity, other.notAfterMs ?? Infinity];
  return end === otherEnd ? one.createdAtMs < other.createdAtMs : end < otherEnd;
}

export interface OrphanRules {
  nowMs: number;
  olderThanMs: number;
  /** Also what people had made, for devices that may still come. */
  includesIssued: boolean;
}

/** Why a certificate is an orphan; undefined: it is none. */
export type OrphanReason = "neverConnected" | "pendingActivation" | "attachedToNothing" | "severalOfThing";

/**
 * By what the place can tell. The local cloud knows what never connected. AWS does not: there it is what cannot connect, because it waits for
 * its activation or is attached to nothing; and what stands beside another ACTIVE one of its thing, of which one may be unused.
 */
export function orphanReason(
  life: CertLife,
  { nowMs, olderThanMs, includesIssued }: OrphanRules,
): OrphanReason | undefined {
  if (nowMs - life.createdAtMs < olderThanMs) return undefined;
  if (life.provedAtMs !== undefined) {
    if (life.provedAtMs !== null) return undefined;
    return life.isAskedByDevice === true || includesIssued ? "neverConnected" : undefined;
  }
  // Of the local cloud: made by a version that kept no proofs.
  if (life.source !== undefined) return undefined;
  if (life.status === "PENDING_ACTIVATION") return "pendingActivation";
  if (life.thingNames.length === 0 && life.policyNames?.length === 0) return "attachedToNothing";
  return life.status === "ACTIVE" && (life.activeBeside ?? 0) > 0 ? "severalOfThing" : undefined;
}

export const orphanWords: Readonly<Record<OrphanReason, string>> = {
  neverConnected: "never connected",
  pendingActivation: "waits for its activation",
  attachedToNothing: "attached to no thing and no policy: nobody can use it",
  severalOfThing: "one of several ACTIVE certificates of its thing; AWS does not tell which is in use",
};

/** What can be deleted without asking which one is in use. */
export const isDeletable = (reason: OrphanReason): boolean => reason !== "severalOfThing";
