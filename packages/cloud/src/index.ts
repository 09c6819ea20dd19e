export type { Log } from "./log.js";
export { findCertificate, loadPrincipal } from "./services/registry/model.js";
export type {
  CertificateOrigin,
  CertificateRecord,
  CertificateStatus,
  PolicyRecord,
  PolicyVersionRecord,
  Principal,
  ThingRecord,
} from "./services/registry/model.js";
export { effectAttemptsMax } from "./services/outbox.js";
export type { EffectPerformer } from "./services/outbox.js";
export { defaultPendingEffectsMax, openOperationRunner } from "./services/runner.js";
export type { EffectRunner, RunnerDependencies, RunnerOptions, RunnerStartOptions } from "./services/runner.js";
export type { WakeHandler } from "./services/wake-ups.js";
export { iterate } from "./store/iterate.js";
export { openLmdbStore, storeSchemaVersion } from "./store/lmdb.js";
export type { LmdbStoreOptions } from "./store/lmdb.js";
export { createMemoryStore } from "./store/memory.js";
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
