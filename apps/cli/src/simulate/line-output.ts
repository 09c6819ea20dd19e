// What `modem simulate` prints.
import { isThinglineError } from "@thingline/protocol";
import type { AtTerminator } from "@thingline/protocol/at";
import { commandLine } from "../invocation.js";
import type { Output } from "../output.js";
import type { DoorPlace } from "./doors.js";
import type { SimulatedLine, SimulatedLineEvents } from "./simulated-line.js";

/** An output whose events wait until they are released. */
export function holdEvents(output: Output): { output: Output; release: () => void } {
  let held: (() => void)[] | undefined = [];
  const event: Output["event"] = (fact, text) => {
    if (held === undefined) output.event(fact, text);
    else held.push(() => output.event(fact, text));
  };
  const release = () => {
    const waiting = held ?? [];
    held = undefined;
    for (const tell of waiting) tell();
  };
  return { output: { ...output, event }, release };
}

/** Which modem, from 1 on, of how many. */
export interface Which {
  count: number;
  number: number;
}

const factOf = ({ count, number }: Which) => (count === 1 ? {} : { modem: number });
const prefixOf = ({ count, number }: Which) => (count === 1 ? "" : `modem ${number}: `);

/** What happens on a line, as events and for people. `spoil` is called when it is over with the line. */
export function lineEventsOf(output: Output, which: Which, spoil: () => void): SimulatedLineEvents {
  const { paint } = output;
  const fact = factOf(which);
  const before = prefixOf(which);
  return {
    wentAway: ({ hasPower, backAfterMs }) => {
      const why = hasPower ? "unplugged" : "without power";
      output.event({ event: "wentAway", ...fact, hasPower, backAfterMs }, `${before}${why}, back in ${backAfterMs} ms`);
    },
    cameBack: (place) =>
      output.event({ event: "cameBack", ...fact, ...place }, `${before}back  ${describePlace(place)}`),
    failed: (error) => {
      spoil();
      const { code, message } = reasonOf(error);
      output.event({ event: "error", ...fact, code, message });
      output.complain({ kind: "error", message: `${before}does not come back: ${message}`, code });
    },
    line: (door, { from, text }) => {
      const place = which.count === 1 ? door : `${which.number} ${door}`;
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

/** `application`: as the option has it. */
export interface ReadyFacts {
  application: string;
  /** Lines of standard input are taken. */
  hasControl: boolean;
}

export function tellReady(output: Output, lines: readonly SimulatedLine[], facts: ReadyFacts): void {
  const modems = lines.map(({ place, folder, modem: { identity } }) => {
    return { ...place, imei: identity.imei, firmware: identity.firmware, modemDir: folder };
  });
  const [first] = modems;
  if (first === undefined) return;
  const isOne = modems.length === 1;
  // Those who open a pseudo-terminal read the first line alone.
  output.event({ event: "ready", ...first, application: facts.application, ...(!isOne && { modems }) });
  const { paint } = output;
  const front = facts.application === "at-host" ? "" : `  ${facts.application}`;
  const what = isOne ? `simulated nRF91  ${first.firmware}` : `${modems.length} simulated nRF91  ${first.firmware}`;
  output.say(paint.dim(`${what}${front}${isOne ? `  IMEI ${first.imei}  ${first.modemDir}` : ""}`));
  for (const { imei, modemDir, firmware: _, ...place } of modems) {
    output.say(`${paint.green("ready")}  ${describePlace(place)}${isOne ? "" : `  IMEI ${imei}  ${modemDir}`}`);
  }
  tellNext(output, first, { ...facts, terminator: lines[0]?.terminator ?? "CR" });
}

export function warnOfOthers(output: Output, host: string | undefined): void {
  if (host === undefined || host === "localhost" || host === "::1" || host.startsWith("127.")) return;
  const message = `whoever reaches ${host} can read, write and delete the modem's credentials`;
  output.event({ event: "warning", message });
  output.complain({ kind: "warning", message });
}

function tellNext(
  output: Output,
  { pty, link, tcp }: DoorPlace,
  { terminator, hasControl }: ReadyFacts & { terminator: AtTerminator },
): void {
  const port = link ?? pty;
  const door = port === undefined ? ["--tcp", tcp ?? ""] : ["--port", port];
  output.say("In another terminal, among others:");
  output.say(`  ${commandLine(["modem", "at", ...door, "AT+CGMR"])}`);
  // Enter sends a carriage return.
  const map = { CR: "", LF: "--omap crlf ", "CR+LF": "--omap crcrlf ", NUL: undefined }[terminator];
  if (port !== undefined && map !== undefined) output.say(`  picocom --echo ${map}${port}`);
  const words = "Type noSim, outOfData, unplug, cutPower or status; Ctrl-C ends it.";
  output.say(hasControl ? words : "It runs until SIGTERM.");
}

export function tellApplied(output: Output, which: Which, name: string): void {
  output.event({ event: "applied", ...factOf(which), name }, `${prefixOf(which)}applied ${name}`);
}

export function tellStatus(output: Output, which: Which, line: SimulatedLine): void {
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
      ...factOf(which),
      ...place,
      isAway,
      conditions,
      counters: { ...counters, unheardBytes },
    },
    `${prefixOf(which)}${isAway ? "away" : describePlace(place)}  ${radio}; ${losses}`,
  );
}

/** For events and complaints. */
export function reasonOf(error: unknown): { code: string; message: string } {
  if (isThinglineError(error)) return { code: error.code, message: error.message };
  return { code: "DEFECT", message: error instanceof Error ? error.message : String(error) };
}
