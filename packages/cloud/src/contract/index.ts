export { storeContract } from "./store-contract.js";
export type { StoreContractHarness, StoreWorld } from "./store-contract.js";
export { createVirtualStore } from "./virtual-store.js";
export type { NodeStore, VirtualStore, VirtualStoreOptions } from "./virtual-store.js";
