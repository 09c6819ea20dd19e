import type { StoreKey } from "../store/store.js";
import type { Scope } from "./operation.js";

/** A message as it is stored: QoS 1 that waits, and retained ones. */
export type MessageRecord = {
  topic: string;
  payload: Uint8Array;
  isRetained: boolean;
  qos: 0 | 1;
  /** Unix time; undefined means never. */
  expiresAtMs: number | undefined;
  properties: StoredProperties | undefined;
};

/** The last message of a topic that was published with RETAIN. */
export type RetainedRecord = MessageRecord & {
  /** Unix time of the PUBLISH; not in records of earlier releases. */
  retainedAtMs?: number;
};

/** Properties of MQTT 5 that outlive their PUBLISH. */
export type StoredProperties = {
  payloadFormatIndicator: 0 | 1 | undefined;
  contentType: string | undefined;
  responseTopic: string | undefined;
  correlationData: Uint8Array | undefined;
  userProperties: readonly (readonly [string, string])[] | undefined;
};

/** Where the broker keeps retained messages, one for each topic. */
export const retainedKeys = {
  all: ({ account, region }: Scope): StoreKey => [account, region, "broker", "retained"],
  of: (scope: Scope, topic: string): StoreKey => [...retainedKeys.all(scope), topic],
};

export function isExpired({ expiresAtMs }: MessageRecord, nowMs: number): boolean {
  return expiresAtMs !== undefined && expiresAtMs <= nowMs;
}
