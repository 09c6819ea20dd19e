import type { UpdateEnding, UpdateJournal } from "./journal.js";
import type { FirmwareTargetState } from "./target.js";
import { stubbornAttemptsMax, type TargetStates, type UpdateConfig } from "./types.js";

export type Recovery =
  /** Nothing can or need be done without the job. */
  | { action: "rest" }
  /** The image runs: whether it stays, its health decides. */
  | { action: "prove"; target: string }
  /** The image runs, and must not stay. */
  | { action: "revert"; target: string }
  | { action: "end"; ending: UpdateEnding };

/**
 * What a start finds, and what follows from it. What runs and what is scheduled is asked of the targets; the journal says only what was meant,
 * and was written before what it speaks of, or after, but never together with it. Pure.
 */
export function decideRecovery(
  journal: UpdateJournal | undefined,
  states: TargetStates,
  { targets, limits }: UpdateConfig,
): Recovery {
  if (!journal || journal.isEnded) return decideAlone(journal, states);
  if (journal.target === undefined) return { action: "rest" };
  const { target } = journal;
  const state = states[target];
  if (!state) return lost(`this device has no target "${target}" any more, to which the update was going`);
  const isNew = runsNewImage(journal, state);
  const { ending, phase } = journal;
  if (ending) {
    const canRevert = targets.some(({ name, canRevert: can }) => name === target && can);
    const mayRevert = isNew && state.running.trial === "onTrial" && canRevert;
    if (mayRevert && journal.rebootCount < 2 * limits.rebootsMax) return { action: "revert", target };
    return { action: "end", ending };
  }
  if (!journal.image) return { action: "rest" };
  if (isNew) {
    const isDone = state.running.trial !== "onTrial" && (phase === "healthy" || phase === "confirmed");
    return isDone ? { action: "end", ending: { status: "SUCCEEDED" } } : { action: "prove", target };
  }
  if (state.isScheduled) {
    if (journal.rebootCount < limits.rebootsMax) return { action: "rest" };
    const why = state.refusal === undefined ? "" : `: ${state.refusal}`;
    return failed("notBooted", `${journal.rebootCount} restarts did not make the bootloader take the image${why}`);
  }
  switch (phase) {
    case "downloading":
    case "downloaded":
    case "verified":
      // Power went right before the image was scheduled, or right after, and the bootloader did not stay with it.
      if (journal.scheduleCount < stubbornAttemptsMax) return { action: "rest" };
      return notBooted(state);
    case "installed":
    case "rebooting":
      return notBooted(state);
    case "booted":
    case "healthy":
    case "confirmed":
      return failed(
        "reverted",
        `the new image ran, and ${state.running.version} runs again: it was not confirmed in time`,
      );
  }
}

/** Without an update under way. An image may be on trial all the same: somebody flashed it, or what was remembered is gone. */
function decideAlone(journal: UpdateJournal | undefined, states: TargetStates): Recovery {
  for (const [target, state] of Object.entries(states)) {
    if (state.running.trial !== "onTrial") continue;
    const isGivenUp = journal?.ending !== undefined && journal.target === target && runsNewImage(journal, state);
    if (!isGivenUp) return { action: "prove", target };
  }
  return { action: "rest" };
}

/** Whether what runs is the image of the update. */
export function runsNewImage({ image, previousId }: UpdateJournal, { running }: FirmwareTargetState): boolean {
  if (!image) return false;
  if (image.imageId !== undefined) return running.imageId === image.imageId;
  return previousId !== undefined && running.imageId !== previousId;
}

function notBooted({ running, refusal }: FirmwareTargetState): Recovery {
  if (refusal !== undefined) return failed("notBooted", `${refusal}; ${running.version} runs`);
  if (running.trial === "reverted") {
    return failed(
      "reverted",
      `the bootloader went back to ${running.version}: the new image did not get as far as to say why`,
    );
  }
  return failed("notBooted", `the bootloader did not take the image; ${running.version} runs`);
}

function failed(reason: string, message: string): Recovery {
  return { action: "end", ending: { status: "FAILED", reason, message } };
}

function lost(message: string): Recovery {
  return failed("stateLost", message);
}
