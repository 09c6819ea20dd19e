import type { ThinglineError } from "@thingline/protocol";
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
import { commandLine } from "../invocation.js";
import type { Output } from "../output.js";
import { joinBehaviours, readBehaviour } from "../simulate/behaviour-file.js";
import { type ControlCommand, parseControlLine } from "../simulate/control.js";
import { mayReadStandardInput, readControlLines } from "../simulate/control-input.js";
import type { DoorPlace } from "../simulate/doors.js";
import { portLinkNames } from "../simulate/port-link-names.js";
import {
  type LineApplication,
  SimulatedLine,
  type SimulatedLineEvents,
  type SimulatedLineOptions,
  terminatorOf,
} from "../simulate/simulated-line.js";

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
  const told = (number: number) => tellEvents(output, options.count, number, () => (isGood = false));
  try {
    // Which of the many is which must be told by their order.
    for (const [index, each] of settings.entries()) {
      lines.push(await SimulatedLine.start(adapters, each, told(index + 1)));
      signal.throwIfAborted();
    }
    tellReady(output, options, settings, lines);
    warnOfOthers(output, settings[0]?.tcp?.host);
    void takeControl({ output, signal, lines });
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    const { unheardBytes, lostBytes } = lossesOf(lines);
    output.event({ event: "stopped", unheardBytes, lostBytes }, "stopped");
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

/** Which modem of several. */
const which = (count: number, number: number) => (count === 1 ? {} : { modem: number });
const prefix = (count: number, number: number) => (count === 1 ? "" : `modem ${number}: `);

function tellEvents(output: Output, count: number, number: number, spoil: () => void): SimulatedLineEvents {
  const { paint } = output;
  const fact = which(count, number);
  const before = prefix(count, number);
  return {
    wentAway: ({ hasPower, backAfterMs }) => {
      const why = hasPower ? "unplugged" : "without power";
      output.event({ event: "wentAway", ...fact, hasPower, backAfterMs }, `${before}${why}, back in ${backAfterMs} ms`);
    },
    cameBack: (place) =>
      output.event({ event: "cameBack", ...fact, ...place }, `${before}back  ${describePlace(place)}`),
    failed: (error) => {
      spoil();
      const { code, message } = errorOf(error);
      output.event({ event: "error", ...fact, code, message });
      output.complain({ kind: "error", message: `${before}does not come back: ${message}`, code });
    },
    line: (door, { from, text }) => {
      const place = count === 1 ? door : `${number} ${door}`;
      const shown = output.wrap(text, place.length + 3);
      if (from === "host") {
        output.event({ event: "command", ...fact, door, text }, `${place} ${paint.cyan(">")} ${shown}`);
      } else output.event({ event: "response", ...fact, door, text }, `${place} ${paint.green("<")} ${shown}`);
    },
    unsupported: (what) => {
      output.event({ event: "unsupported", ...fact, what }, `${before}not simulated, answered with ERROR: ${what}`);
    },
    hostCame: (remote) => {
      output.event({ event: "hostConnected", ...fact, remote }, `${before}host ${remote} is connected`);
    },
    hostLeft: (remote) => output.event({ event: "hostLeft", ...fact, remote }, `${before}host ${remote} has gone`),
    hostRefused: (remote) => {
      const why = "the line has a host, or is unplugged";
      output.event({ event: "hostRefused", ...fact, remote }, `${before}host ${remote} was turned away: ${why}`);
    },
  };
}

function describePlace({ pty, link, tcp }: DoorPlace): string {
  const terminal = link === undefined ? pty : `${link} -> ${pty}`;
  return [terminal, tcp].filter((text) => text !== undefined).join("  ");
}

function tellReady(
  output: Output,
  options: SimulateOptions,
  settings: readonly SimulatedLineOptions[],
  lines: readonly SimulatedLine[],
): void {
  const { count, application } = options;
  const modems = lines.map((line, index) => {
    const { imei, firmware } = line.modem.identity;
    return { ...line.place, imei, firmware, modemDir: settings[index]?.folder };
  });
  const [first] = modems;
  // Those who open a pseudo-terminal read the first line alone.
  output.event({ event: "ready", ...first, application, ...(count > 1 && { modems }) });
  const { paint } = output;
  for (const { imei, firmware, modemDir } of modems.slice(0, 1)) {
    const identity = count === 1 ? `, IMEI ${imei}, folder ${modemDir}` : "";
    const front = application === "at-host" ? "" : `, behind the serial modem application (${application})`;
    output.say(
      paint.dim(`${count === 1 ? "simulated nRF91" : `${count} simulated nRF91`}, ${firmware}${front}${identity}`),
    );
  }
  for (const { imei, modemDir, ...place } of modems) {
    const identity = count === 1 ? "" : `  IMEI ${imei}  ${modemDir}`;
    output.say(`${paint.green("ready")}  ${describePlace(place)}${identity}`);
  }
  tellNext(output, options, first ?? {});
}

function warnOfOthers(output: Output, host: string | undefined): void {
  if (host === undefined || host === "localhost" || host === "::1" || host.startsWith("127.")) return;
  const message = `whoever reaches ${host} can read, write and delete the modem's credentials`;
  output.event({ event: "warning", message });
  output.complain({ kind: "warning", message });
}

function tellNext(output: Output, options: SimulateOptions, { pty, link, tcp }: DoorPlace): void {
  const port = link ?? pty;
  const door = port === undefined ? ["--tcp", tcp ?? ""] : ["--port", port];
  output.say("In another terminal, among others:");
  output.say(`  ${commandLine(["modem", "at", ...door, "AT+CGMR"])}`);
  if (port !== undefined) {
    // Enter sends a carriage return.
    const map = { CR: "", LF: "--omap crlf ", "CR+LF": "--omap crcrlf ", NUL: undefined }[
      terminatorOf({ ...options, application: applicationOf(options.application) })
    ];
    if (map !== undefined) output.say(`  picocom --echo ${map}${port}`);
  }
  output.say("Type noSim, outOfData, unplug, cutPower or status; --help has more. Ctrl-C ends it.");
}

/** Words that mean now. */
const modemEvents: readonly ModemEvent[] = ["unplug", "cutPower", "reset", "garbage"];

interface ControlPlace {
  output: Output;
  signal: AbortSignal;
  lines: readonly SimulatedLine[];
}

async function takeControl({ output, signal, lines }: ControlPlace): Promise<void> {
  if (!(await mayReadStandardInput(process.stdin.isTTY === true))) return;
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
    failed: (error) => refuse(errorOf(error).code, errorOf(error).message),
  });
}

