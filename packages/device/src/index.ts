export { connectDevice, createDevice } from "./client.js";
export type { ConnectOptions, Device, DeviceState, PublishOptions, SubscribeOptions } from "./client.js";
export type {
  DeviceEventName,
  DeviceEvents,
  DeviceListener,
  DeviceListeners,
  DeviceMessage,
  DisconnectReason,
  RefusedFilter,
} from "./client-events.js";
export { heldMessagesMax } from "./client-inbox.js";
export {
  applicationTopicsMax,
  defaultCloseTimeoutMs,
  defaultKeepAliveSeconds,
  defaultMqttsPort,
  defaultPayloadBytesMax,
  defaultSendTimeoutMs,
  defaultSessionExpirySeconds,
  filtersPerPacketMax,
  nrfCloudSecTag,
} from "./client-options.js";
export type {
  ConnectDeviceOptions,
  DeviceCredentials,
  DeviceEndpoint,
  DeviceOptions,
  DeviceSettings,
  Handshake,
  LastWill,
  ShadowTopic,
} from "./client-options.js";
export {
  defaultReconnectBaseMs,
  defaultReconnectCapMs,
  fruitlessConnectionsMax,
  publishCutsMax,
  reconnectAfterCutMs,
  stableAfterMs,
  takeoverCutsMin,
  takeoverWithinMs,
} from "./client-reconnect.js";
export type { ReconnectOptions } from "./client-reconnect.js";
export { defaultReceiveTimeoutMs, receiveBytesPerSecondMin, receiveTotalMsMax } from "./client-receive-watch.js";
export { awsQuotas, mqttQuotas } from "./client-quotas.js";
export type { DeviceQuotas } from "./client-quotas.js";
export { filterCutsMax, recordCutsMax, sameRecordCutsMax } from "./client-records.js";
export type { RecordTooLargeEvent } from "./client-records.js";
export { inputBytesMax } from "./client-input.js";
export type { PollOptions, PollResult } from "./client-input.js";
export { connectResultOf, connectResults } from "./client-result.js";
export type { ConnectResult } from "./client-result.js";
export { defaultSubscriptionQueueMax } from "./client-subscription.js";
export type { DeviceSubscription, MessageListener } from "./client-subscription.js";
export { waitingSubscribesMax } from "./client-topics.js";
export { deviceOptionsOf } from "./kconfig-options.js";
export type { KconfigDeviceOptions } from "./kconfig-options.js";
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
export { decodeProgress, historyEntriesMax } from "./provisioning/progress.js";
export type {
  HistoryEntry,
  HistoryOutcome,
  ProgressPhase,
  ProvisioningProgress,
  TagCredentials,
  TagDigests,
} from "./provisioning/progress.js";
export { defaultDeviceTag, provisionDevice } from "./provisioning/provision.js";
export type { ProvisionDeviceOptions, ProvisioningPoint, ProvisionResult } from "./provisioning/provision.js";
export { provisioningSteps, stepTitle } from "./provisioning/steps.js";
export type { ProvisioningStepName, ProvisioningStepNumber } from "./provisioning/steps.js";
export { defaultProvisioningLimits, tagItems } from "./provisioning/types.js";
export type {
  CaSource,
  ProvisioningEffect,
  ProvisioningEffectType,
  ProvisioningEvent,
  ProvisioningLimits,
  StepEvent,
  TagItem,
} from "./provisioning/types.js";
export { TlsSessionCache, tlsSessionsMax } from "./tls-sessions.js";
export type { ShadowAccepted, ShadowView } from "./shadow/answers.js";
export type { ShadowDelta } from "./shadow/delta-view.js";
export { shadowRequestsInFlightMax, shadowRequestsWaitingMax } from "./shadow/request-gate.js";
export {
  defaultReportRetriesMax,
  defaultShadowAttemptsMax,
  defaultShadowTimeoutMs,
  ShadowClient,
} from "./shadow/shadow-client.js";
export type {
  ShadowDeltas,
  ShadowPort,
  ShadowChange,
  ShadowPatch,
  ShadowRequestOptions,
  ShadowUpdateOptions,
  ShadowUpdateRequest,
} from "./shadow/shadow-client.js";
export { shadowsMax } from "./shadow/shadows.js";
export { createAwsIot } from "./aws-iot/aws-iot.js";
export type { AwsIot, AwsIotAdapters, AwsIotMessage, AwsIotOptions, AwsIotTopicType } from "./aws-iot/aws-iot.js";
export { awsIotEventTypes } from "./aws-iot/events.js";
export { awsIotDisconnectReasons } from "./client-numbers.js";
export type { NumberedConnecting, NumberedDisconnected } from "./client-numbers.js";
export type { AwsIotEvent, AwsIotEventType, AwsIotHandler } from "./aws-iot/events.js";
export { createCloudBackend } from "./backends/backend.js";
export { awsIotBackendName, createAwsIotBackend } from "./backends/aws-iot.js";
export type { AwsIotBackendOptions } from "./backends/aws-iot.js";
export { createMqttBackend, defaultMqttPort, mqttBackendName } from "./backends/mqtt.js";
export type { MqttBackendOptions, StateTopics } from "./backends/mqtt.js";
export { createBackendRegistry } from "./backends/registry.js";
export type { BackendRegistry } from "./backends/registry.js";
export { cloudEndpointTypes, cloudEventTypes, cloudQos } from "./backends/types.js";
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
} from "./backends/types.js";
