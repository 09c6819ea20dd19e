export { blobContract } from "./blob-contract.js";
export type { BlobWorld } from "./blob-contract.js";
export { storeContract } from "./store-contract.js";
export type { StoreContractHarness, StoreWorld } from "./store-contract.js";
export { createVirtualStore } from "./virtual-store.js";
export type { NodeStore, VirtualStore, VirtualStoreOptions } from "./virtual-store.js";
