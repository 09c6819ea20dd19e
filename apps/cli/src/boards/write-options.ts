import type { PemLineEnds } from "@thingline/modem";
import type { DoorOptions } from "../door-options.js";

/** Of `thingline modem write`. */
export interface WriteOptions extends DoorOptions {
  modemDir: string;
  secTag?: number;
  from?: string;
  ca?: string;
  cert?: string;
  key?: string;
  force?: boolean;
  lineEnds?: PemLineEnds;
  prove?: string;
  scratchTag?: number;
  /** Of a production line. */
  ports?: string;
  manifest?: string;
  fromEach?: string;
  report?: string[];
  resume?: boolean;
  atOnce?: number;
  batchDir?: string;
}
