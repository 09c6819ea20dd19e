// Written by `npm run model`.
import type { IotOperations } from "./iot.js";
import type { IotDataOperations } from "./iot-data.js";
import type { IotJobsDataOperations } from "./iot-jobs-data.js";

/** The operations that are built, by API and by AWS's name. */
export interface BuiltOperations {
  iot: IotOperations;
  "iot-data": IotDataOperations;
  "iot-jobs-data": IotJobsDataOperations;
  iotdeviceadvisor: Readonly<Record<never, never>>;
  iotsecuretunneling: Readonly<Record<never, never>>;
}
