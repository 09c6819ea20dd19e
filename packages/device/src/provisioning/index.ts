export type {
  ClaimMaterial,
  FleetMethod,
  KeyOrigin,
  OwnCertificateMethod,
  ProvisioningMethod,
  ProvisioningWay,
  SplitMethod,
} from "./method.js";
export { historyEntriesMax } from "./progress.js";
export { decodeProgress } from "./progress-file.js";
export type {
  HistoryEntry,
  DeviceKey,
  HistoryOutcome,
  IssuedCertificate,
  Ownership,
  ProgressPhase,
  ProvisioningProgress,
  Registration,
  TagCredentials,
  TagDigests,
} from "./progress.js";
export { provisionDevice } from "./provision.js";
export type { ProvisionResult } from "./provision.js";
export { defaultClaimTag, defaultDeviceTag } from "./provision-options.js";
export type { ProvisionDeviceOptions, ProvisioningPoint } from "./provision-options.js";
export { provisioningSteps, provisioningStepsOf, stepTitle } from "./steps.js";
export type { ProvisioningStepInfo, ProvisioningStepName, ProvisioningStepNumber } from "./steps.js";
export { defaultProvisioningLimits, tagItems } from "./types.js";
export type {
  CaSource,
  ProvisioningEffect,
  ProvisioningEffectType,
  ProvisioningEvent,
  ProvisioningLimits,
  StepEvent,
  TagItem,
} from "./types.js";
