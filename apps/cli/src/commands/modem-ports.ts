import { readModemDescription, type ModemProbe } from "@thingline/modem";
import { listSerialPorts, type SerialPortInfo } from "@thingline/modem/serial";
import { isThinglineError, type ThinglineError } from "@thingline/protocol";
import type { CommandContext } from "../command.js";
import { exitCodes } from "../failure.js";
import type { DoorOptions } from "../door-options.js";
import { probeDoor } from "../modem-door.js";

interface PortsOptions extends Pick<DoorOptions, "baudRate" | "flowControl"> {
  /** Every port is probed, and not only those of Nordic's boards. */
  all?: boolean;
  /** False by `--no-probe`. */
  probe?: boolean;
}

interface Behind {
  probe?: ModemProbe;
  model?: string;
  firmware?: string;
  imei?: string;
  failure?: { code: string; message: string };
}

/** SEGGER's debuggers on Nordic's development kits, and Nordic itself. Bytes that nobody asked for may start something on other devices. */
const boardVendors: ReadonlySet<string> = new Set(["1366", "1915"]);
/** Each holds an open port for some seconds at the most. */
const probesMax = 8;

/** `thingline modem ports`: which there are, and what is behind those of boards, or behind the one that is named. */
export async function modemPorts(
  { output, signal }: CommandContext,
  options: PortsOptions,
  path?: string,
): Promise<number> {
  const ports = await wanted(path);
  const behind = new Map<string, Behind>();
  const toProbe = ports.filter((port) => isProbed(port, options, port.path === path));
  for (let at = 0; at < toProbe.length; at += probesMax) {
    const results = toProbe
      .slice(at, at + probesMax)
      .map(async ({ path }) => [path, await look(path, options, signal)]);
    for (const [path, found] of (await Promise.all(results)) as [string, Behind][]) behind.set(path, found);
  }
  for (const port of ports) {
    const found = behind.get(port.path);
    output.event({ event: "port", ...port, ...found }, describe(port, found));
  }
  if (ports.length === 0) output.say("no serial ports: is the board plugged in, and does its cable carry data?");
  return path !== undefined && behind.get(path)?.failure !== undefined ? exitCodes.failed : exitCodes.done;
}

async function wanted(path: string | undefined): Promise<SerialPortInfo[]> {
  const known = await listSerialPorts();
  return path === undefined ? known : [known.find((port) => port.path === path) ?? { path }];
}

function isProbed(port: SerialPortInfo, { all, probe }: PortsOptions, isNamed: boolean): boolean {
  if (probe === false) return false;
  return isNamed || all === true || port.isPseudoTerminal === true || boardVendors.has(port.vendorId ?? "");
}

async function look(path: string, options: PortsOptions, signal: AbortSignal): Promise<Behind> {
  try {
    await using door = await probeDoor({ ...options, port: path }, signal);
    const { probe, session } = door;
    if (probe.kind === "silent" || probe.kind === "unknown") return { probe };
    const { model, firmware, imei } = await readModemDescription(session, { signal });
    return { probe, model, firmware, imei };
  } catch (error) {
    if (!isThinglineError(error) || error.code === "ABORTED") throw error;
    return { failure: failureOf(error) };
  }
}

const failureOf = ({ code, message }: ThinglineError) => ({ code, message });

const kinds: Readonly<Record<ModemProbe["kind"], string>> = {
  modem: "nRF91 modem",
  atHost: "nRF91 modem, AT host",
  serialModem: "nRF91 modem, serial modem application",
  unknown: "something that does not speak AT",
  silent: "nothing answers AT",
};

function describe(port: SerialPortInfo, behind: Behind | undefined): string {
  const { vendorId, productId, manufacturer, product, serialNumber, interfaceNumber } = port;
  const usb = vendorId === undefined ? undefined : `${vendorId}:${productId ?? "????"}`;
  const device = [manufacturer, product].filter((text) => text !== undefined).join(" ");
  const parts = [
    port.isPseudoTerminal === true ? "pseudo-terminal" : undefined,
    usb,
    device,
    serialNumber === undefined ? undefined : `serial number ${serialNumber}`,
    interfaceNumber === undefined ? undefined : `interface ${interfaceNumber}`,
  ];
  const first = [port.path, ...parts.filter((text) => text !== undefined && text !== "")].join("  ");
  return `${first}\n  ${describeBehind(behind)}`;
}

function describeBehind(behind: Behind | undefined): string {
  if (behind === undefined) return "not probed";
  const { probe, model, firmware, imei, failure } = behind;
  if (failure !== undefined) return `${failure.code}: ${failure.message}`;
  if (probe === undefined) return "not probed";
  const dialect = probe.kind === "serialModem" ? ` (${probe.dialect} ${probe.version ?? "of unknown version"})` : "";
  const identity = model === undefined ? "" : `  ${model}  ${firmware ?? ""}  IMEI ${imei ?? ""}`;
  return `${kinds[probe.kind]}${dialect}${identity}`;
}
