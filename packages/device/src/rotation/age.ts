// When a certificate is old enough to be rotated, and how long it still lasts. Pure.

const dayMs = 86_400_000;

/** By age. Whichever of these comes first counts; none at all: a device rotates when it is told to. */
export interface RotationPolicy {
  /** At this part of the certificate's lifetime, 1 to 100. AWS IoT's own certificates last until the end of 2049. */
  atLifetimePercent?: number;
  /** So many days before the certificate ends. */
  daysBeforeEnd?: number;
  /** So many days after the beginning of the certificate's validity. */
  maxAgeDays?: number;
}

export interface Validity {
  /** Unix time. */
  notBeforeMs: number;
  notAfterMs: number;
}

/** What a device knows of the time. */
export interface TimeReading {
  /** Trusted: what the clock says. Else the earliest that it can be. */
  unixMs: number;
  isTrusted: boolean;
}

/** A clock may run a little ahead of another. */
export const clockToleranceMs = 300_000;

/**
 * A device without a battery for its clock begins in 1970, or wherever its firmware was built. It is no earlier than it ever was, nor than
 * the beginning of its certificate; and a certificate that the cloud has just accepted has not ended, whatever the clock says.
 *
 * @param floorMs the earliest time that it can be, as known from before
 * @param isCertain what the application knows of the clock; undefined: nothing
 */
export function readTime(
  clockMs: number,
  { notBeforeMs, notAfterMs }: Validity,
  facts: { floorMs: number; isCertain: boolean | undefined; isAccepted: boolean },
): TimeReading {
  const earliestMs = Math.max(facts.floorMs, notBeforeMs);
  const isPossible =
    clockMs + clockToleranceMs >= earliestMs && !(facts.isAccepted && clockMs > notAfterMs + clockToleranceMs);
  if (facts.isCertain !== false && isPossible) return { unixMs: Math.max(clockMs, earliestMs), isTrusted: true };
  return { unixMs: earliestMs, isTrusted: false };
}

/** Unix time, or undefined: never by age. */
export function dueAtMs({ notBeforeMs, notAfterMs }: Validity, policy: RotationPolicy): number | undefined {
  const { atLifetimePercent, daysBeforeEnd, maxAgeDays } = policy;
  const candidates = [
    ...(atLifetimePercent === undefined ? [] : [notBeforeMs + ((notAfterMs - notBeforeMs) * atLifetimePercent) / 100]),
    ...(daysBeforeEnd === undefined ? [] : [notAfterMs - daysBeforeEnd * dayMs]),
    ...(maxAgeDays === undefined ? [] : [notBeforeMs + maxAgeDays * dayMs]),
  ];
  return candidates.length === 0 ? undefined : Math.min(...candidates);
}

/** Whole days until a certificate ends; negative after its end. Of a time that is not trusted: at most so many. */
export function daysLeft({ notAfterMs }: Validity, { unixMs }: TimeReading): number {
  return Math.floor((notAfterMs - unixMs) / dayMs);
}

/** The threshold that an application is to be told of, if it was not yet. Thresholds are days, in any order. */
export function warningDue(
  left: number,
  thresholds: readonly number[],
  warnedAt: number | undefined,
): number | undefined {
  const reached = thresholds.filter((days) => left <= days);
  if (reached.length === 0) return undefined;
  const nearest = Math.min(...reached);
  return warnedAt === undefined || nearest < warnedAt ? nearest : undefined;
}
