import type { Adapters } from "./adapters.js";
import type { ModemDevice } from "./modem-device.js";
import { type DoorOptions, namesDoor } from "./modem-door.js";
import { bootSimulatedDevice } from "./simulated-device.js";

/** The board behind a port, or the simulated modem of a folder. */
export async function openModemDevice(
  adapters: Adapters,
  options: DoorOptions & { modemDir: string },
  { networkTimeoutMs, signal }: { networkTimeoutMs: number; signal: AbortSignal },
): Promise<ModemDevice> {
  if (!namesDoor(options)) return bootSimulatedDevice(adapters, { modemDir: options.modemDir, networkTimeoutMs });
  const { openBoardDevice } = await import("./board-device.js");
  return openBoardDevice(adapters, options, { networkTimeoutMs, signal });
}
