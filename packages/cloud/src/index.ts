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
