export { createAwsIot } from "./aws-iot.js";
export type { AwsIot, AwsIotAdapters, AwsIotMessage, AwsIotOptions, AwsIotTopicType } from "./aws-iot.js";
export { awsIotEventTypes } from "./events.js";
export type { AwsIotEvent, AwsIotEventType, AwsIotHandler } from "./events.js";
export { awsIotFotaEvent, fotaErrorCauses } from "./fota-events.js";
