import type { FirmwareTrial } from "../target.js";
import { type BundleFile, isRecord, readManifest } from "./bundle.js";

export const slotNames = ["a", "b"] as const;
/** A folder that an application is in. */
export type SlotName = (typeof slotNames)[number];

export const otherSlot = (slot: SlotName): SlotName => (slot === "a" ? "b" : "a");

/** Which application runs. Replaced whole by a rename: that is the switch. */
export interface ApplicationState {
  readonly active: SlotName;
  readonly trial: FirmwareTrial;
  /** The next start tries the other one. */
  readonly isScheduled: boolean;
  /** Of what is on trial. */
  readonly startCount: number;
}

/** What is in a slot. */
export interface SlotRecord {
  /** `writing`: nothing of it is worth anything; the files that may be there are named. */
  readonly phase: "writing" | "complete";
  readonly version: string;
  readonly imageId: string;
  readonly securityCounter?: number | undefined;
  readonly main: string;
  readonly files: readonly BundleFile[];
  /** It was confirmed once: it may be gone back to at any time. */
  readonly isProven: boolean;
}

export interface BootFindings {
  /** The files of the slot are there, and as they were unpacked. */
  isActiveWhole: boolean;
  isOtherWhole: boolean;
  /** What the other slot holds was confirmed once. */
  isOtherProven: boolean;
}

export interface BootDecision {
  state: ApplicationState;
  /** Undefined: nothing that could be started. */
  boots: SlotName | undefined;
  why: "asBefore" | "trial" | "reverted" | "refused" | "repaired" | "nothing";
}

/**
 * What a start does, as a bootloader: tries what is scheduled, once; goes back from what was tried and not confirmed; and starts nothing that
 * is not whole, as long as there is anything that is.
 */
export function decideBoot(state: ApplicationState, findings: BootFindings): BootDecision {
  const { active, trial, isScheduled, startCount } = state;
  const { isActiveWhole, isOtherWhole, isOtherProven } = findings;
  const other = otherSlot(active);
  const back: ApplicationState = { active: other, trial: "reverted", isScheduled: false, startCount: 0 };
  if (trial === "onTrial" && isOtherWhole && (startCount > 0 || !isActiveWhole)) {
    return { state: back, boots: other, why: "reverted" };
  }
  if (isScheduled && isOtherWhole && trial !== "onTrial") {
    return {
      state: { active: other, trial: "onTrial", isScheduled: false, startCount: 1 },
      boots: other,
      why: "trial",
    };
  }
  const stays: ApplicationState = { ...state, isScheduled: false };
  // As the bootloader would say of an image that it does not take.
  const settled: ApplicationState = isScheduled ? { ...stays, trial: "reverted" } : stays;
  if (isActiveWhole) {
    const counted = trial === "onTrial" ? { ...settled, startCount: startCount + 1 } : settled;
    return { state: counted, boots: active, why: isScheduled ? "refused" : "asBefore" };
  }
  if (isOtherWhole && isOtherProven) return { state: back, boots: other, why: "repaired" };
  return { state: settled, boots: undefined, why: "nothing" };
}

const version = 1;

export const encodeState = (state: ApplicationState): Uint8Array => encode({ version, ...state });
export const encodeSlot = ({ version: applicationVersion, ...slot }: SlotRecord): Uint8Array =>
  encode({ version, applicationVersion, ...slot });

export function decodeState(bytes: Uint8Array): ApplicationState | undefined {
  const value = decode(bytes);
  if (value === undefined) return undefined;
  const { active, trial, isScheduled, startCount } = value;
  if (active !== "a" && active !== "b") return undefined;
  if (trial !== "confirmed" && trial !== "onTrial" && trial !== "reverted") return undefined;
  if (typeof isScheduled !== "boolean" || !Number.isSafeInteger(startCount)) return undefined;
  return { active, trial, isScheduled, startCount: Number(startCount) };
}

export function decodeSlot(bytes: Uint8Array): SlotRecord | undefined {
  const value = decode(bytes);
  const manifest = value === undefined ? undefined : readManifest(value);
  if (value === undefined || manifest === undefined) return undefined;
  const { phase, applicationVersion, imageId, isProven, securityCounter } = value;
  if (phase !== "writing" && phase !== "complete") return undefined;
  if (typeof applicationVersion !== "string" || typeof imageId !== "string") return undefined;
  const counter = typeof securityCounter === "number" ? { securityCounter } : {};
  return { phase, version: applicationVersion, imageId, ...counter, ...manifest, isProven: isProven === true };
}

function encode(value: object): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(value, undefined, 2)}\n`);
}

function decode(bytes: Uint8Array): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    return isRecord(value) && value["version"] === version ? value : undefined;
  } catch {
    return undefined;
  }
}
