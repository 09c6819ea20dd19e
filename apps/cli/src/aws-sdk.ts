import { createRequire } from "node:module";
import type * as Iot from "@aws-sdk/client-iot";
import type * as IotData from "@aws-sdk/client-iot-data-plane";
import type * as IotJobsData from "@aws-sdk/client-iot-jobs-data-plane";
import type * as S3 from "@aws-sdk/client-s3";

// These are CommonJS. Imported, Node would first look through their megabyte of source for names and for the syntax of a module, which takes
// as long again as running them; required, it just runs them.
const require = createRequire(import.meta.url);

/** The AWS SDK for AWS IoT, loaded when it is first asked for. */
export const iotSdk = (): typeof Iot => require("@aws-sdk/client-iot") as typeof Iot;

/** The AWS SDK for the data plane, likewise. */
export const iotDataSdk = (): typeof IotData => require("@aws-sdk/client-iot-data-plane") as typeof IotData;

/** The AWS SDK for what devices ask of jobs, and for starting commands, likewise. */
export const iotJobsDataSdk = (): typeof IotJobsData =>
  require("@aws-sdk/client-iot-jobs-data-plane") as typeof IotJobsData;

/** The AWS SDK for S3, likewise. */
export const s3Sdk = (): typeof S3 => require("@aws-sdk/client-s3") as typeof S3;
