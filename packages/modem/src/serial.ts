import { constants, type Stats } from "node:fs";
import { access, stat } from "node:fs/promises";
import { platform } from "node:os";
import { checkOptionTypes, kindOf, optionInvalid, type OptionTypes, ThinglineError } from "@thingline/protocol";
import { type Clock, clockOption, type Connection } from "@thingline/transport";
import { readHead } from "./file-head.js";
import { connectSerialLine, defaultBaudRate, type LineSettings, lineSettingsOf } from "./serial-channel.js";
import { loadSerialLibrary, type SerialLibrary } from "./serial-library.js";
import { type BoundPort, serialLineOf } from "./serial-line.js";

export { defaultBaudRate } from "./serial-channel.js";
export { listedPortsMax, listSerialPorts } from "./serial-ports.js";
export type { ListSerialPortsOptions, SerialPortInfo } from "./serial-ports.js";

export interface SerialPortOptions {
  clock: Clock;
  /** Bits per second. Default {@link defaultBaudRate}. */
  baudRate?: number;
  /**
   * `hardware`: RTS and CTS, as Nordic's host tools have it; `none` for adapters without these wires, whose CTS would never
   * allow a byte. Default `hardware`.
   */
  flowControl?: "hardware" | "none";
  /**
   * Whether other programs are kept out while it is open: those that ask for the lock themselves (flock), which a plain
   * `cat` does not. Default true.
   */
  isExclusive?: boolean;
  signal?: AbortSignal;
}

const optionTypes = {
  clock: clockOption,
  baudRate: "number",
  flowControl: "string",
  isExclusive: "boolean",
  signal: "signal",
} as const satisfies OptionTypes<SerialPortOptions>;

/**
 * Opens a serial port as a {@link Connection}: eight data bits, no parity, one stop bit, raw. Unread input of before is discarded.
 *
 * A serial line has no end of its own: the other side never learns of `close()`, and `closed` tells an error only when the
 * device went away: SERIAL_PORT_UNPLUGGED, at once while reading. While paused, an unplugged device is seen at the next
 * write, or when reading goes on. `local` and `remote` name the path.
 *
 * @throws {ThinglineError} SERIAL_PORT_NOT_FOUND, SERIAL_PORT_FORBIDDEN, SERIAL_PORT_BUSY, SERIAL_PORT_FAILED,
 * DEPENDENCY_MISSING without the package serialport, OPTION_INVALID, ABORTED.
 */
export async function openSerialPort(path: string, options: SerialPortOptions): Promise<Connection> {
  const { baudRate, flowControl } = checkOptions(path, options);
  const { clock, isExclusive = true, signal } = options;
  const library = await loadSerialLibrary();
  checkAborted(path, signal);
  await checkPath(path);
  checkAborted(path, signal);
  const port = await openBound(library, { path, baudRate, rtscts: flowControl === "hardware", lock: isExclusive });
  try {
    checkAborted(path, signal);
  } catch (error) {
    await port.close();
    throw error;
  }
  return connectSerialLine(serialLineOf(port), { clock, name: path });
}

/**
 * Opens a port in raw mode, shared with others, and neither reads nor writes: for whoever makes a pseudo-terminal, whose other end
 * must not hang up while no host is there.
 *
 * @returns what closes it.
 * @throws {ThinglineError} DEPENDENCY_MISSING, SERIAL_PORT_NOT_FOUND, SERIAL_PORT_FORBIDDEN, SERIAL_PORT_BUSY, SERIAL_PORT_FAILED.
 */
export async function holdSerialPort(path: string): Promise<() => Promise<void>> {
  const library = await loadSerialLibrary();
  await checkPath(path);
  const port = await openBound(library, { path, baudRate: defaultBaudRate, lock: false });
  return () => port.close();
}

async function openBound(
  library: SerialLibrary,
  settings: { path: string; baudRate: number; rtscts?: boolean; lock: boolean },
): Promise<BoundPort> {
  try {
    return await library.binding.open(settings);
  } catch (error) {
    throw openError(settings.path, error);
  }
}

function checkOptions(path: string, options: SerialPortOptions): LineSettings {
  if (typeof path !== "string" || path === "") throw optionInvalid("path", "the path of a serial port", kindOf(path));
  checkOptionTypes(options, optionTypes, { of: "openSerialPort()", required: ["clock"] });
  return lineSettingsOf(options);
}

/** What can be said before opening: the library has no codes, only words of the system. */
async function checkPath(path: string): Promise<void> {
  if (platform() === "win32") return;
  let found: Stats;
  try {
    found = await stat(path);
  } catch (cause) {
    const message = `there is no serial port ${path}: plug the board in, or see which ports there are`;
    throw new ThinglineError("SERIAL_PORT_NOT_FOUND", message, { details: { path }, cause });
  }
  if (!found.isCharacterDevice()) throw noSerialPort(path, `it is a ${found.isDirectory() ? "folder" : "file"}`);
  try {
    await access(path, constants.R_OK | constants.W_OK);
  } catch (cause) {
    throw forbidden(path, await groupName(found.gid), cause);
  }
}

function noSerialPort(path: string, why: string, cause?: unknown): ThinglineError {
  return new ThinglineError("SERIAL_PORT_FAILED", `${path} is no serial port: ${why}`, { details: { path }, cause });
}

function forbidden(path: string, group: string, cause: unknown): ThinglineError {
  const message =
    `this user may not open ${path}: it belongs to the group ${group}; ` +
    `\`sudo usermod -aG ${group} $USER\` makes you a member from the next login on`;
  return new ThinglineError("SERIAL_PORT_FORBIDDEN", message, { details: { path, group }, cause });
}

/** `dialout` on Debian, `uucp` on Arch. */
async function groupName(groupId: number): Promise<string> {
  const groups = await readHead("/etc/group");
  const line = groups.split("\n").find((entry) => entry.split(":")[2] === String(groupId));
  return line?.split(":")[0] ?? String(groupId);
}

/** The library tells what the system said in words only. */
function openError(path: string, cause: unknown): ThinglineError {
  const reason = (cause instanceof Error ? cause.message : String(cause)).replace(/^Error:? /, "");
  const details = { path };
  if (/lock port|temporarily unavailable|busy|Access denied/i.test(reason)) {
    const message =
      `another program has ${path} open: close the terminal, Link Monitor, Cellular Monitor or debugger that uses it ` +
      "(ModemManager opens new ports for some seconds)";
    return new ThinglineError("SERIAL_PORT_BUSY", message, { details, cause });
  }
  if (/file not found/i.test(reason)) {
    const message = `there is no serial port ${path}: plug the board in, or see which ports there are`;
    return new ThinglineError("SERIAL_PORT_NOT_FOUND", message, { details, cause });
  }
  if (/permission denied/i.test(reason)) return forbidden(path, "of the port", cause);
  // ENOTTY: no terminal is behind the path, such as of /dev/null.
  if (/inappropriate ioctl/i.test(reason)) return noSerialPort(path, "it takes no baud rate", cause);
  const message = `${path} could not be opened as a serial port: ${reason}`;
  return new ThinglineError("SERIAL_PORT_FAILED", message, { details, cause });
}

function checkAborted(path: string, signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return;
  throw new ThinglineError("ABORTED", `opening ${path} was aborted`, { cause: signal.reason });
}
