import type { Log } from "@thingline/cloud";
import type { Output } from "./output.js";
import { escapeControls } from "./terminal-text.js";

export const logLevels = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof logLevels)[number];

/**
 * The cloud's log on standard error: lines for people, JSON lines (pino) with `--json`, so that standard output stays free
 * for events.
 */
export async function createLog(
  output: Output,
  level: LogLevel,
  { verbose = false }: { verbose?: boolean } = {},
): Promise<Log> {
  if (output.isJson) {
    const { pino } = await import("pino");
    const destination = pino.destination({ dest: 2, sync: true });
    // Nobody reads the log any more: no reason for the cloud to end.
    destination.on("error", () => undefined);
    const logger = pino({ level, base: undefined }, destination);
    const write =
      (name: LogLevel) =>
      (event: string, facts: Readonly<Record<string, unknown>> = {}) =>
        logger[name](facts, event);
    return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
  }
  const { logPaint } = output;
  const colors = { debug: logPaint.dim, info: logPaint.cyan, warn: logPaint.yellow, error: logPaint.red };
  const threshold = logLevels.indexOf(level);
  const withoutRepetition = createMemory();
  const write =
    (name: LogLevel) =>
    (event: string, facts: Readonly<Record<string, unknown>> = {}) => {
      if (logLevels.indexOf(name) < threshold) return;
      const prose = `${event}${formatFacts(withoutRepetition(facts))}`;
      const beginning = `${logPaint.dim(timeOfDay(new Date()))} ${colors[name](name.padEnd(5))}`;
      output.logLine(beginning, verbose ? prose : shortenIds(prose));
    };
  return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
}

/** Refusals that may be told again by what follows from them. */
const explanationsRemembered = 20;

/**
 * Who refuses a client explains it, and then its connection is closed for the same reason: the explanation is told once. A client that tries
 * again is told again.
 */
function createMemory(): (facts: Readonly<Record<string, unknown>>) => Readonly<Record<string, unknown>> {
  const told = new Set<string>();
  return (facts) => {
    const { explanation, clientId, ...rest } = facts;
    if (typeof explanation !== "string" || explanation === "") return facts;
    const key = JSON.stringify([clientId, explanation]);
    if (told.delete(key)) return { ...(clientId !== undefined && { clientId }), ...rest };
    told.add(key);
    for (const oldest of told) if (told.size > explanationsRemembered) told.delete(oldest);
    return facts;
  };
}

const certificateId = /(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])/g;
const idCharactersShown = 10;

/** A certificate id of 64 digits fills a line and is told by its first ones; `--verbose` shows it whole. */
export function shortenIds(text: string): string {
  return text.replace(certificateId, (id) => `${id.slice(0, idCharactersShown)}…`);
}

/** As the clock on the wall shows it, with milliseconds. */
export function timeOfDay(date: Date): string {
  const [hours, minutes, seconds] = [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) =>
    String(part).padStart(2, "0"),
  );
  return `${hours}:${minutes}:${seconds}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

/** `name=value` pairs; what is not plain is quoted and escaped: a peer can neither forge a line nor move the cursor. */
export function formatFacts(facts: Readonly<Record<string, unknown>>): string {
  let text = "";
  for (const [name, value] of Object.entries(facts)) {
    if (value !== undefined) text += ` ${name}=${formatValue(value)}`;
  }
  return text;
}

const plainValue = /^[\w.:/+#$@*-]+$/;

function formatValue(value: unknown): string {
  if (typeof value === "number" && !Number.isInteger(value)) return String(Math.round(value * 1000) / 1000);
  if (typeof value === "bigint") return String(value);
  if (
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((item) => typeof item === "string" && plainValue.test(item))
  ) {
    return value.join(",");
  }
  const plain = typeof value === "string" ? value : JSON.stringify(value);
  return plainValue.test(plain) ? plain : escapeControls(JSON.stringify(plain));
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
