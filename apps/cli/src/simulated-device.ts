import { createLinkControl, createModemCredentialStore, createModemKeyMaker, openModemSession } from "@thingline/modem";
import { createSimulatedModem, type SimulatedModem, type SimulatedModemOptions } from "@thingline/modem/simulator";
import type { Adapters } from "./adapters.js";
import type { ModemDevice } from "./modem-device.js";

/** A simulated nRF91: an AT channel, and on top of it key management and LTE link control. */
export interface SimulatedDevice extends ModemDevice {
  modem: SimulatedModem;
}

/** A network close by: nobody watches a demonstration, or a batch, to see a modem search. */
export const nearbyNetwork = { searchMs: 120, attachMs: 60, detachMs: 20 };

/**
 * Boots the simulated modem of a folder. Everything above it talks AT commands over a byte stream, as on a real board.
 *
 * @throws {ThinglineError} LOCKED, STORE_CORRUPT, see {@link createSimulatedModem}.
 */
export async function bootSimulatedDevice(
  adapters: Adapters,
  options: {
    modemDir: string;
    identity?: SimulatedModemOptions["identity"];
    lte?: SimulatedModemOptions["lte"];
    networkTimeoutMs?: number;
    countsTraffic?: boolean;
  },
): Promise<SimulatedDevice> {
  const { network, clock, random, files, keys } = adapters;
  const modem = await createSimulatedModem({
    ...{ network, clock, random, files, keys, folder: options.modemDir },
    ...(options.identity === undefined ? {} : { identity: options.identity }),
    ...(options.lte === undefined ? {} : { lte: options.lte }),
    ...(options.countsTraffic === true && { countsTraffic: true }),
  });
  const session = openModemSession(modem.openPort(), { clock });
  const { networkTimeoutMs } = options;
  const link = createLinkControl(session, { clock, ...(networkTimeoutMs !== undefined && { networkTimeoutMs }) });
  const close = async () => {
    link.close();
    await session.close();
    await modem.close();
  };
  return {
    modem,
    sockets: modem,
    imei: modem.identity.imei,
    firmware: modem.firmware,
    // Nothing lies between the program and its own modem.
    lost: new Promise(() => undefined),
    credentials: createModemCredentialStore(session, { keys }),
    keyMaker: createModemKeyMaker(session, { keys }),
    link,
    close,
    [Symbol.asyncDispose]: close,
  };
}
