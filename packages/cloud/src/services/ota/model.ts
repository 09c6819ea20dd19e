import { ThinglineError } from "@thingline/protocol";
import type { CreateOTAUpdateRequest, OTAUpdateFile } from "../../model/types/iot.js";
import type { StoreEntry, StoreKey } from "../../store/store.js";
import type { OperationContext, Scope } from "../operation.js";
import type { Stored } from "../stored.js";

/** Of its sagas. */
export const otaServiceName = "ota";

/** What stands before the names of the job and the stream that an update makes. */
const madePrefix = "AFR_OTA-";
export const jobIdOf = (otaUpdateId: string) => madePrefix + otaUpdateId;
/** Names of streams are not used twice: a device may still ask for one of an update before. */
export const streamIdOf = (uuid: string) => madePrefix + uuid;

type Kept = Pick<
  CreateOTAUpdateRequest,
  | "description"
  | "targetSelection"
  | "awsJobExecutionsRolloutConfig"
  | "awsJobPresignedUrlConfig"
  | "awsJobAbortConfig"
  | "awsJobTimeoutConfig"
  | "additionalParameters"
>;

export type OtaUpdateRecord = Stored<Kept> & {
  targets: readonly string[];
  protocols: readonly ("MQTT" | "HTTP")[];
  files: readonly Stored<OTAUpdateFile>[];
  roleArn: string;
  jobId: string;
  jobArn: string;
  /** The stream that was made for it; absent when the files were in one already, or go over HTTP alone. */
  madeStreamId?: string;
  createdAtMs: number;
};

const key = ({ account, region }: Scope, ...rest: string[]): StoreKey => [account, region, ...rest];

export const otaKeys = {
  updates: (scope: Scope) => key(scope, "otaUpdate"),
  update: (scope: Scope, otaUpdateId: string) => key(scope, "otaUpdate", otaUpdateId),
};

export const otaUpdateArn = ({ account, region }: Scope, otaUpdateId: string) =>
  `arn:aws:iot:${region}:${account}:otaupdate/${otaUpdateId}`;

/** @throws {ThinglineError} RESOURCE_NOT_FOUND */
export async function requireUpdate(
  { store, scope }: Pick<OperationContext, "store" | "scope">,
  otaUpdateId: string,
): Promise<StoreEntry<OtaUpdateRecord>> {
  const entry = await store.get<OtaUpdateRecord>(otaKeys.update(scope, otaUpdateId));
  if (entry !== undefined) return entry;
  throw new ThinglineError("RESOURCE_NOT_FOUND", `OTA update ${otaUpdateId} not found.`, { details: { otaUpdateId } });
}
