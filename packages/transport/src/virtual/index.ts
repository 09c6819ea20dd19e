export { createVirtualClock, defaultVirtualUnixMs } from "./clock.js";
export type { VirtualClock } from "./clock.js";
export { createVirtualFiles } from "./files.js";
export type { VirtualFiles, VirtualFilesOptions } from "./files.js";
export { createVirtualRandom } from "./random.js";
export type { VirtualRandom } from "./random.js";
export { createVirtualKeys, virtualRsaKeysMax } from "./keys.js";
