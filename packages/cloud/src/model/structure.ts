import { isRecord } from "@thingline/protocol";

/** Whether a value may be that of a structure or a map: members, and not a list or bytes. */
export const isStructure = (value: unknown): value is Record<string, unknown> =>
  isRecord(value) && !(value instanceof Uint8Array);
