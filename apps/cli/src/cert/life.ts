/** What is known of one certificate. Times are Unix milliseconds. */
export interface CertLife {
  certificateId: string;
  status: string;
  createdAtMs: number;
  /** Undefined: the place does not say. */
  notAfterMs: number | undefined;
  thingNames: readonly string[];
  policyNames?: readonly string[];
  /** The operation that made it. The local cloud alone knows. */
  source?: string | undefined;
  /** A device asked for it, by itself. */
  isAskedByDevice?: boolean;
  /** The first connection; `null`: none so far; undefined: the place does not know. */
  provedAtMs?: number | null | undefined;
  lastConnectedAtMs?: number | undefined;
  replacedBy?: { certificateId: string; inactiveAtMs: number } | undefined;
  /** Other ACTIVE certificates of its thing, as far as somebody looked. */
  activeBeside?: number;
}

/** As the local cloud tells it. */
export interface ToldLife {
  certificateId: string;
  status: string;
  createdAtMs: number;
  notAfterMs: number;
  origin: { source: string; clientId?: string };
  provedAtMs?: number | null;
  lastConnectedAtMs?: number;
  replacedBy?: { certificateId: string; inactiveAtMs: number };
  thingNames: string[];
  policyNames?: string[];
}

export function lifeOfTold({ origin, ...told }: ToldLife): CertLife {
  return { ...told, source: origin.source, isAskedByDevice: origin.clientId !== undefined };
}

/** For programs. */
export function lifeFacts(life: CertLife): Record<string, unknown> {
  const time = (ms: number | null | undefined) => (typeof ms === "number" ? new Date(ms).toISOString() : ms);
  const { createdAtMs, notAfterMs, provedAtMs, lastConnectedAtMs, replacedBy, ...facts } = life;
  return {
    ...facts,
    createdAt: time(createdAtMs),
    notAfter: time(notAfterMs) ?? null,
    ...(provedAtMs !== undefined && { provedAt: time(provedAtMs) }),
    ...(lastConnectedAtMs !== undefined && { lastConnectedAt: time(lastConnectedAtMs) }),
    ...(replacedBy !== undefined && {
      replacedBy: replacedBy.certificateId,
      inactiveAt: time(replacedBy.inactiveAtMs),
    }),
  };
}

const dayMs = 86_400_000;

/** Two lines for people. */
export function lifeLines(life: CertLife, nowMs: number): [head: string, rest: string] {
  const { certificateId, status, thingNames, notAfterMs, source } = life;
  const things = thingNames.length === 0 ? "no thing" : thingNames.join(", ");
  const rest = [endOf(notAfterMs, nowMs), proofOf(life, nowMs), ...(source === undefined ? [] : [`by ${source}`])];
  if (life.replacedBy !== undefined && status === "ACTIVE") {
    rest.push(`replaced, INACTIVE ${agoOrIn(life.replacedBy.inactiveAtMs, nowMs)}`);
  }
  return [`${certificateId}  ${status}  ${things}`, rest.join(", ")];
}

function endOf(notAfterMs: number | undefined, nowMs: number): string {
  if (notAfterMs === undefined) return "end unknown";
  const day = new Date(notAfterMs).toISOString().slice(0, 10);
  const days = Math.floor((notAfterMs - nowMs) / dayMs);
  if (days < 0) return `ended ${day}`;
  return days > 3_650 ? `until ${day}` : `until ${day} (${days} ${days === 1 ? "day" : "days"})`;
}

function proofOf({ provedAtMs, lastConnectedAtMs, activeBeside }: CertLife, nowMs: number): string {
  if (provedAtMs === null) return "never connected";
  if (lastConnectedAtMs !== undefined) return `connected ${agoOrIn(lastConnectedAtMs, nowMs)}`;
  if (activeBeside !== undefined && activeBeside > 0) {
    return `${activeBeside} more ACTIVE of the same thing`;
  }
  return "connections unknown";
}

export function agoOrIn(atMs: number, nowMs: number): string {
  const distanceMs = Math.abs(atMs - nowMs);
  const [amount, unit] =
    distanceMs >= 2 * dayMs
      ? [Math.floor(distanceMs / dayMs), "days"]
      : distanceMs >= 2 * 3_600_000
        ? [Math.floor(distanceMs / 3_600_000), "hours"]
        : [Math.floor(distanceMs / 60_000), "minutes"];
  if (amount === 0) return "now";
  return atMs <= nowMs ? `${amount} ${unit} ago` : `in ${amount} ${unit}`;
}
