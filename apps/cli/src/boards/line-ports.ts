import { realpath } from "node:fs/promises";
import { listSerialPorts, type SerialPortInfo } from "@thingline/modem/serial";
import { isThinglineError } from "@thingline/protocol";
import { forEachAtOnce } from "../each.js";
import { UsageError } from "../failure.js";
import type { DoorOptions } from "../door-options.js";
import { describeModem, openModemAtHand } from "./at-hand.js";
import { boardsMax } from "./board-result.js";

/** A port of a line, with the number of the debugger behind it where the system tells one. */
export interface LinePort {
  path: string;
  serial: string | undefined;
}

/** SEGGER's debuggers on Nordic's development kits, and Nordic itself. */
const boardVendors: ReadonlySet<string> = new Set(["1366", "1915"]);

/**
 * The ports of `--ports`: those that are named, or of each of Nordic's boards the one that answers AT. A board has several ports, and two
 * that answer are of one modem.
 */
export async function linePorts(
  wanted: string,
  options: Pick<DoorOptions, "baudRate" | "flowControl"> & { modemDir: string; atOnce: number },
  { signal, onPassedOver }: { signal: AbortSignal; onPassedOver: (path: string, why: string) => void },
): Promise<LinePort[]> {
  const known = await listSerialPorts();
  if (wanted !== "all") {
    const paths = wanted.split(",").map((path) => path.trim());
    if (paths.length > boardsMax)
      throw new UsageError(`--ports takes ${boardsMax} ports at the most, got ${paths.length}`);
    if (paths.includes(""))
      throw new UsageError(`--ports takes all, or ports with commas between them, got "${wanted}"`);
    return namedPorts(paths, known, onPassedOver);
  }
  const candidates = known.filter(({ vendorId }) => boardVendors.has(vendorId ?? "")).slice(0, boardsMax);
  if (candidates.length === 0)
    throw new UsageError("no board of Nordic's is plugged in; name its ports: --ports a,b,c");
  const imeis = new Map<string, string>();
  const found = new Map<string, LinePort>();
  await forEachAtOnce(
    each(candidates),
    async ({ path, serialNumber }) => {
      const imei = await imeiBehind(path, options, signal);
      const first = imei === undefined ? undefined : imeis.get(imei);
      if (imei === undefined) return onPassedOver(path, "nothing there answers AT");
      if (first !== undefined) return onPassedOver(path, `the same modem as behind ${first}`);
      imeis.set(imei, path);
      found.set(path, { path, serial: serialNumber });
    },
    options.atOnce,
  );
  return candidates.flatMap(({ path }) => found.get(path) ?? []);
}

/** Names of one port, links of udev's among them, are of one board. */
async function namedPorts(
  paths: readonly string[],
  known: readonly SerialPortInfo[],
  onPassedOver: (path: string, why: string) => void,
): Promise<LinePort[]> {
  const firsts = new Map<string, string>();
  const ports: LinePort[] = [];
  for (const path of paths) {
    const device = await realpath(path).catch(() => path);
    const first = firsts.get(device);
    if (first !== undefined) {
      onPassedOver(path, `the same port as ${first}`);
      continue;
    }
    firsts.set(device, path);
    const found = known.find((port) => port.path === path || port.path === device);
    ports.push({ path, serial: found?.serialNumber });
  }
  return ports;
}

async function* each(ports: readonly SerialPortInfo[]): AsyncGenerator<SerialPortInfo> {
  yield* ports;
}

async function imeiBehind(
  port: string,
  options: Pick<DoorOptions, "baudRate" | "flowControl"> & { modemDir: string },
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    await using hand = await openModemAtHand({ ...options, port }, signal);
    const { imei } = await describeModem(hand, signal);
    return imei === "" ? undefined : imei;
  } catch (error) {
    // One that cannot be opened is no board of this line; one that is wanted by name fails by name.
    if (isThinglineError(error) && error.code !== "ABORTED") return undefined;
    throw error;
  }
}
