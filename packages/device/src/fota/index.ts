export { downloadChunkBytesMax } from "./downloader.js";
export type { Download, Downloader, DownloadRequest, DownloadSource, FileIdentity } from "./downloader.js";
export { createHttpDownloader } from "./http/http-downloader.js";
export {
  defaultDownloadConnections,
  defaultDownloadReceiveTimeoutMs,
  defaultRangeBytes,
  defaultRangeTimeoutMs,
  downloadConnectionsMax,
  rangeBytesMax,
  rangeBytesMin,
} from "./http/options.js";
export type { DownloadTls, HttpDownloaderOptions } from "./http/options.js";
export { createStreamDownloader } from "./streams/stream-downloader.js";
export {
  defaultStreamAnswerTimeoutMs,
  defaultStreamAttemptsMax,
  defaultStreamBlockBytes,
  defaultStreamWindowBytes,
  streamWindowBytesMax,
} from "./streams/options.js";
export type { StreamDevice, StreamDownloaderOptions } from "./streams/options.js";
export { firmwareUpdateOperation } from "./document.js";
export type { HealthQuestion, RebootRequest } from "./effects.js";
export { defaultFotaLimits } from "./types.js";
export type { FotaErrorCause, FotaEvent, FotaLimits } from "./types.js";
export { createFirmwareUpdater, whenReady } from "./updater.js";
export type { FirmwareUpdater, FirmwareUpdaterOptions, UpdatePoint } from "./updater.js";
export { fotaPhases, fotaReasons, statusMessageCharactersMax } from "./status-details.js";
export type { FotaPhase, FotaReason, FotaStatusDetails } from "./status-details.js";
export { firmwareHeadBytes } from "./target.js";
export type { FirmwareTarget, FirmwareTargetState, FirmwareTrial, FirmwareVerdict, RunningFirmware } from "./target.js";
export { createMcubootTarget } from "./targets/mcuboot-slots.js";
export type { McubootTargetOptions } from "./targets/mcuboot-slots.js";
export { createModemTarget } from "./targets/modem.js";
export type { ModemTargetOptions } from "./targets/modem.js";
