export { defaultAccount, defaultRegion } from "./account-region.js";
export { createCloud } from "./cloud.js";
export type { Cloud } from "./cloud.js";
export type { CloudAddresses, CloudStats } from "./cloud-facts.js";
export type { CloudDependencies, CloudOptions } from "./cloud-options.js";
export type { CloudFunction, CloudFunctionContext, Functions, InvokeOptions } from "./functions/index.js";
export {
  functionAnswerBytesMax,
  functionCallsInFlightMax,
  functionCallsQueuedMax,
  functionEventBytesMax,
  functionNameCharactersMax,
  functionsMax,
} from "./functions/index.js";
export type { Refusal, RefusalReason } from "./gateway/certificate-check.js";
export type { GatewayStats } from "./gateway/gateway.js";
export type { ListenAddress } from "./gateway/listen.js";
export type { Hash, HashName } from "./hashes.js";
export type { StatementGuard } from "./statement-guard.js";
export { silentLog } from "./log.js";
export type { Log } from "./log.js";
export { nodeLeaseMarginMs, nodeLeaseMs, nodeRenewMs, nodesMax, openClusterNode } from "./nodes/cluster-node.js";
export type { ClusterNodeDependencies } from "./nodes/cluster-node.js";
export { soleNode } from "./nodes/node.js";
export type { Adopter, CloudNode, Estate, NodeEpoch } from "./nodes/node.js";
export type { Authorizer, BrokerAction, ConnectionIdentity, ConnectRequest, Decision } from "./policy/authorizer.js";
export { createRestApi, restBodyBytesMax } from "./rest/rest-api.js";
export type { RestApi, RestApiDependencies, RestApiOptions, RestApiStats } from "./rest/rest-api.js";
export { defaultRestHost, defaultRestPort, startRestServer } from "./rest/server.js";
export type { RestServer, RestServerOptions, RestServerStats } from "./rest/server.js";
export { checkAccessKeys, defaultAccessKey } from "./rest/access-keys.js";
export type { AccessKey } from "./rest/access-keys.js";
export { defaultRestLimits } from "./rest/admission.js";
export type { RequestHead, RestPeer, RestLimits, RouteDemands, ServedResponse, Verdict } from "./rest/admission.js";
export type { FindSessionKey, SessionKey, SessionQuestion } from "./rest/session-keys.js";
export { verbosityOf } from "./services/iot-log.js";
export type { IotLog, IotLogEntry, IotLogLevel } from "./services/iot-log.js";
export type { MessageLimits } from "./services/message-limits.js";
export { userPropertiesMax } from "./services/message-input.js";
export { createMessages, retainedPageSizeMax } from "./services/messages/service.js";
export type { Messages, PublishInput } from "./services/messages/service.js";
export { createCertificateIssuer, openDeviceAuthority } from "./services/registry/certificate-issuer.js";
export type {
  CertificateIssuer,
  CertificateIssuerOptions,
  DeviceAuthorityOptions,
  IssuedCertificate,
} from "./services/registry/certificate-issuer.js";
export type { BucketFacts, BucketVersioning } from "./services/objects/buckets.js";
export { checksumHeaders } from "./services/objects/checksums.js";
export type { ChecksumHeader } from "./services/objects/checksums.js";
export type { DeleteObjectResult } from "./services/objects/delete.js";
export type { ListObjectsInput, ListObjectsResult, ListVersionsResult } from "./services/objects/list.js";
export type { ObjectVersion, StoredVersion } from "./services/objects/model.js";
export type { ObjectsEndpoint } from "./services/objects/presigned-url.js";
export type { ExpectedContent, PutObjectInput, PutObjectResult } from "./services/objects/put.js";
export type { ObjectFacts, ObjectPart, ObjectReading, ReadObjectInput } from "./services/objects/read.js";
export type { ObjectAddress } from "./services/objects/s3-url.js";
export { createObjects } from "./services/objects/service.js";
export type { Objects } from "./services/objects/service.js";
export { createKeyPool, keyPoolSizeMax } from "./key-pool.js";
export type { KeyPool } from "./key-pool.js";
export { findCertificate } from "./services/registry/model.js";
export { loadPrincipal } from "./services/registry/principal.js";
export type { Principal, PrincipalPolicy } from "./services/registry/principal.js";
export type {
  CertificateOrigin,
  CertificateRecord,
  CertificateReplacement,
  CertificateSource,
  CertificateStatus,
  CertificateTransfer,
  PolicyRecord,
  PolicyVersionRecord,
  ThingMembership,
  ThingPrincipalType,
  ThingRecord,
} from "./services/registry/model.js";
export { createRegistry } from "./services/registry/service.js";
export type { Registry, RegistryDependencies } from "./services/registry/service.js";
export type { RequestToSign, SignedRequest, SignRequest } from "./services/registry/sign-request.js";
export type { RegistrationConfig } from "./services/certificate-authorities/model.js";
export { loadServerCertificateIssuer } from "./services/registry/server-certificates.js";
export type {
  RootOptions,
  ServerCertificateIssuer,
  ServerCertificateIssuerOptions,
  ServerOptions,
} from "./services/registry/server-certificates.js";
export type { TaggableKind } from "./services/taggable.js";
export { addressShadow, createShadows, namedShadowsPageSizeMax, wakeShadow } from "./services/shadow/service.js";
export type { ShadowAddress } from "./services/shadow/shadow-address.js";
export type { AddressedRequest, ShadowOptions, Shadows } from "./services/shadow/service.js";
export { awsShadowLimits, noShadowLimits } from "./services/shadow/throttle.js";
export type { ShadowLimits } from "./services/shadow/throttle.js";
export { createShadowTopics } from "./services/shadow/topics.js";
export type { ShadowTopicsDependencies } from "./services/shadow/topics.js";
export {
  claimPolicyDocument,
  fleetClaimPolicyDocument,
  originalClaimPolicyDocument,
  originalProvisionedPolicyDocument,
  provisionedPolicyDocument,
  provisionedPolicyName,
} from "./services/split-provisioning/policies.js";
export type { CertificateWithKey } from "./services/registry/certificate-with-key.js";
export type { ApiName } from "./model/table.js";
export { awsOperation, awsSaga } from "./services/aws-operation.js";
export type {
  AwsFace,
  AwsOperation,
  InputOf,
  MemberPath,
  OutputOf,
  ServedOperation,
} from "./services/aws-operation.js";
export { answered, noClientId, operationAttemptsMax } from "./services/operation.js";
export type {
  Effect,
  MessageSource,
  Operation,
  OperationContext,
  OperationRunner,
  Outcome,
  Saga,
  SagaContext,
  Scope,
  ServiceMessage,
  ServiceTopics,
} from "./services/operation.js";
export { createSplitProvisioningService } from "./services/split-provisioning/index.js";
export type {
  CallFunction,
  ProvisionRequest,
  SplitProvisioning,
  SplitProvisioningDependencies,
  SplitProvisioningOptions,
  Vending,
  VendingState,
} from "./services/split-provisioning/index.js";
export type { BlobRoom } from "./services/blob-room.js";
export { blobRecordKey, keepBlob, releaseBlob } from "./services/blob-records.js";
export type { BlobRecord } from "./services/blob-records.js";
export { callDepthMax } from "./services/draft-context.js";
export type {
  ClientFacts,
  Clients,
  ClientSocket,
  ClientSubscription,
  DirectMessage,
  DirectOutcome,
  DisconnectTerms,
} from "./services/client-directory.js";
export type {
  ConnectedEvent,
  ConnectFailedEvent,
  DisconnectedEvent,
  LifecycleEvent,
  SubscriptionEvent,
} from "./services/lifecycle.js";
export { saga } from "./services/saga.js";
export type { CommitListener, ListenedEngine } from "./services/commit-listener.js";
export type { CloudService } from "./services/service.js";
export { TopicFilters } from "./services/topic-filters.js";
export { effectAttemptsMax } from "./services/outbox.js";
export type { EffectId, EffectPerformer, HandedOver } from "./services/outbox.js";
export { defaultPendingEffectsMax, openOperationRunner } from "./services/runner.js";
export type { EffectRunner, RunnerDependencies, RunnerOptions, RunnerStartOptions } from "./services/runner.js";
export type { WakeHandler } from "./services/wake-ups.js";
export { openBlobFiles } from "./store/blob-files.js";
export type { BlobFilesOptions } from "./store/blob-files.js";
export { createMemoryBlobStore, memoryBlobBytesTotalMax } from "./store/blob-memory.js";
export type { MemoryBlobOptions } from "./store/blob-memory.js";
export { snapshotBlobBytesMax } from "./store/blob-snapshot.js";
export { blobBytesMax, blobBytesTotalMax, blobPutsMax, blobReadsMax, blobsMax, etagOf } from "./store/blobs.js";
export type {
  BlobEntry,
  BlobFacts,
  BlobKey,
  BlobLimits,
  BlobListOptions,
  BlobPutOptions,
  BlobRange,
  BlobReading,
  BlobStore,
} from "./store/blobs.js";
export { iterate } from "./store/iterate.js";
export { openLmdbStore } from "./store/lmdb.js";
export type { LmdbStore, LmdbStoreOptions } from "./store/lmdb.js";
export { createMemoryStore } from "./store/memory.js";
export { storeSchemaVersion } from "./store/record.js";
export { clearStore, restoreSnapshot, takeSnapshot } from "./store/snapshot.js";
export type { StoreSnapshot } from "./store/snapshot.js";
export type {
  Durability,
  ListOptions,
  Store,
  StoreEntry,
  StoreKey,
  StoreOperation,
  StoreReader,
  StoreValue,
} from "./store/store.js";
export { awsLimits, createBroker, disconnectReasons, noLimits, outputBytesShare } from "./broker/index.js";
export type {
  Broker,
  BrokerCounters,
  BrokerLimits,
  BrokerOptions,
  BrokerStats,
  DisconnectReason,
  PublishEffect,
  SessionOwnerRule,
} from "./broker/index.js";
export { busAttemptsMax, busRetryDelayMs, busUnsettledMax } from "./bus/bus-link.js";
export { busTimeoutMs } from "./bus/bus.js";
export type {
  Bus,
  BusControl,
  BusId,
  BusMessage,
  BusOrder,
  BusPort,
  BusReceiver,
  ClientAnswer,
  ClientQuestion,
  RetainedCount,
} from "./bus/bus.js";
export { openQuestionsMax } from "./broker/inquiries.js";
export { createLocalBus } from "./bus/local-bus.js";
export { rotationHookName, rotationThingParameter } from "./rotation-hook.js";
