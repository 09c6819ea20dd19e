import { openModemSession, type ModemProbe, type ModemSession } from "@thingline/modem";
import { openSerialPort } from "@thingline/modem/serial";
import { isThinglineError, ThinglineError } from "@thingline/protocol";
import type { Connection } from "@thingline/transport";
import { nodeAdapters } from "./adapters.js";
import type { DoorOptions } from "./door-options.js";
import { UsageError } from "./failure.js";

/** A modem behind a door, its way of speaking found. */
export interface OpenDoor {
  session: ModemSession;
  probe: ModemProbe;
  /** As a person named it. */
  name: string;
  [Symbol.asyncDispose](): Promise<void>;
}

/** @throws {ThinglineError} MODEM_NOT_FOUND when nothing there speaks AT, and those of the doors. */
export async function openModemDoor(
  options: DoorOptions,
  signal: AbortSignal,
  how: { leavesDataMode: boolean } = { leavesDataMode: true },
): Promise<OpenDoor> {
  const door = await probeDoor(options, signal, how);
  const { kind } = door.probe;
  if (kind !== "silent" && kind !== "unknown") return door;
  await door.session.close();
  const message =
    kind === "silent"
      ? `nothing answers AT on ${door.name}: is it the board's port for AT commands, at this baud rate, and does its firmware take them?`
      : `what answers on ${door.name} does not speak AT: a log or a shell`;
  throw new ThinglineError("MODEM_NOT_FOUND", message, { details: { where: door.name } });
}

/**
 * The same for whoever wants to know what is there, be it nothing.
 *
 * @param how `leavesDataMode`: a program that was killed may have left the application in data mode; for a port that a person named.
 */
export async function probeDoor(
  options: DoorOptions,
  signal: AbortSignal,
  how: { leavesDataMode?: boolean } = {},
): Promise<OpenDoor> {
  const { connection, name } = await connectDoor(options, signal);
  const session = openModemSession(connection, { clock: nodeAdapters().clock });
  try {
    const probe = await session.probe({ ...how, signal });
    return { session, probe, name, [Symbol.asyncDispose]: () => session.close() };
  } catch (error) {
    await session.close();
    if (options.tcp === undefined || !isThinglineError(error, "CONNECTION_LOST")) throw error;
    const message = `${name} ended the connection: another host has the modem there, or what listens speaks no AT`;
    throw atDoor(error, message, name);
  }
}

/** Tells trouble with the way to a modem from trouble with what the modem connects to. */
function atDoor(cause: ThinglineError, message: string, door: string): ThinglineError {
  return new ThinglineError(cause.code, message, { details: { ...cause.details, door }, cause });
}

/** The byte stream of a door, before anything is asked. @throws {ThinglineError} those of the doors. */
export async function connectDoor(
  { port, tcp, baudRate, flowControl }: DoorOptions,
  signal: AbortSignal,
): Promise<{ connection: Connection; name: string }> {
  const { clock, network } = nodeAdapters();
  if (tcp !== undefined) {
    const [, host = "", digits = ""] = /^(.+):(\d{1,5})$/.exec(tcp) ?? [];
    if (host === "") throw new UsageError(`--tcp takes HOST:PORT, got ${tcp}`);
    const target = { host: host.replace(/^\[(.*)\]$/, "$1"), port: Number(digits) };
    try {
      return { connection: await network.dial(target, { signal }), name: tcp };
    } catch (error) {
      throw isThinglineError(error) ? atDoor(error, error.message, tcp) : error;
    }
  }
  if (port === undefined) throw new UsageError("say where the modem is: --port /dev/ttyACM0, or --tcp HOST:PORT");
  const connection = await openSerialPort(port, {
    clock,
    signal,
    ...(baudRate !== undefined && { baudRate }),
    ...(flowControl === false && { flowControl: "none" as const }),
  });
  return { connection, name: port };
}
