import { isRecord } from "@thingline/protocol";
import type { ModemBehaviour } from "@thingline/modem/simulator";
import { UsageError } from "../failure.js";

/** What a line of standard input asks for. */
export type ControlCommand =
  | { type: "status"; modem?: number }
  | { type: "apply"; modem?: number; behaviour: ModemBehaviour; name: string; backAfterMs?: number };

/** What {@link parseControlLine} knows by name. */
export interface ControlWords {
  presets: Readonly<Record<string, ModemBehaviour>>;
  /** Things that happen once: `unplug`, `cutPower`. */
  events: readonly string[];
}

const members = ["modem", "apply", "status", "seed", "set", "steps", "backAfterMs"];
const backAfterMsMax = 3_600_000;

/**
 * A line is a word, with the number of a modem where there are several (`noSim`, `unplug 2`, `status`), or a JSON object: a behaviour
 * as a file holds it, or `apply` with a name; `modem` says which one, `backAfterMs` how long it stays unplugged or without power.
 * The behaviour itself is checked by the modem that gets it.
 *
 * @throws {UsageError}
 */
export function parseControlLine(line: string, words: ControlWords): ControlCommand {
  const text = line.trim();
  if (!text.startsWith("{")) return parseWords(text, words);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new UsageError("a line that begins with { has to be JSON");
  }
  if (!isRecord(value)) throw new UsageError("a line that begins with { has to be a JSON object");
  const unknown = Object.keys(value).find((name) => !members.includes(name));
  if (unknown !== undefined)
    throw new UsageError(`unknown member ${JSON.stringify(unknown)}: expected ${members.join(", ")}`);
  const { modem, apply, status, backAfterMs, ...document } = value;
  const which = modem === undefined ? {} : { modem: wholeNumber("modem", modem, 1000) };
  if (status !== undefined) {
    const isAlone = apply === undefined && backAfterMs === undefined && Object.keys(document).length === 0;
    if (status === true && isAlone) return { type: "status", ...which };
    throw new UsageError("status is true, and stands alone or with modem");
  }
  const back =
    backAfterMs === undefined ? {} : { backAfterMs: wholeNumber("backAfterMs", backAfterMs, backAfterMsMax) };
  if (apply === undefined) {
    if (Object.keys(document).length === 0) throw new UsageError("say what happens: apply, set or steps");
    return { type: "apply", ...which, ...back, behaviour: document, name: "document" };
  }
  if (typeof apply !== "string" || Object.keys(document).length > 0) {
    throw new UsageError("apply is the name of a behaviour, without set or steps");
  }
  return { type: "apply", ...which, ...back, ...named(apply, words) };
}

function parseWords(text: string, words: ControlWords): ControlCommand {
  const [word = "", number, ...more] = text.split(/\s+/);
  if (more.length > 0) throw new UsageError("a word, and the number of a modem: `unplug 2`");
  const which = number === undefined ? {} : { modem: wholeNumber("modem", Number(number), 1000) };
  if (word === "status") return { type: "status", ...which };
  return { type: "apply", ...which, ...named(word, words) };
}

function named(name: string, { presets, events }: ControlWords): { name: string; behaviour: ModemBehaviour } {
  // There is a preset `unplug` as well, at a write to come; who types the word means now.
  if (events.includes(name)) {
    return { name, behaviour: { steps: [{ atMs: 0, do: name }] } as ModemBehaviour };
  }
  const preset = Object.hasOwn(presets, name) ? presets[name] : undefined;
  if (preset !== undefined) return { name, behaviour: preset };
  throw new UsageError(
    `unknown: ${JSON.stringify(name)}; expected ${[...new Set(["status", ...events, ...Object.keys(presets)])].join(", ")}`,
  );
}

function wholeNumber(name: string, value: unknown, most: number): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= most) return value;
  throw new UsageError(`${name} is a whole number from 1 to ${most}`);
}
