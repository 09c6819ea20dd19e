import type { ShadowDocument, ShadowId } from "@thingline/protocol/shadow";
import type { StoreReader } from "../../store/store.js";
import type { Scope } from "../operation.js";
import { shadowKey, type ShadowRecord } from "./model.js";

/** The shadow, where there is one. */
export async function findShadowDocument(
  store: StoreReader,
  scope: Scope,
  id: ShadowId,
): Promise<ShadowDocument | undefined> {
  const record = (await store.get<ShadowRecord>(shadowKey(scope, id)))?.value;
  return record !== undefined && "document" in record ? record.document : undefined;
}

/** The thing whose shadow a record with this key is; undefined for other records. */
export function shadowedIn(key: readonly (string | number)[]): string | undefined {
  return key[2] === "shadow" || key[2] === "namedShadow" ? String(key[3]) : undefined;
}
