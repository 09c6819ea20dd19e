import type { Clock } from "@thingline/transport";
import type { Log } from "./log.js";

export interface BoundedLogOptions {
  clock: Pick<Clock, "monotonicMs">;
  /** Lines of one event and level within one second. Default {@link linesPerSecondMax}. */
  linesMax?: number;
  /** Longer texts are cut. Default {@link textCharactersMax}. */
  charactersMax?: number;
}

export const linesPerSecondMax = 100;
export const textCharactersMax = 1_000;

type Level = keyof Log;
type Facts = Readonly<Record<string, unknown>>;

interface Second {
  beganMs: number;
  lines: number;
  leftOut: number;
}

/**
 * A log that clients cannot fill: of each event so many lines a second, no endless texts. The first line after a second
 * with too many tells in `leftOut` how many there were; counters have them all.
 */
export function createBoundedLog(log: Log, options: BoundedLogOptions): Log {
  const { clock, linesMax = linesPerSecondMax, charactersMax = textCharactersMax } = options;
  const write = (level: Level) => {
    // Event names are words of ours, so there are only so many.
    const seconds = new Map<string, Second>();
    return (event: string, facts?: Facts): void => {
      const nowMs = clock.monotonicMs();
      let second = seconds.get(event);
      if (second === undefined) seconds.set(event, (second = { beganMs: nowMs, lines: 0, leftOut: 0 }));
      if (nowMs - second.beganMs >= 1_000) {
        second.beganMs = nowMs;
        second.lines = 0;
      }
      if (second.lines >= linesMax) {
        second.leftOut++;
        return;
      }
      second.lines++;
      const short = facts === undefined ? undefined : shorten(facts, charactersMax);
      if (second.leftOut === 0) return log[level](event, short);
      log[level](event, { ...short, leftOut: second.leftOut });
      second.leftOut = 0;
    };
  };
  return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
}

function shorten(facts: Facts, charactersMax: number): Facts {
  let shortened: Record<string, unknown> | undefined;
  for (const [name, value] of Object.entries(facts)) {
    if (typeof value !== "string" || value.length <= charactersMax) continue;
    shortened ??= { ...facts };
    shortened[name] = `${value.slice(0, charactersMax)}... (${value.length} characters)`;
  }
  return shortened ?? facts;
}
