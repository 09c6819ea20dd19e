import { ThinglineError } from "@thingline/protocol";
import { dataModeMarker } from "./payload.js";

/** How a session finds back to the modem after an exchange that went wrong. */
export type WayBack =
  | { type: "answer" }
  /** The modem may be in data mode, and wait for the end marker or for so many bytes. */
  | { type: "dataMode"; missingBytesMax: number };

/** What the way back goes by. */
export interface WayBackTools {
  lineEnd: string;
  bufferedBytes: () => number;
  write: (text: string) => void;
  pause: (delayMs: number) => Promise<void>;
  /** Drops the beginning of a line that came. */
  forget: () => void;
  /** Sends AT. @throws {ThinglineError} as every command. */
  ask: (timeoutMs: number) => Promise<unknown>;
}

/** What a data mode of a program that ended may still wait for: the longest burst of `openSerialModemSockets`. */
export const abandonedBytesMax = 32_768;
const attemptsMax = 4;
const answerMs = 1000;
const quietMs = 100;
/** Something that refuses AT so often in a row is there, and means it: a board that waits for a firmware takes no other commands. */
const refusalsMax = 3;
/** Around the end marker of data mode: longer than its time limit at any usual line speed. */
const dataModeSilenceMs = 500;

/**
 * After an answer that did not come: whatever is still under way ends, data mode is left, a quote that noise opened in the modem's line
 * discipline is closed, and late answers run dry.
 *
 * @throws {ThinglineError} TIMEOUT when nothing answers; those of the channel.
 */
export async function findWayBack(wayBack: WayBack, tools: WayBackTools): Promise<void> {
  const { lineEnd, write, pause, forget, ask } = tools;
  if (wayBack.type === "dataMode") await leaveDataMode(wayBack.missingBytesMax, tools);
  let refusals = 0;
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    forget();
    if (attempt > 0) {
      // Ends a quoted text, or opens one that the next attempt ends.
      write(`"${lineEnd}`);
      await pause(quietMs);
    }
    try {
      await ask(answerMs);
    } catch (error) {
      if (!(error instanceof ThinglineError)) throw error;
      refusals = error.code === "MODEM_COMMAND_REJECTED" ? refusals + 1 : 0;
      const isUnsettled = error.code === "TIMEOUT" || (refusals > 0 && refusals < refusalsMax);
      if (isUnsettled) continue;
      if (refusals === 0) throw error;
    }
    await pause(quietMs);
    return;
  }
  const message = `the modem does not answer AT: ${attemptsMax} attempts, ${answerMs} ms each`;
  throw new ThinglineError("TIMEOUT", message, { details: { command: "AT", timeoutMs: answerMs } });
}

/**
 * Out of a data mode that may be there. One that counts takes as many bytes as may be missing; they are line ends, which mean nothing
 * once it has ended. The marker needs silence in front of it and behind it.
 */
export async function leaveDataMode(missingBytesMax: number, tools: WayBackTools): Promise<void> {
  const { lineEnd, write, pause } = tools;
  if (missingBytesMax > 0) write("\r\n".repeat(Math.ceil(missingBytesMax / 2)));
  await drain(tools);
  await pause(dataModeSilenceMs);
  write(dataModeMarker);
  await pause(dataModeSilenceMs);
  // Where there was no data mode, it lies in the line.
  write(lineEnd);
  await pause(quietMs);
}

/** Until what was written has left, as long as it does. */
async function drain({ bufferedBytes, pause }: WayBackTools): Promise<void> {
  for (let bytes = Infinity; bufferedBytes() > 0 && bufferedBytes() < bytes;) {
    bytes = bufferedBytes();
    await pause(dataModeSilenceMs);
  }
}
