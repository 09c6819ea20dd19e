import { ThinglineError } from "@thingline/protocol";
import { streamAnswerBytesMax, streamFileBytesMax, streamFilesMax } from "@thingline/protocol/streams";
import type { StoreEntry, StoreKey } from "../../store/store.js";
import type { OperationContext, Scope } from "../operation.js";

/** Of its sagas. */
export const streamsServiceName = "streams";

/** In an account and region. @see AWS General Reference, "AWS IoT Device Management endpoints and quotas" */
export const streamsMax = 10_000;

export type StreamFileRecord = {
  fileId: number;
  bucket: string;
  key: string;
  /** What was asked for. Absent: the newest, as long as it is this one. */
  version?: string;
  /** Of the object when the stream was made. */
  etag: string;
  bytes: number;
};

export type StreamRecord = {
  streamVersion: number;
  description?: string;
  roleArn: string;
  files: StreamFileRecord[];
  createdAtMs: number;
  modifiedAtMs: number;
  /** The OTA update that it was made for: nobody else deletes it meanwhile. */
  otaUpdateId?: string;
};

const key = ({ account, region }: Scope, ...rest: string[]): StoreKey => [account, region, ...rest];

export const streamKeys = {
  streams: (scope: Scope) => key(scope, "stream"),
  stream: (scope: Scope, streamId: string) => key(scope, "stream", streamId),
  /** How many there are: a list of them would be long. */
  count: (scope: Scope) => key(scope, "streamCount"),
};

export const streamArn = ({ account, region }: Scope, streamId: string) =>
  `arn:aws:iot:${region}:${account}:stream/${streamId}`;

/** @throws {ThinglineError} RESOURCE_NOT_FOUND */
export async function requireStream(
  { store, scope }: Pick<OperationContext, "store" | "scope">,
  streamId: string,
): Promise<StoreEntry<StreamRecord>> {
  const entry = await store.get<StreamRecord>(streamKeys.stream(scope, streamId));
  if (entry !== undefined) return entry;
  throw new ThinglineError("RESOURCE_NOT_FOUND", `Stream ${streamId} not found.`, { details: { streamId } });
}

/** @throws {ThinglineError} REQUEST_INVALID */
export function requireFileBytes({ bytes, fileId }: Pick<StreamFileRecord, "bytes" | "fileId">): void {
  if (bytes <= streamFileBytesMax) return;
  const message = `File ${fileId} of the stream has ${bytes} bytes; at most ${streamFileBytesMax} are allowed`;
  throw new ThinglineError("REQUEST_INVALID", message, { details: { streamFileBytesMax } });
}

/** @throws {ThinglineError} REQUEST_INVALID */
export function requireFewFiles(count: number): void {
  if (count <= streamFilesMax) return;
  const message = `A stream has at most ${streamFilesMax} files, got ${count}`;
  throw new ThinglineError("REQUEST_INVALID", message, { details: { streamFilesMax } });
}

/** Which blocks are sent for one request: as many as one answer may have. */
export const blocksPerAnswer = (blockBytes: number) => Math.floor(streamAnswerBytesMax / blockBytes);
