import type { JobStatusDetails } from "@thingline/protocol/jobs";
import type { UpdateEnding, UpdateJournal } from "./journal.js";
import { type FotaStatusDetails, statusMessageCharactersMax } from "./status-details.js";
import type { UpdateState } from "./state.js";

/** The statusDetails of an update as it stands, or as it ended. */
export function statusDetailsOf(
  { journal, states, config, problem, percent }: UpdateState,
  ending?: UpdateEnding,
): JobStatusDetails {
  const target = journal?.target;
  const running = states[target ?? config.targets[0]?.name ?? ""]?.running;
  const why = ending ?? (problem && { reason: problem.reason, message: problem.error.message });
  const versionWanted = journal?.image?.version ?? journal?.versionWanted;
  const details: FotaStatusDetails = {
    ...(journal && { phase: journal.phase }),
    ...(journal?.file && { progress: String(Math.max(percent, percentOf(journal))) }),
    versionRunning: running?.version ?? "unknown",
    ...(versionWanted !== undefined && { versionWanted }),
    ...(target !== undefined && { target }),
    ...(why?.reason !== undefined && { reason: why.reason }),
    ...(why?.message !== undefined && { message: plainText(why.message) }),
    ...(journal && { since: String(Math.floor(journal.sinceMs / 1000)) }),
  };
  return { ...details };
}

export function percentOf({ file, offset }: Pick<UpdateJournal, "file" | "offset">): number {
  if (!file) return 0;
  return file.sizeBytes === 0 ? 100 : Math.floor((offset * 100) / file.sizeBytes);
}

/** AWS takes no control characters in a value, and so many characters. */
function plainText(text: string): string {
  return text.replace(/\p{C}+/gu, " ").slice(0, statusMessageCharactersMax);
}
