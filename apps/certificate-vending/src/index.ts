export { createAwsVendingCloud } from "./aws-cloud.js";
export type { AwsVendingCloudOptions } from "./aws-cloud.js";
export { createFleetHook } from "./fleet-hook.js";
export type { FleetHookAnswer, FleetHookDependencies } from "./fleet-hook.js";
export { createVendingHandler } from "./handler.js";
export type { VendingDependencies } from "./handler.js";
export type { HookEvent, VendingHook } from "./hook.js";
export { createLineLog } from "./line-log.js";
export { createLocalVending, localSettings } from "./local.js";
export type { LocalVending, LocalVendingOptions } from "./local.js";
export { defaultVendingLimits, readAdmission, readSettings } from "./settings.js";
export type { AdmissionSettings, VendingLimits, VendingSettings } from "./settings.js";
export type {
  IssuedCertificate,
  KeyOrigin,
  ThingCertificate,
  VendedCertificate,
  VendingCloud,
  VendingContext,
  VendingEvent,
  VendingHandler,
  VendingLog,
} from "./types.js";
