import type { StoreKey } from "./store.js";

/** Records of the cloud itself stand under an empty account and region. */
export const systemKey = (...rest: (string | number)[]): StoreKey => ["", "", ...rest];
