export { createCloudBackend } from "./backend.js";
export { awsIotBackendName, createAwsIotBackend } from "./aws-iot.js";
export type { AwsIotBackendOptions } from "./aws-iot.js";
export { createMqttBackend, defaultMqttPort, mqttBackendName } from "./mqtt.js";
export type { MqttBackendOptions, StateTopics } from "./mqtt.js";
export { createBackendRegistry } from "./registry.js";
export type { BackendRegistry } from "./registry.js";
export { cloudEndpointTypes, cloudEventTypes, cloudQos } from "./types.js";
export type {
  CloudBackend,
  CloudConfig,
  CloudEndpoint,
  CloudEndpointType,
  CloudEvent,
  CloudEventType,
  CloudHandler,
  CloudMessage,
  CloudOperations,
  ReceivedCloudMessage,
} from "./types.js";
