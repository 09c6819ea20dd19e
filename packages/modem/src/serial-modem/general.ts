import { integerAt } from "@thingline/protocol/at";
import { integer, oneOf, optional, type ParameterRule } from "../simulator/commands/parameter-rules.js";
import { failed, ok, type SerialModemCommand, type SerialModemHandler, type SerialModemReply } from "./command.js";
import { updatedVersion } from "./dfu-updates.js";
import type { SerialModemServices } from "./feature.js";
import { timeLimitMsMin } from "./line-time.js";

/** Speeds of `#XSLMUART`. */
const slmBaudRates = [
  1200, 2400, 4800, 9600, 14_400, 19_200, 38_400, 57_600, 115_200, 230_400, 460_800, 921_600, 1_000_000,
] as const;
/** Speeds of `+IPR`. */
const baudRates = [115_200, 230_400, 460_800, 921_600, 1_000_000] as const;
/** Under which the speed of the line is kept. */
const storedUart = "uart";

const olderDialects = ["slm-1.x", "slm-2.x"] as const;
const newerDialects = ["slm-2.x", "serialModem"] as const;
const serialModem = ["serialModem"] as const;

/** Commands about the application itself. */
export function makeGeneralCommands(services: SerialModemServices, commandNames: () => string[]): SerialModemCommand[] {
  return [
    ...versionCommands(services),
    { name: "#XCLAC", forms: { execute: () => ok(commandLines(commandNames())) } },
    { name: "#XUUID", forms: { execute: () => ok(`#XUUID: ${services.modem.identity.deviceUuid}`) } },
    ...powerCommands(services),
    ...lineCommands(services),
    ...echoCommands(services),
    ...logCommands(),
  ];
}

/** One a line, as one answer. `ATE0` and the like stand without a sign. */
function commandLines(names: readonly string[]): string {
  return names.map((name) => `AT${name}`).join("\r\n");
}

function versionCommands(services: SerialModemServices): SerialModemCommand[] {
  const { traits, options } = services;
  const { version = traits.version, customerVersion } = options;
  const quoted = (parts: readonly (string | undefined)[]): string =>
    parts
      .filter((part) => part !== undefined)
      .map((part) => `"${part}"`)
      .join(",");
  const slmVersion = (): SerialModemReply =>
    ok(
      `#XSLMVER: ${traits.dialect === "slm-1.x" ? version : quoted([version, `${version}-lte-5ccd2d4dd54c`, customerVersion])}`,
    );
  return [
    { name: "#XSLMVER", dialects: olderDialects, forms: { execute: slmVersion } },
    {
      name: "#XSMVER",
      dialects: serialModem,
      forms: {
        execute: () => ok(`#XSMVER: ${quoted([updatedVersion(services) ?? version, "3.4.0", customerVersion])}`),
      },
    },
  ];
}

function powerCommands(services: SerialModemServices): SerialModemCommand[] {
  const afterwards = (work: () => Promise<void>): SerialModemHandler => {
    return () => ({ type: "ok", information: [], afterwards: work });
  };
  return [
    {
      name: "#XSLEEP",
      forms: {
        set: {
          rules: [oneOf(1, 2)],
          handle: (parameters) => {
            const depth = integerAt(parameters, 0) === 1 ? "deep" : "idle";
            return { type: "ok", information: [], afterwards: () => services.sleep(depth) };
          },
        },
        test: () => ok("#XSLEEP: (1,2)"),
      },
    },
    { name: "#XSHUTDOWN", forms: { execute: afterwards(() => services.sleep("deep")) } },
    { name: "#XRESET", forms: { execute: afterwards(() => services.restart()) } },
    {
      name: "#XMODEMRESET",
      dialects: newerDialects,
      forms: {
        execute: async () => {
          await services.restartModem();
          return ok("#XMODEMRESET: 0");
        },
      },
    },
  ];
}

