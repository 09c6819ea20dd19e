export { clockToleranceMs } from "./age.js";
export type { RotationPolicy } from "./age.js";
export { ageLookMs, ageRetryMsMax, ageRetryMsMin } from "./age-watch.js";
export { rotationConnectTimeoutMs } from "./live-device.js";
export {
  defaultRotationOverlapMs,
  defaultRotationSpreadMs,
  defaultWarnDays,
  rotationOverlapMsMax,
  warnDaysMax,
} from "./options.js";
export type { RotationOptions } from "./options.js";
export { rotationEntriesMax } from "./record.js";
export type { RotationEntry, RotationJob, RotationReason, RotationRecord } from "./record.js";
export { readRotatedTag } from "./rotation-file.js";
export { openRotation, rotationReturnPauseMsMax } from "./rotation.js";
export type { Rotation } from "./rotation.js";
export type {
  CertificateFacts,
  RotateOptions,
  RotationEventName,
  RotationEvents,
  RotationListener,
  RotationListeners,
  RotationResult,
} from "./types.js";
