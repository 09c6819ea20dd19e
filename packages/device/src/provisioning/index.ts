export type { ClaimMaterial, FleetMethod, OwnCertificateMethod, ProvisioningMethod, SplitMethod } from "./method.js";
export { decodeProgress, historyEntriesMax } from "./progress.js";
export type {
  HistoryEntry,
  HistoryOutcome,
  ProgressPhase,
  ProvisioningProgress,
  TagCredentials,
  TagDigests,
} from "./progress.js";
export { defaultDeviceTag, provisionDevice } from "./provision.js";
export type { ProvisionDeviceOptions, ProvisioningPoint, ProvisionResult } from "./provision.js";
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
