export { CborTag, cborDepthMax, cborItemsMax, decodeCbor, encodeCbor } from "./cbor.js";
export type { CborMap, CborValue, CborWritable, DecodeCborOptions } from "./cbor.js";
export { readMembers, writeMembers } from "./members.js";
export type { Members, MessageFormat } from "./members.js";
