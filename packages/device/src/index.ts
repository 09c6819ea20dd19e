export { connectDevice, createDevice } from "./client/create-device.js";
export type { ConnectOptions, Device, DeviceState, PublishOptions } from "./device.js";
export type { DeviceEventName, DeviceEvents, DeviceListener, DeviceListeners } from "./client/events.js";
export {
  applicationTopicsMax,
  defaultCloseTimeoutMs,
  defaultKeepAliveSeconds,
  defaultMqttsPort,
  defaultPayloadBytesMax,
  defaultSendTimeoutMs,
  defaultSessionExpirySeconds,
  nrfCloudSecTag,
} from "./client/options.js";
export type { ConnectDeviceOptions, DeviceOptions, DeviceSettings, LastWill, ShadowTopic } from "./client/options.js";
export { awsQuotas, mqttQuotas } from "./client/quotas.js";
export type { DeviceQuotas } from "./client/quotas.js";
export type { DisconnectReason } from "./connection/events.js";
export { inputBytesMax } from "./connection/held-input.js";
export type { PollOptions, PollResult } from "./connection/held-input.js";
export { awsIotDisconnectReasons } from "./connection/numbers.js";
export type { NumberedConnecting, NumberedDisconnected } from "./connection/numbers.js";
export type { DeviceCredentials, DeviceEndpoint, Handshake } from "./connection/options.js";
export { defaultReceiveTimeoutMs, receiveBytesPerSecondMin, receiveTotalMsMax } from "./connection/receive-watch.js";
export {
  defaultReconnectBaseMs,
  defaultReconnectCapMs,
  fruitlessConnectionsMax,
  publishCutsMax,
  reconnectAfterCutMs,
  stableAfterMs,
  takeoverCutsMin,
  takeoverWithinMs,
} from "./connection/reconnect.js";
export type { ReconnectOptions } from "./connection/reconnect.js";
export { filterCutsMax, recordCutsMax, sameRecordCutsMax } from "./connection/records.js";
export type { RecordTooLargeEvent } from "./connection/records.js";
export { connectResultOf, connectResults } from "./connection/result.js";
export type { ConnectResult } from "./connection/result.js";
export { TlsSessionCache, tlsSessionsMax } from "./connection/tls-sessions.js";
export { filtersPerPacketMax } from "./topics/filters.js";
export type { RefusedFilter } from "./topics/filters.js";
export { heldMessagesMax } from "./topics/inbox.js";
export type { DeviceMessage, MessageListener } from "./topics/message.js";
export { defaultSubscriptionQueueMax } from "./topics/subscription.js";
export type { DeviceSubscription, SubscribeOptions } from "./topics/subscription.js";
export { waitingSubscribesMax } from "./topics/topics.js";
export { deviceOptionsOf } from "./aws-iot/kconfig-options.js";
export type { KconfigDeviceOptions } from "./aws-iot/kconfig-options.js";
export { createNativeTlsDialer } from "./native-tls/dialer.js";
export type { NativeTlsDialerOptions } from "./native-tls/dialer.js";
export { loadNativeTlsCredentials, nativeTlsFiles } from "./native-tls/load.js";
export type { LoadCredentialsOptions } from "./native-tls/load.js";
export { createNativeCredentialStore, nativeCredentialBytesMax, nativeSecTagsMax } from "./native-tls/store.js";
export type { NativeCredentialStore, NativeCredentialStoreOptions, TlsCredentials } from "./native-tls/store.js";
export {
  defaultJournalSegmentBytes,
  defaultOfflineBytesMax,
  defaultOfflineMessagesMax,
  defaultOfflineMessagesPerSecond,
} from "./offline-queue/types.js";
export type {
  OfflineDropReason,
  OfflineDurability,
  OfflineMessage,
  OfflineOverflow,
  OfflineQueueEvent,
  OfflineQueueOptions,
  OfflineQueueStats,
  OfflineStorage,
} from "./offline-queue/types.js";
export { amazonRootCa1 } from "./provisioning/amazon-root-ca.js";
export type { ShadowAccepted, ShadowView } from "./shadow/answers.js";
export type { ShadowDelta } from "./shadow/delta-view.js";
export { shadowRequestsInFlightMax, shadowRequestsWaitingMax } from "./shadow/request-gate.js";
export { defaultReportRetriesMax, defaultShadowAttemptsMax, ShadowClient } from "./shadow/shadow-client.js";
export type { ShadowDeltas, ShadowUpdateOptions } from "./shadow/shadow-client.js";
export { defaultShadowTimeoutMs } from "./shadow/shadow-requests.js";
export type { ShadowPort, ShadowRequestOptions } from "./shadow/shadow-requests.js";
export type { ShadowChange, ShadowPatch, ShadowUpdateRequest } from "./shadow/shadow-state.js";
export { shadowsMax } from "./shadow/shadows.js";
