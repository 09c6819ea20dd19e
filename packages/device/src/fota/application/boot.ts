import type { ApplicationFolder } from "./folder.js";
import { type BootDecision, decideBoot, otherSlot, type SlotName } from "./state.js";

/** What a start has found and decided. */
export interface Boot {
  /** Undefined: there is nothing that could be started. */
  application: BootedApplication | undefined;
  why: BootDecision["why"];
}

export interface BootedApplication {
  slot: SlotName;
  /** Where its files are. */
  folder: string;
  /** The file that is run, below the folder. */
  main: string;
  version: string;
  isOnTrial: boolean;
}

/**
 * Decides which application starts, and makes that durable before it does.
 *
 * @throws {ThinglineError} FILE_NOT_FOUND and STORE_CORRUPT without a state, and what the file system throws
 */
export async function bootApplication(folder: ApplicationFolder): Promise<Boot> {
  const state = await folder.readState();
  const other = otherSlot(state.active);
  const isActiveWhole = await folder.isWhole(state.active);
  // What is neither to be tried nor to be gone back to is not looked at.
  const isOtherWanted = state.isScheduled || state.trial === "onTrial" || !isActiveWhole;
  const isOtherWhole = isOtherWanted && (await folder.isWhole(other));
  const isOtherProven = isOtherWanted && (await folder.readSlot(other))?.isProven === true;
  const decision = decideBoot(state, { isActiveWhole, isOtherWhole, isOtherProven });
  if (JSON.stringify(decision.state) !== JSON.stringify(state)) await folder.writeState(decision.state);
  const slot = decision.boots;
  const record = slot === undefined ? undefined : await folder.readSlot(slot);
  if (slot === undefined || record === undefined) return { application: undefined, why: "nothing" };
  const { main, version } = record;
  const isOnTrial = decision.state.trial === "onTrial";
  return { application: { slot, folder: folder.slotFolder(slot), main, version, isOnTrial }, why: decision.why };
}
