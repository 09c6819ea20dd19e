// What firmware needs of Node, apart from the rest: a device that is never updated need not load it.

export { openNodeFlash } from "./flash.js";
export type { NodeFlash, NodeFlashOptions } from "./flash.js";
export { createNodeImageCrypto } from "./image-crypto.js";
export { createNodeProcesses, endWithParent } from "./processes.js";
