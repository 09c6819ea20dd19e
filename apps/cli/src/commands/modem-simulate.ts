import { resolve } from "node:path";
import { isThinglineError } from "@thingline/protocol";
import type { AtTerminator } from "@thingline/protocol/at";
import {
  firmwareProfiles,
  isFirmwareName,
  type ModemBehaviourName,
  modemBehaviourPresets,
  type ModemEvent,
} from "@thingline/modem/simulator";
import type { Endpoint } from "@thingline/transport";
import { type Adapters, nodeAdapters } from "../adapters.js";
import type { CommandContext } from "../command.js";
import { exitCodes, UsageError } from "../failure.js";
import type { Output } from "../output.js";
import { joinBehaviours, readBehaviour } from "../simulate/behaviour-file.js";
import { type ControlCommand, parseControlLine } from "../simulate/control.js";
import { mayReadStandardInput, readControlLines } from "../simulate/control-input.js";
import {
  holdEvents,
  lineEventsOf,
  reasonOf,
  tellApplied,
  tellReady,
  tellStatus,
  warnOfOthers,
} from "../simulate/line-output.js";
import { portLinkNames } from "../simulate/port-link-names.js";
import { type LineApplication, SimulatedLine, type SimulatedLineOptions } from "../simulate/simulated-line.js";

interface SimulateOptions {
  pty?: boolean;
  link?: string;
  /** `HOST:PORT` or `PORT`. */
  tcp?: string;
  count: number;
  modemDir: string;
  firmware?: string;
  application: ApplicationWord;
  terminator?: AtTerminator;
  baudRate?: number;
  /** Files, or names of presets. */
  behaviour?: string[];
  /** Presets that have a flag of their own; commander: `--no-sim` makes `sim` false. */
  sim?: boolean;
  outOfData?: boolean;
  roaming?: boolean;
  weakSignal?: boolean;
  lostLink?: boolean;
  slowFlash?: boolean;
  writeFailure?: boolean;
  powerCut?: boolean;
  backAfter: number;
  verbose?: boolean;
}

/** As the option has it. */
type ApplicationWord = "at-host" | "slm-1.x" | "slm-2.x" | "serial-modem";

/** `thingline modem simulate` */
export async function modemSimulate({ output, signal }: CommandContext, options: SimulateOptions): Promise<number> {
  const adapters = nodeAdapters();
  const settings = await readSettings(adapters, options);
  const lines: SimulatedLine[] = [];
  let isGood = true;
  // The first line tells where the ports are, whatever a modem says at its start.
  const later = holdEvents(output);
  const spoil = () => (isGood = false);
  const told = (number: number) => lineEventsOf(later.output, { count: options.count, number }, spoil);
  try {
    // Which of the many is which must be told by their order.
    for (const [index, each] of settings.entries()) {
      lines.push(await SimulatedLine.start(adapters, each, told(index + 1)));
      signal.throwIfAborted();
    }
    const hasControl = await mayReadStandardInput(process.stdin.isTTY === true);
    tellReady(output, lines, { application: options.application, hasControl });
    later.release();
    warnOfOthers(output, settings[0]?.tcp?.host);
    if (hasControl) void takeControl({ output, signal, lines });
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    const losses = lossesOf(lines);
    await Promise.all(lines.map((line) => line.close()));
    output.event({ event: "stopped", ...losses }, "stopped");
  } finally {
    await Promise.all(lines.map((line) => line.close()));
  }
  return isGood ? exitCodes.done : exitCodes.failed;
}

