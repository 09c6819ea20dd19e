import type { CloudService } from "../service.js";
import { taggable } from "../taggable.js";
import { otaKeys, otaServiceName } from "./model.js";
import { createOtaUpdates, type OtaDependencies, type OtaUpdates } from "./service.js";

export type { OtaDependencies, OtaUpdates } from "./service.js";

/** OTA updates of FreeRTOS. */
export function createOtaService(deps: OtaDependencies): CloudService<OtaUpdates> {
  const operations = createOtaUpdates(deps);
  return {
    ...{ name: otaServiceName, operations, rest: Object.values(operations) },
    taggable: [taggable("otaupdate", otaKeys.update)],
  };
}
