import type { Log } from "@thingline/cloud";
import type { Output } from "./output.js";

export const logLevels = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof logLevels)[number];

/**
 * The cloud's log on standard error: lines for people on a terminal, JSON lines (pino) with `--json`, so that
 * standard output stays free for events.
 */
export async function createLog(output: Output, level: LogLevel): Promise<Log> {
  if (output.isJson) {
    const { pino } = await import("pino");
    const logger = pino({ level, base: undefined }, pino.destination({ dest: 2, sync: true }));
    const write =
      (name: LogLevel) =>
      (event: string, facts: Readonly<Record<string, unknown>> = {}) =>
        logger[name](facts, event);
    return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
  }
  const { paint } = output;
  const colors = { debug: paint.dim, info: paint.cyan, warn: paint.yellow, error: paint.red };
  const threshold = logLevels.indexOf(level);
  const write =
    (name: LogLevel) =>
    (event: string, facts: Readonly<Record<string, unknown>> = {}) => {
      if (logLevels.indexOf(name) < threshold) return;
      const time = new Date().toISOString().slice(11, 23);
      process.stderr.write(`${paint.dim(time)} ${colors[name](name.padEnd(5))} ${event}${formatFacts(facts)}\n`);
    };
  return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
}

/** `name=value` pairs; values with blanks quoted, control characters escaped: a peer cannot forge a line. */
export function formatFacts(facts: Readonly<Record<string, unknown>>): string {
  let text = "";
  for (const [name, value] of Object.entries(facts)) {
    if (value === undefined) continue;
    const plain = typeof value === "string" ? value : JSON.stringify(value);
    text += ` ${name}=${/^[\w.:/+#$@*-]+$/.test(plain) ? plain : JSON.stringify(plain)}`;
  }
  return text;
}

export interface CapturedLog extends Log {
  /** The last lines of level warn and error, oldest first. */
  warnings(): readonly string[];
}

const capturedLinesMax = 20;

/** Keeps the last warnings and shows nothing: for a cloud that lives and dies inside a command. */
export function createCapturedLog(): CapturedLog {
  const lines: string[] = [];
  const keep = (event: string, facts: Readonly<Record<string, unknown>> = {}) => {
    lines.push(`${event}${formatFacts(facts)}`);
    if (lines.length > capturedLinesMax) lines.shift();
  };
  return { debug() {}, info() {}, warn: keep, error: keep, warnings: () => lines };
}
