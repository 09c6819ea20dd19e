import { Dfu } from "./dfu.js";
import { FirmwareUpdates, formatResult } from "./dfu-updates.js";
import type { SerialModemFeature } from "./feature.js";
import { Fota } from "./fota.js";

/** Firmware of application, bootloader and modem: downloads, uploads, and what comes of them at the next start. */
export const firmwareFeature: SerialModemFeature = (services) => {
  const updates = new FirmwareUpdates(services);
  const fota = new Fota(services, updates);
  const dfu = new Dfu(services, updates);
  const tell = (): void => {
    const result = updates.takeResult();
    if (result !== undefined) services.notify(formatResult(result));
  };
  return {
    commands: [...fota.commands, ...dfu.commands],
    starting: () => updates.start(),
    booted: tell,
    modemRestarted: async () => {
      fota.modemRestarted();
      await updates.modemRestarted();
      tell();
    },
    stop: async () => {
      dfu.stop();
      await fota.stop();
    },
  };
};
