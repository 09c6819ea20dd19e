export type { BootedApplication, Boot } from "./boot.js";
export {
  bundleFileBytesMax,
  bundleFilesMax,
  bundleManifestBytesMax,
  bundlePathCharactersMax,
  packApplication,
} from "./bundle.js";
export {
  createApplicationTarget,
  defaultApplicationBytesMax,
  installApplication,
} from "../targets/application-directory.js";
export type { ApplicationTargetOptions } from "../targets/application-directory.js";
export {
  defaultRestartFirstMs,
  defaultRestartLastMs,
  defaultStableAfterMs,
  defaultStopTimeoutMs,
  defaultTrialTimeoutMs,
  superviseApplication,
} from "./supervise.js";
export type { SupervisorEvent, SupervisorOptions } from "./supervise.js";