function control(output: Output, lines: readonly SimulatedLine[], command: ControlCommand): void {
  const { modem } = command;
  if (modem !== undefined && modem > lines.length)
    throw new UsageError(`there is no modem ${modem}: 1 to ${lines.length}`);
  for (const [index, line] of lines.entries()) {
    if (modem !== undefined && modem !== index + 1) continue;
    if (command.type === "status") tellStatus(output, lines.length, index + 1, line);
    else {
      line.apply(command.behaviour, { backAfterMs: command.backAfterMs });
      const fact = { event: "applied", ...which(lines.length, index + 1), name: command.name };
      output.event(fact, `${prefix(lines.length, index + 1)}applied ${command.name}`);
    }
  }
}

function tellStatus(output: Output, count: number, number: number, line: SimulatedLine): void {
  const { modem, place, isAway, unheardBytes } = line;
  const { conditions, counters } = modem;
  const { sim, hasCoverage, isDenied, isRoaming, hasData } = conditions;
  const losses = `${counters.lostBytes} bytes lost, ${counters.droppedNotifications} notifications dropped, ${unheardBytes} bytes unheard`;
  const radio = [
    `SIM ${sim}`,
    hasCoverage ? "in coverage" : "out of coverage",
    ...(isDenied ? ["denied"] : []),
    ...(isRoaming ? ["roaming"] : []),
    ...(hasData ? [] : ["no data"]),
  ].join(", ");
  output.event(
    {
      event: "modemStatus",
      ...which(count, number),
      ...place,
      isAway,
      conditions,
      counters: { ...counters, unheardBytes },
    },
    `${prefix(count, number)}${isAway ? "away" : describePlace(place)}  ${radio}; ${losses}`,
  );
}

function lossesOf(lines: readonly SimulatedLine[]): { unheardBytes: number; lostBytes: number } {
  let [unheardBytes, lostBytes] = [0, 0];
  for (const line of lines) {
    unheardBytes += line.unheardBytes;
    lostBytes += line.modem.counters.lostBytes;
  }
  return { unheardBytes, lostBytes };
}

function errorOf(error: unknown): Pick<ThinglineError, "message"> & { code: string } {
  if (isThinglineError(error)) return error;
  return { code: "DEFECT", message: error instanceof Error ? error.message : String(error) };
}
