import { readdir, readlink, realpath } from "node:fs/promises";
import { platform } from "node:os";
import { basename, dirname, join } from "node:path";
import { readHead } from "./file-head.js";
import { loadSerialLibrary } from "./serial-library.js";

/** A serial port of this machine, with what the system knows of the device behind it. */
export interface SerialPortInfo {
  /** What to open: `/dev/ttyACM0`, `COM3`. */
  path: string;
  /** USB vendor, four lower-case hex digits: `1366` SEGGER (Nordic's development kits), `1915` Nordic Semiconductor. */
  vendorId?: string;
  /** USB product, four lower-case hex digits. */
  productId?: string;
  manufacturer?: string;
  product?: string;
  /** Of the board or of its debugger: what `nrfutil --serial-number` takes. */
  serialNumber?: string;
  /** USB interface: boards have several ports, and the lowest one usually carries the AT commands. */
  interfaceNumber?: number;
  interfaceName?: string;
  /** A pseudo-terminal behind a name of a serial port: a simulated modem. */
  isPseudoTerminal?: true;
}

export interface ListSerialPortsOptions {
  /** Where Linux tells of its devices; for tests. Default `/sys/class/tty` and `/dev`. */
  places?: { sysfs: string; dev: string };
}

/** More are not listed: machines with test racks have some hundred. */
export const listedPortsMax = 1_024;

/**
 * Serial ports of this machine, by path. On Linux read from sysfs, elsewhere asked of the package serialport.
 *
 * @throws {ThinglineError} DEPENDENCY_MISSING, on macOS and Windows only
 */
export async function listSerialPorts({ places }: ListSerialPortsOptions = {}): Promise<SerialPortInfo[]> {
  const isLinux = platform() === "linux" || places !== undefined;
  const ports = isLinux
    ? await listLinuxPorts(places ?? { sysfs: "/sys/class/tty", dev: "/dev" })
    : await listByLibrary();
  return ports.sort(byPath).slice(0, listedPortsMax);
}

/** `ttyACM2` before `ttyACM10`. */
const byPath = (left: SerialPortInfo, right: SerialPortInfo): number =>
  left.path.localeCompare(right.path, "en", { numeric: true });

async function listByLibrary(): Promise<SerialPortInfo[]> {
  const library = await loadSerialLibrary();
  return (await library.list()).map(({ path, manufacturer, serialNumber, vendorId, productId, pnpId }) => {
    const interfaceDigits = /[&_]MI_([0-9A-F]{2})/i.exec(pnpId ?? "")?.[1];
    return {
      path,
      ...known("manufacturer", manufacturer),
      ...known("serialNumber", serialNumber),
      ...known("vendorId", vendorId?.toLowerCase()),
      ...known("productId", productId?.toLowerCase()),
      ...known("interfaceNumber", interfaceDigits === undefined ? undefined : Number.parseInt(interfaceDigits, 16)),
    };
  });
}

async function listLinuxPorts({ sysfs, dev }: { sysfs: string; dev: string }): Promise<SerialPortInfo[]> {
  const names = await readdir(sysfs).catch(() => []);
  const ports: SerialPortInfo[] = [];
  for (const name of names) {
    const port = await describeLinuxPort(join(sysfs, name), join(dev, name));
    if (port !== undefined) ports.push(port);
  }
  const found = new Set(names);
  for (const name of await readdir(dev).catch(() => [])) {
    // A link with a name that host tools look for, to a pseudo-terminal.
    if (found.has(name) || !/^tty(ACM|USB|AMA)[0-9]+$/.test(name)) continue;
    const target = await readlink(join(dev, name)).catch(() => "");
    if (target.includes("pts/")) ports.push({ path: join(dev, name), isPseudoTerminal: true });
  }
  return ports;
}

/** @returns undefined for what is no serial port: virtual consoles, and the places of UARTs that are not there. */
async function describeLinuxPort(folder: string, path: string): Promise<SerialPortInfo | undefined> {
  const device = await realpath(join(folder, "device")).catch(() => undefined);
  if (device === undefined) return undefined;
  const driver = basename(await realpath(join(device, "driver")).catch(() => ""));
  // The kernel keeps places for four old UARTs, of the type 0 where there is none.
  if (driver === "serial8250" || (await readText(join(folder, "type"))) === "0") return undefined;
  const usbInterface = await usbInterfaceOf(device);
  if (usbInterface === undefined) return { path };
  const usbDevice = dirname(usbInterface);
  const interfaceDigits = await readText(join(usbInterface, "bInterfaceNumber"));
  return {
    path,
    ...known("vendorId", await readText(join(usbDevice, "idVendor"))),
    ...known("productId", await readText(join(usbDevice, "idProduct"))),
    ...known("manufacturer", await readText(join(usbDevice, "manufacturer"))),
    ...known("product", await readText(join(usbDevice, "product"))),
    ...known("serialNumber", await readText(join(usbDevice, "serial"))),
    ...known("interfaceNumber", interfaceDigits === undefined ? undefined : Number.parseInt(interfaceDigits, 16)),
    ...known("interfaceName", await readText(join(usbInterface, "interface"))),
  };
}

/** Of a CDC port the device is the interface; a USB serial adapter has a port of its own below the interface. */
async function usbInterfaceOf(device: string): Promise<string | undefined> {
  for (const folder of [device, dirname(device)]) {
    if ((await readText(join(folder, "bInterfaceNumber"))) !== undefined) return folder;
  }
  return undefined;
}

async function readText(file: string): Promise<string | undefined> {
  const text = await readHead(file);
  return text.trim() === "" ? undefined : text.trim();
}

function known<Name extends string, Value>(name: Name, value: Value | undefined): Partial<Record<Name, Value>> {
  return value === undefined ? {} : ({ [name]: value } as Record<Name, Value>);
}
