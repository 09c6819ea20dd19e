import { ThinglineError } from "@thingline/protocol";
import type { Board, BoardImage, BoardReport } from "./board.js";

/** What an application is given of the board it runs on. */
export interface ApplicationContext {
  board: Board;
  /** Of the boot that started it. */
  report: BoardReport;
  /** Aborted by a reboot, and when the board is switched off: the application ends at once, as it would. */
  signal: AbortSignal;
  /** Resets the board: the bootloader runs again, and then whatever image it chooses. Safe to call twice. */
  reboot: () => void;
}

/** Chosen by the image that runs. It ends when its signal is aborted; one that ends by itself stays ended until the board is switched off. */
export type BoardApplication = (image: BoardImage, context: ApplicationContext) => Promise<void>;

/**
 * Boots a board and runs the application of its image, again after every reboot, until the signal is aborted.
 *
 * @throws {ThinglineError} IMAGE_INVALID when nothing on the board may run; and what the application throws, unless it was told to end.
 */
export async function runBoard(
  board: Board,
  application: BoardApplication,
  { signal }: { signal: AbortSignal },
): Promise<void> {
  let isRebooting = true;
  while (isRebooting && !signal.aborted) {
    const report = await board.boot();
    const { runs } = report;
    if (runs === undefined) throw notBootable(report);
    isRebooting = await runOnce(board, application, { runs, report, signal });
  }
}

/** @returns whether it rebooted */
async function runOnce(
  board: Board,
  application: BoardApplication,
  { runs, report, signal }: { runs: BoardImage; report: BoardReport; signal: AbortSignal },
): Promise<boolean> {
  const life = new AbortController();
  let isRebooting = false;
  const end = (): void => life.abort(signal.reason);
  const reboot = (): void => {
    isRebooting = true;
    life.abort(new ThinglineError("ABORTED", "the board reboots"));
  };
  signal.addEventListener("abort", end, { once: true });
  try {
    if (signal.aborted) return false;
    await application(runs, { board, report, signal: life.signal, reboot });
  } catch (error) {
    if (!life.signal.aborted) throw error;
  } finally {
    signal.removeEventListener("abort", end);
  }
  return isRebooting;
}

function notBootable({ refusals, warnings }: BoardReport): ThinglineError {
  const [refusal] = refusals.filter(({ slot }) => slot === "primary");
  const why = refusal?.message ?? warnings.join(", ");
  const message = `nothing on the board may run: ${why}`;
  const details = { reason: refusal?.code ?? warnings[0] ?? "" };
  return new ThinglineError("IMAGE_INVALID", message, { details });
}