function lineCommands(services: SerialModemServices): SerialModemCommand[] {
  restoreUart(services);
  return [slmUartCommand(services), baudRateCommand(services), dataControlCommand(services)];
}

/** `115200,1`: the speed, and whether flow control is on. */
function restoreUart(services: SerialModemServices): void {
  if (services.traits.dialect === "serialModem") return;
  const stored = /^([0-9]+),[01]$/.exec(services.storage.get(storedUart) ?? "");
  if (stored !== null) services.baudRate = Number(stored[1]);
}

function slmUartCommand(services: SerialModemServices): SerialModemCommand {
  const flowControl = (): string => services.storage.get(storedUart)?.split(",")[1] ?? "1";
  return {
    name: "#XSLMUART",
    dialects: olderDialects,
    forms: {
      execute: () => ok(),
      set: {
        rules: [oneOf(...slmBaudRates), optional(oneOf(0, 1))],
        handle: async (parameters) => {
          const baudRate = integerAt(parameters, 0) ?? services.baudRate;
          await services.storage.set(storedUart, `${baudRate},${integerAt(parameters, 1) ?? flowControl()}`);
          return { type: "ok", information: [], afterwards: () => setBaudRate(services, baudRate) };
        },
      },
      read: () => ok(`#XSLMUART: ${services.baudRate},${flowControl()}`),
      test: () => ok(`#XSLMUART: (${slmBaudRates.join(",")}),(0,1)`),
    },
  };
}

function baudRateCommand(services: SerialModemServices): SerialModemCommand {
  return {
    name: "+IPR",
    dialects: serialModem,
    forms: {
      set: {
        rules: [oneOf(...baudRates)],
        handle: (parameters) => {
          const baudRate = integerAt(parameters, 0) ?? services.baudRate;
          return { type: "ok", information: [], afterwards: () => setBaudRate(services, baudRate) };
        },
      },
      read: () => ok(`+IPR: ${services.baudRate}`),
      test: () => ok(`+IPR: (),(${baudRates.join(",")})`),
    },
  };
}

function setBaudRate(services: SerialModemServices, baudRate: number): void {
  services.baudRate = baudRate;
}

function dataControlCommand(services: SerialModemServices): SerialModemCommand {
  const lowest = (): number => timeLimitMsMin(services.baudRate);
  return {
    name: "#XDATACTRL",
    forms: {
      set: {
        rules: [integer(1, 65_535)],
        handle: (parameters) => {
          const timeLimitMs = integerAt(parameters, 0) ?? 0;
          if (timeLimitMs < lowest()) return failed();
          services.timeLimitMs = timeLimitMs;
          return ok();
        },
      },
      read: () => {
        const unset = services.traits.dialect === "serialModem" ? lowest() : 0;
        return ok(`#XDATACTRL: ${services.timeLimitMs ?? unset},${lowest()}`);
      },
      test: () => ok("#XDATACTRL=<time_limit>"),
    },
  };
}

function echoCommands(services: SerialModemServices): SerialModemCommand[] {
  const setEcho = (echoes: boolean): SerialModemHandler => {
    return () => {
      services.setEcho(echoes);
      return ok();
    };
  };
  return [
    { name: "E0", dialects: serialModem, forms: { execute: setEcho(false) } },
    { name: "E1", dialects: serialModem, forms: { execute: setEcho(true) } },
  ];
}

/** The log goes to a second line that nobody reads: only whether it is on is kept. */
function logCommands(): SerialModemCommand[] {
  let mode = 0;
  const rules: readonly ParameterRule[] = [oneOf(0, 1)];
  const handle: SerialModemHandler = (parameters) => {
    mode = integerAt(parameters, 0) ?? mode;
    return ok();
  };
  const forms = { set: { rules, handle }, read: () => ok(`#XLOG: ${mode}`), test: () => ok("#XLOG: (0,1)") };
  return [{ name: "#XLOG", dialects: serialModem, forms }];
}
