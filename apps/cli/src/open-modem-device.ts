import type { Adapters } from "./adapters.js";
import type { Output } from "./output.js";
import type { ModemDevice } from "./modem-device.js";
import { type DoorOptions, namesDoor } from "./door-options.js";

/** The board behind a port, or the simulated modem of a folder. */
export async function openModemDevice(
  adapters: Adapters,
  options: DoorOptions & { modemDir: string },
  { networkTimeoutMs, signal, output }: { networkTimeoutMs: number; signal: AbortSignal; output: Output },
): Promise<ModemDevice> {
  if (!namesDoor(options)) {
    const { bootSimulatedDevice } = await import("./simulated-device.js");
    return bootSimulatedDevice(adapters, { modemDir: options.modemDir, networkTimeoutMs });
  }
  const { openBoardDevice } = await import("./board-device.js");
  const device = await openBoardDevice(adapters, options, { networkTimeoutMs, signal });
  if (device.leftDataMode === true) {
    output.say("the board was still in data mode, as a program that was killed leaves it; it is out of it");
  }
  return device;
}