async function readSettings({ files }: Adapters, options: SimulateOptions): Promise<SimulatedLineOptions[]> {
  const { count, link, modemDir, firmware, application, terminator, baudRate, backAfter, verbose } = options;
  if (firmware !== undefined && !isFirmwareName(firmware)) {
    throw new UsageError(`--firmware is one of ${Object.keys(firmwareProfiles).join(", ")}, got "${firmware}"`);
  }
  if (application !== "at-host" && terminator === "NUL") throw new UsageError("a serial modem has no terminator NUL");
  const tcp = options.tcp === undefined ? undefined : readEndpoint(options.tcp);
  if (tcp !== undefined && tcp.port !== 0 && tcp.port + count - 1 > 65_535) {
    throw new UsageError(`--tcp: ${count} ports from ${tcp.port} on would pass 65535`);
  }
  const hasPty = options.pty === true || link !== undefined || tcp === undefined;
  const links = link === undefined ? undefined : portLinkNames(link, count);
  if (link !== undefined && resolve(link) === resolve(modemDir)) {
    throw new UsageError(`--link and --modem-dir are both ${link}: the folder needs a name of its own`);
  }
  const names = [...presetsOfFlags(options), ...(options.behaviour ?? [])];
  const behaviour = joinBehaviours(await Promise.all(names.map((name) => readBehaviour(files, name))));
  return Array.from({ length: count }, (_, index) => {
    const name = links?.[index];
    return {
      folder: count === 1 ? modemDir : `${modemDir}-${index + 1}`,
      ...(firmware !== undefined && { firmware }),
      application: applicationOf(application),
      ...(terminator !== undefined && { terminator }),
      ...(baudRate !== undefined && { baudRate }),
      ...(behaviour !== undefined && { behaviour }),
      ...(hasPty && { pty: name === undefined ? {} : { link: name } }),
      ...(tcp !== undefined && { tcp: { host: tcp.host, port: tcp.port === 0 ? 0 : tcp.port + index } }),
      backAfterMs: backAfter,
      showsLines: verbose === true,
    };
  });
}

function presetsOfFlags(options: SimulateOptions): ModemBehaviourName[] {
  const flags = ["outOfData", "roaming", "weakSignal", "lostLink", "slowFlash", "writeFailure", "powerCut"] as const;
  const named = flags.filter((name) => options[name] === true);
  return options.sim === false ? ["noSim", ...named] : named;
}

function applicationOf(word: ApplicationWord): LineApplication {
  return word === "serial-modem" ? "serialModem" : word;
}

function readEndpoint(text: string): Endpoint {
  const [, host, digits = ""] = /^(?:(.+):)?(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (digits === "" || port > 65_535) throw new UsageError(`--tcp takes PORT or HOST:PORT, got "${text}"`);
  return { host: host?.replace(/^\[(.*)\]$/, "$1") ?? "127.0.0.1", port };
}

/** Words that mean now. */
const modemEvents: readonly ModemEvent[] = ["unplug", "cutPower", "reset", "garbage"];

interface ControlPlace {
  output: Output;
  signal: AbortSignal;
  lines: readonly SimulatedLine[];
}

async function takeControl({ output, signal, lines }: ControlPlace): Promise<void> {
  const refuse = (code: string, message: string) => {
    output.event({ event: "controlRefused", code, message });
    output.complain({ kind: "warning", message, code });
  };
  await readControlLines(process.stdin, {
    signal,
    line: (text) => {
      try {
        const command = parseControlLine(text, { presets: modemBehaviourPresets, events: modemEvents });
        control(output, lines, command);
      } catch (error) {
        if (error instanceof UsageError) return refuse("USAGE", error.message);
        if (!isThinglineError(error)) throw error;
        refuse(error.code, error.message);
      }
    },
    tooLong: (number) => refuse("FILE_TOO_LARGE", `line ${number} of standard input is too long`),
    failed: (error) => refuse(reasonOf(error).code, reasonOf(error).message),
  });
}

function control(output: Output, lines: readonly SimulatedLine[], command: ControlCommand): void {
  const { modem } = command;
  if (modem !== undefined && modem > lines.length)
    throw new UsageError(`there is no modem ${modem}: 1 to ${lines.length}`);
  for (const [index, line] of lines.entries()) {
    if (modem !== undefined && modem !== index + 1) continue;
    if (command.type === "status") tellStatus(output, { count: lines.length, number: index + 1 }, line);
    else {
      line.apply(command.behaviour, { backAfterMs: command.backAfterMs });
      tellApplied(output, { count: lines.length, number: index + 1 }, command.name);
    }
  }
}

function lossesOf(lines: readonly SimulatedLine[]): { unheardBytes: number; lostBytes: number } {
  let [unheardBytes, lostBytes] = [0, 0];
  for (const line of lines) {
    unheardBytes += line.unheardBytes;
    lostBytes += line.modem.counters.lostBytes;
  }
  return { unheardBytes, lostBytes };
}
