import {
  createLinkControl,
  createModemCredentialStore,
  createModemKeyMaker,
  keepLinkAfterRestarts,
  type ModemSession,
  openModemSession,
  openSerialModemSockets,
  type SerialModemSockets,
} from "@thingline/modem";
import { isThinglineError, ThinglineError } from "@thingline/protocol";
import type { Adapters } from "./adapters.js";
import type { DoorOptions } from "./door-options.js";
import { connectDoor } from "./modem-door.js";
import type { ModemDevice } from "./modem-device.js";

/**
 * A board behind a port that runs the serial modem application: TLS inside its modem, and credentials in the modem's own tags.
 *
 * @throws {ThinglineError} MODEM_APPLICATION_MISSING, MODEM_NOT_FOUND, and those of the doors.
 */
export async function openBoardDevice(
  { clock, keys }: Pick<Adapters, "clock" | "keys">,
  door: DoorOptions,
  { networkTimeoutMs, signal }: { networkTimeoutMs?: number; signal: AbortSignal },
): Promise<ModemDevice> {
  const { connection, name } = await connectDoor(door, signal);
  const session = openModemSession(connection, { clock });
  let sockets: SerialModemSockets | undefined;
  try {
    sockets = await openSerialModemSockets(session, { clock, signal });
    const imei = await readImei(session);
    const linkOptions = { clock, ...(networkTimeoutMs !== undefined && { networkTimeoutMs }) };
    const link = keepLinkAfterRestarts(session, createLinkControl(session, linkOptions), { clock });
    return assemble({ session, sockets, link, imei, keys });
  } catch (error) {
    await sockets?.close();
    await session.close();
    throw withDoor(error, name);
  }
}

function assemble(parts: {
  session: ModemSession;
  sockets: SerialModemSockets;
  link: ModemDevice["link"];
  imei: string;
  keys: Adapters["keys"];
}): ModemDevice {
  const { session, sockets, link, imei, keys } = parts;
  let isClosing = false;
  const lost = new Promise<ThinglineError>((resolve) => {
    void session.closed.then(async () => {
      if (isClosing) return;
      // A session tells why it ended to whoever uses it.
      await session.command("AT").catch((error: unknown) => isThinglineError(error) && resolve(error));
    });
  });
  const close = async () => {
    isClosing = true;
    await sockets.close();
    link.close();
    await session.close();
  };
  return {
    ...{ sockets, imei, link, lost, close },
    leftDataMode: sockets.leftDataMode,
    credentials: createModemCredentialStore(session, { keys }),
    keyMaker: createModemKeyMaker(session, { keys }),
    firmware: undefined,
    [Symbol.asyncDispose]: close,
  };
}

async function readImei(session: ModemSession): Promise<string> {
  const [line = ""] = await session.command("AT+CGSN");
  if (/^\d{15}$/.test(line)) return line;
  throw new ThinglineError("MODEM_RESPONSE_INVALID", "AT+CGSN was not answered with an IMEI");
}

/** Which of several boards it is. */
function withDoor(error: unknown, where: string): unknown {
  if (!isThinglineError(error)) return error;
  const details = { where, ...error.details };
  return new ThinglineError(error.code, `${where}: ${error.message}`, { details, cause: error });
}
