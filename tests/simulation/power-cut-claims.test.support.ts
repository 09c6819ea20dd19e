// What a device says of its update, held against what lies on its flash at that moment.
import { isRecord } from "@thingline/protocol";
import { flagMark, magicMark, type SwapMode, type TrailerLayout, trailerLayout } from "@thingline/protocol/image";
import type { BoardLayout } from "@thingline/sim";
import type { FlashRange } from "@thingline/transport";

/** Of an UpdateJobExecution. */
export interface Claim {
  status: string;
  details: string;
  phase: string | undefined;
  versionRunning: string | undefined;
  reason: string | undefined;
}

/** Where things lie. */
export interface SlotFacts {
  mode: SwapMode;
  layout: BoardLayout;
  writeBytes: number;
  pageBytes: number;
  sectorsMax: number;
}

/** What is so. */
export interface UpdateTruth extends SlotFacts {
  image: Uint8Array;
  /** Another image runs than the factory's. */
  isNew: boolean;
  versionRunning: string | undefined;
}

export function readClaim(payload: Uint8Array | string): Claim {
  const said: unknown = JSON.parse(typeof payload === "string" ? payload : new TextDecoder().decode(payload));
  const members = isRecord(said) ? said : {};
  const details = isRecord(members["statusDetails"]) ? members["statusDetails"] : {};
  const textOf = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);
  return {
    status: textOf(members["status"]) ?? "",
    details: JSON.stringify(details),
    phase: textOf(details["phase"]),
    versionRunning: textOf(details["versionRunning"]),
    reason: textOf(details["reason"]),
  };
}

/** What of a claim is not so. */
export function faultsOf(claim: Claim, truth: UpdateTruth, flash: Uint8Array): string[] {
  const { status, phase, versionRunning, reason } = claim;
  const { isNew } = truth;
  const faults: string[] = [];
  const check = (isWrong: boolean, why: string): void => {
    if (isWrong) faults.push(`says ${status}, ${claim.details}: ${why}`);
  };
  check(versionRunning !== undefined && versionRunning !== truth.versionRunning, `${truth.versionRunning} runs`);
  check(status === "SUCCEEDED" && !isNew, "the old image runs");
  check((status === "SUCCEEDED" || phase === "confirmed") && !isConfirmed(truth, flash), "it is not confirmed");
  check(status === "FAILED" && isNew, "the new image runs");
  check(status === "FAILED" && reason === undefined, "it has no reason");
  check((status === "FAILED" || status === "REJECTED") && isScheduled(truth, flash), "an image is scheduled");
  // With a status that is final, the phase is how far it came.
  if (status !== "IN_PROGRESS" || isNew) return faults;
  check(phase === "booted" || phase === "healthy", "the old image runs");
  check((phase === "downloaded" || phase === "verified") && !isDownloaded(truth, flash), "it is not on flash");
  check(phase === "installed" && !isScheduled(truth, flash), "it is not scheduled");
  return faults;
}

/** The secondary slot asks for a swap. */
export function isScheduled(facts: SlotFacts, flash: Uint8Array): boolean {
  const { bytes, layout } = trailerIn(facts, facts.layout.secondary, flash);
  return magicMark(bytes.subarray(layout.magic, layout.magic + 16), layout.alignBytes) === "good";
}

function isConfirmed(facts: SlotFacts, flash: Uint8Array): boolean {
  const { bytes, layout } = trailerIn(facts, facts.layout.primary, flash);
  return flagMark(bytes[layout.imageOk] ?? 0) === "good";
}

function isDownloaded({ image, mode, layout, pageBytes }: UpdateTruth, flash: Uint8Array): boolean {
  const start = layout.secondary.offsetBytes + (mode === "offset" ? pageBytes : 0);
  return image.every((byte, at) => byte === flash[start + at]);
}

function trailerIn(
  { mode, writeBytes, sectorsMax }: SlotFacts,
  { offsetBytes, sizeBytes }: FlashRange,
  flash: Uint8Array,
): { bytes: Uint8Array; layout: TrailerLayout } {
  const layout = trailerLayout({ areaBytes: sizeBytes, mode, writeBytes, sectorsMax });
  return { bytes: flash.subarray(offsetBytes, offsetBytes + sizeBytes), layout };
}
