/**
 * How far an update is. The first six are on the way: `downloading`; `downloaded`: all bytes are on flash; `verified`: what lies on flash is
 * an image that may run here; `installed`: the next boot will try it; `rebooting`; `booted`: the new image runs, on trial; `healthy`: it passed
 * its health check and is connected; `confirmed`: it stays. Only after `confirmed` the execution is SUCCEEDED.
 */
export const fotaPhases = [
  "downloading",
  "downloaded",
  "verified",
  "installed",
  "rebooting",
  "booted",
  "healthy",
  "confirmed",
] as const;
export type FotaPhase = (typeof fotaPhases)[number];

/**
 * The statusDetails of a job execution that is a firmware update: what `thingline fota status` reads. All values are texts, as AWS wants them,
 * and each but `versionRunning` may be missing.
 */
export interface FotaStatusDetails {
  /** How far it is, or was when it ended. Missing: nothing was begun. */
  phase?: FotaPhase;
  /** Of the download, whole percent: `0` to `100`. */
  progress?: string;
  /** The version that runs at this moment on the target, or of the first target while it is not known which one it is. */
  versionRunning: string;
  /** As the job document says; once the image is verified, the image's own. */
  versionWanted?: string;
  /** The target: `mcuboot`, `application`, `modem`. */
  target?: string;
  /** Why it is not going on, or why it ended: a {@link FotaReason}, or the reason of a target's verdict. With FAILED and REJECTED always. */
  reason?: string;
  /** The same for people, without any URL; at most {@link statusMessageCharactersMax} characters. */
  message?: string;
  /** Unix time in whole seconds at which `phase` began. */
  since?: string;
}

/** AWS takes 1,024 characters of a value. */
export const statusMessageCharactersMax = 512;

/** Why an update ended without success, or waits. Stable: programs compare them. A target's verdict adds its own. */
export const fotaReasons = {
  documentInvalid: "the job document does not say what to fetch, or says it wrongly",
  operationUnknown: "the job document asks for another operation than a firmware update",
  sourceUnsupported: "nothing on this device fetches from such a place",
  sizeMismatch: "the file has another size than the job document says",
  imageUnknown: "no target on this device takes an image that begins so",
  imageTooLarge: "the file has no room on its target",
  versionMismatch: "the image has another version than the job document says",
  alreadyRunning: "another update is under way on this device",
  downloadGone: "the file is not there, or its URL has expired, and a fresh job document did not help",
  downloadUnavailable: "the file could not be fetched within the bounds of retries",
  downloadInvalid: "the server's answers are none that a download can be made of",
  downloadRefused: "this device cannot fetch from there: trust, credentials or the size of TLS records",
  downloadChanging: "the file changed again and again while it was fetched",
  targetFailed: "flash or the modem failed",
  journalFailed: "what has to be remembered over a power cut could not be written",
  stateLost: "what was remembered of this update over the restart is gone or cannot be read",
  notBooted: "the bootloader did not take the image; the old one runs",
  reverted: "the new image ran and the bootloader went back to the old one, since it was not confirmed",
  healthCheckFailed: "the new image ran, and its health check failed",
  healthCheckTimeout: "the new image ran, and was not healthy and connected in time",
  cancelled: "the cloud took the job away",
} as const satisfies Record<string, string>;
export type FotaReason = keyof typeof fotaReasons;
