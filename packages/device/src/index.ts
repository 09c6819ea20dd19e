export { connectDevice } from "./client.js";
export { heldMessagesMax } from "./client-device.js";
export type { Device, PublishOptions, SubscribeOptions } from "./client.js";
export type {
  DeviceEventName,
  DeviceEvents,
  DeviceListener,
  DeviceListeners,
  DeviceMessage,
  DisconnectReason,
  RefusedFilter,
} from "./client-events.js";
export {
  applicationTopicsMax,
  defaultCloseTimeoutMs,
  defaultKeepAliveSeconds,
  defaultMqttsPort,
  defaultPayloadBytesMax,
  defaultSessionExpirySeconds,
  filtersPerPacketMax,
} from "./client-options.js";
export type {
  ConnectDeviceOptions,
  DeviceCredentials,
  DeviceEndpoint,
  DeviceSettings,
  LastWill,
} from "./client-options.js";
export { connectResultOf, connectResults } from "./client-result.js";
export type { ConnectResult } from "./client-result.js";
export { defaultSubscriptionQueueMax } from "./client-subscription.js";
export type { DeviceSubscription, MessageListener } from "./client-subscription.js";
