import { join } from "node:path";
import type { Device } from "@thingline/device";
import {
  createFirmwareUpdater,
  createModemTarget,
  type Downloader,
  firmwareUpdateOperation,
  type FotaEvent,
  type FotaLimits,
  whenReady,
} from "@thingline/device/fota";
import { type JobHandler, type JobListeners, runJobs } from "@thingline/device/jobs";
import type { ApplicationContext, BoardImage } from "@thingline/sim";
import type { ModemFirmware } from "@thingline/transport";
import type { Adapters } from "./adapters.js";

/** Of the documents of AWS's OTA, which name no operation. */
const awsOtaOperation = "afr_ota";

/** Where the update and the jobs of a device are remembered over a restart, below its folder. */
export const updateJournalName = "update.json";
export const jobsFolderName = "jobs";

export interface FirmwareApplicationOptions {
  image: BoardImage;
  context: ApplicationContext;
  /** Idle; the application connects it. */
  device: Device;
  downloaders: readonly Downloader[];
  /** A modem that takes firmware as well. */
  modem?: ModemFirmware | undefined;
  /** Of the device: its journal and its jobs are kept there. */
  folder: string;
  limits?: Partial<FotaLimits>;
  onFota: (event: FotaEvent) => void;
  onJobs?: JobListeners;
  /** Of jobs that are no updates. */
  handlers?: Readonly<Record<string, JobHandler>>;
  /** What the device does until it ends; the context's signal is aborted by a reboot as well. */
  run: (device: Device) => Promise<void>;
}

/**
 * What firmware with AWS jobs and FOTA does on a simulated board, from one boot to the next: an image on trial is judged, jobs are worked on,
 * and a new image is tried by a reboot.
 */
export async function runFirmwareApplication(
  { clock, random, files }: Pick<Adapters, "clock" | "random" | "files">,
  options: FirmwareApplicationOptions,
): Promise<void> {
  const { image, context, device, downloaders, modem, folder, limits, onFota, onJobs, handlers, run } = options;
  const { board, reboot } = context;
  await using updater = createFirmwareUpdater({
    ...{ files, clock, random, downloaders, reboot, onEvent: onFota },
    journalPath: join(folder, updateJournalName),
    targets: [board.target(), ...(modem === undefined ? [] : [createModemTarget({ firmware: modem })])],
    connected: whenReady(device),
    healthCheck: ({ target }) => (target === "modem" ? undefined : checkHealth(image)),
    ...(limits !== undefined && { limits }),
  });
  const runner = await runJobs(device, {
    ...{ clock, random, files, folder: join(folder, jobsFolderName) },
    handlers: { ...handlers, [firmwareUpdateOperation]: updater.handler, [awsOtaOperation]: updater.handler },
    ...(onJobs !== undefined && { on: onJobs }),
  });
  try {
    await run(device);
  } finally {
    await runner.close();
  }
}

/** An image of `makeSimulatedFirmware()` says in its program what its own check comes to; any other is taken for healthy. */
function checkHealth({ program }: BoardImage): void {
  const failure = program["healthCheckFails"];
  if (failure !== undefined && failure !== false) throw new Error(String(failure));
}
