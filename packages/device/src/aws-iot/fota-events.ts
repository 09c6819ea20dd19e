import { ThinglineError } from "@thingline/protocol";
import type { FotaErrorCause, FotaEvent } from "../fota/types.js";
import type { AwsIotEvent } from "./events.js";

/** `enum fota_download_error_cause`. */
export const fotaErrorCauses = {
  downloadFailed: 1,
  invalidUpdate: 2,
  typeMismatch: 3,
} as const satisfies Record<FotaErrorCause, number>;

/**
 * An event of the firmware updater as the original's library raises it, for `onEvent` of `createFirmwareUpdater()`: hand it to the handler that
 * `init()` got. Undefined: the original has no such event.
 */
export function awsIotFotaEvent(event: FotaEvent): AwsIotEvent | undefined {
  switch (event.type) {
    case "started":
      return { type: "fotaStart" };
    case "done":
      return { type: "fotaDone" };
    case "erasePending":
      return { type: "fotaErasePending" };
    case "eraseDone":
      return { type: "fotaEraseDone" };
    case "progress":
      return { type: "fotaDownloadProgress", percent: event.percent };
    case "error": {
      const details = { reason: event.reason, cause: fotaErrorCauses[event.cause] };
      return { type: "fotaError", error: new ThinglineError("FIRMWARE_UPDATE_FAILED", event.message, { details }) };
    }
    default:
      return undefined;
  }
}
