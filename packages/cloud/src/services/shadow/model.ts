import { shadowVersionKeptMs, type ShadowDocument, type ShadowId } from "@thingline/protocol/shadow";
import type { StoreKey } from "../../store/store.js";
import type { Effect, Scope } from "../operation.js";

/** A shadow that exists, or what is remembered of one that was deleted: its version goes on when it comes back. */
export type ShadowRecord = { document: ShadowDocument } | DeletedShadow;
export type DeletedShadow = { deletedVersion: number; deletedAtMs: number };

/** Name of the service in its wake-ups. */
export const shadowServiceName = "shadow";

/** Wake-ups of one shadow that is deleted again and again fall together. */
const forgettingStepMs = 60 * 60 * 1000;

export const shadowKeys = {
  classic: ({ account, region }: Scope, thingName: string): StoreKey => [account, region, "shadow", thingName],
  namedOf: ({ account, region }: Scope, thingName: string): StoreKey => [account, region, "namedShadow", thingName],
};

export function shadowKey(scope: Scope, { thingName, shadowName }: ShadowId): StoreKey {
  if (shadowName === undefined) return shadowKeys.classic(scope, thingName);
  return [...shadowKeys.namedOf(scope, thingName), shadowName];
}

/** Whether the version of a deleted shadow is still remembered. */
export function isRemembered({ deletedAtMs }: DeletedShadow, nowMs: number): boolean {
  return nowMs < deletedAtMs + shadowVersionKeptMs;
}

/** The shadow as operations see it. */
export function readRecord(record: ShadowRecord | undefined, nowMs: number) {
  if (record === undefined) return { document: undefined, deletedVersion: 0 };
  if ("document" in record) return { document: record.document, deletedVersion: 0 };
  return { document: undefined, deletedVersion: isRemembered(record, nowMs) ? record.deletedVersion : 0 };
}

/** When to forget a shadow deleted now. */
export function forgetAt(id: ShadowId, nowMs: number): Effect {
  const atUnixMs = Math.ceil((nowMs + shadowVersionKeptMs) / forgettingStepMs) * forgettingStepMs;
  return { type: "wakeAt", service: shadowServiceName, name: nameOf(id, "/"), atUnixMs };
}

/** The inverse of the name in {@link forgetAt}; neither name has a slash in it. */
export function parseWakeName(name: string): ShadowId {
  const [thingName = "", shadowName] = name.split("/");
  return { thingName, ...(shadowName !== undefined && { shadowName }) };
}

/** As AWS names a shadow in its errors: the thing, or thing and shadow. */
export function nameOf({ thingName, shadowName }: ShadowId, separator = "~"): string {
  return shadowName === undefined ? thingName : `${thingName}${separator}${shadowName}`;
}

const encoder = new TextEncoder();

/** The text is made when somebody wants the message: most answers of the service have nobody who subscribes to them. */
export function publishJson(topic: string, compose: () => object): Effect {
  return { type: "publish", topic, payload: () => encoder.encode(JSON.stringify(compose())), qos: 1 };
}
