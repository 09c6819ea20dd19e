import type { Clock } from "@thingline/transport";
import type { Log } from "../../log.js";
import type { IotLog } from "../iot-log.js";
import type { CloudService } from "../service.js";
import { shadowServiceName } from "./model.js";
import { createShadows, servedShadowOperations, wakeShadow, type ShadowOptions, type Shadows } from "./service.js";
import type { ShadowLimits } from "./throttle.js";
import { createShadowTopics } from "./topics.js";

export { packageShadowName } from "./package-shadow.js";
export { addressShadow } from "./service.js";
export type { AddressedRequest, ShadowOptions, Shadows } from "./service.js";
// What is indexed of shadows.
export { findShadowDocument, shadowedIn } from "./for-index.js";
export { awsShadowLimits, noShadowLimits } from "./throttle.js";

export interface ShadowServiceDependencies {
  clock: Clock;
  log: Log;
  /** Default: nothing is logged. */
  iotLog?: IotLog | undefined;
}

/** The Device Shadow service. */
export function createShadowService(
  { clock, log, iotLog }: ShadowServiceDependencies,
  { limits, ...options }: ShadowOptions & { limits: ShadowLimits },
): CloudService<Shadows> {
  const operations = createShadows(options);
  return {
    name: shadowServiceName,
    operations,
    rest: servedShadowOperations(operations),
    topics: createShadowTopics({ shadows: operations, clock, log, iotLog, limits }),
    wake: wakeShadow,
  };
}
