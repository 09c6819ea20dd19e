export { createNodeClock } from "./clock.js";
export { createNodeFiles } from "./files.js";
export { folderHolder } from "./folder-lock.js";
export { createNodeHttp } from "./http.js";
export { createNodeKeys } from "./keys.js";
export { createNodeNetwork } from "./network.js";
export type { NodeNetworkOptions } from "./network.js";
export { createNodeRandom } from "./random.js";
