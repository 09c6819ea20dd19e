export { downloadChunkBytesMax } from "./downloader.js";
export type { Download, Downloader, DownloadRequest, DownloadSource, FileIdentity } from "./downloader.js";
export { fotaPhases, fotaReasons, statusMessageCharactersMax } from "./status-details.js";
export type { FotaPhase, FotaReason, FotaStatusDetails } from "./status-details.js";
export { firmwareHeadBytes } from "./target.js";
export type { FirmwareTarget, FirmwareTargetState, FirmwareTrial, FirmwareVerdict, RunningFirmware } from "./target.js";
