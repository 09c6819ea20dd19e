import { ThinglineError } from "@thingline/protocol";
import { streamVersionMax } from "@thingline/protocol/streams";
import type { StoreOperation } from "../../store/store.js";
import type { StreamFile } from "../../model/types/iot.js";
import { awsOperation } from "../aws-operation.js";
import type { Objects } from "../objects/index.js";
import { answer, type Operation, type OperationContext, type Scope } from "../operation.js";
import { lastName, readPage } from "../page.js";
import { tagsGone, tagsOfNew, type GivenTags } from "../tags/index.js";
import {
  requireFewFiles,
  requireFileBytes,
  requireStream,
  streamArn,
  streamKeys,
  streamsMax,
  type StreamFileRecord,
  type StreamRecord,
} from "./model.js";

export type StreamsControl = ReturnType<typeof createStreamsControl>;

export interface NewStream {
  streamId: string;
  description?: string | undefined;
  files: readonly StreamFile[];
  roleArn: string;
  tags?: GivenTags | undefined;
  /** Whose it is; nobody else may delete it. */
  otaUpdateId?: string;
}

/** The control plane of streams. @param isLimited AWS's quota of streams is kept */
export function createStreamsControl({ headObject }: Pick<Objects, "headObject">, isLimited: boolean) {
  /** What the objects are at this moment. @throws {ThinglineError} REQUEST_INVALID, RESOURCE_NOT_FOUND */
  const readFiles = async (context: OperationContext, files: readonly StreamFile[]): Promise<StreamFileRecord[]> => {
    requireFewFiles(files.length);
    const records: StreamFileRecord[] = [];
    for (const { fileId, s3Location: { bucket, key, version } = {} } of files) {
      if (fileId === undefined || bucket === undefined || key === undefined) {
        throw new ThinglineError("REQUEST_INVALID", "Each file of a stream needs a fileId, a bucket and a key");
      }
      if (records.some((record) => record.fileId === fileId)) {
        throw new ThinglineError("REQUEST_INVALID", `The file ID ${fileId} is given twice`);
      }
      const address = { bucket, key, ...(version !== undefined && { versionId: version }) };
      const { etag, bytes } = await context.call(headObject, address);
      const record = { fileId, bucket, key, ...(version !== undefined && { version }), etag, bytes };
      requireFileBytes(record);
      records.push(record);
    }
    return records;
  };

  const countOf = async ({ store, scope }: OperationContext) => {
    const entry = await store.get<number>(streamKeys.count(scope));
    return { count: entry?.value ?? 0, expectedRevision: entry?.revision ?? 0, key: streamKeys.count(scope) };
  };

  const decideCreate = async (context: OperationContext, input: NewStream) => {
    const { scope, store, nowMs } = context;
    const { streamId, description, files, roleArn, otaUpdateId } = input;
    const key = streamKeys.stream(scope, streamId);
    if ((await store.get(key)) !== undefined) throw streamExists(scope, streamId);
    const { count, ...counter } = await countOf(context);
    if (isLimited && count >= streamsMax) {
      throw new ThinglineError("QUOTA_EXCEEDED", `There are ${streamsMax} streams already`, {
        details: { streamsMax },
      });
    }
    const value: StreamRecord = {
      ...{ streamVersion: 1, roleArn, files: await readFiles(context, files) },
      ...{ createdAtMs: nowMs, modifiedAtMs: nowMs },
      ...(description !== undefined && { description }),
      ...(otaUpdateId !== undefined && { otaUpdateId }),
    };
    const operations: StoreOperation[] = [
      { key, expectedRevision: 0, value },
      ...tagsOfNew(key, input.tags),
      { ...counter, value: count + 1 },
    ];
    return { result: describeChanged(scope, streamId, value), operations, effects: [] };
  };
  /** For other services; its input comes from them. */
  const addStream: Operation<NewStream, ReturnType<typeof describeChanged>> = decideCreate;

  const createStream = inStreamsLane(
    awsOperation(
      "iot",
      "CreateStream",
      [
        ...(["streamId", "description", "roleArn", "files.fileId"] as const),
        ...(["files.s3Location.bucket", "files.s3Location.key", "files.s3Location.version"] as const),
        ...(["tags.Key", "tags.Value"] as const),
      ],
      decideCreate,
    ),
  );

  const describeStream = awsOperation("iot", "DescribeStream", ["streamId"], async (context, { streamId }) => {
    const { value } = await requireStream(context, streamId);
    const { streamVersion, description, files, roleArn, createdAtMs, modifiedAtMs } = value;
    return answer({
      streamInfo: {
        ...{ streamId, streamArn: streamArn(context.scope, streamId), streamVersion, roleArn },
        ...(description !== undefined && { description }),
        files: files.map(({ fileId, bucket, key, version }) => ({
          fileId,
          s3Location: { bucket, key, ...(version !== undefined && { version }) },
        })),
        ...{ createdAt: createdAtMs / 1_000, lastUpdatedAt: modifiedAtMs / 1_000 },
      },
    });
  });

  const updateStream = awsOperation(
    "iot",
    "UpdateStream",
    [
      ...(["streamId", "description", "roleArn", "files.fileId"] as const),
      ...(["files.s3Location.bucket", "files.s3Location.key", "files.s3Location.version"] as const),
    ],
    async (context, { streamId, description, roleArn, files }) => {
      const { key, revision, value: before } = await requireStream(context, streamId);
      if (before.streamVersion >= streamVersionMax) {
        const message = `Stream ${streamId} has had ${streamVersionMax} versions, there are no more`;
        throw new ThinglineError("QUOTA_EXCEEDED", message, { details: { streamVersionMax } });
      }
      const value: StreamRecord = {
        ...before,
        streamVersion: before.streamVersion + 1,
        modifiedAtMs: context.nowMs,
        ...(description !== undefined && { description }),
        ...(roleArn !== undefined && { roleArn }),
        ...(files !== undefined && { files: await readFiles(context, files) }),
      };
      const result = describeChanged(context.scope, streamId, value);
      return { result, operations: [{ key, expectedRevision: revision, value }], effects: [] };
    },
  );

  const decideDelete = async (context: OperationContext, streamId: string, otaUpdateId: string | undefined) => {
    const { key, revision, value } = await requireStream(context, streamId);
    if (value.otaUpdateId !== otaUpdateId && value.otaUpdateId !== undefined) {
      const message = `Stream ${streamId} is used by the OTA update ${value.otaUpdateId}`;
      throw new ThinglineError("DELETE_CONFLICT", message, { details: { streamId } });
    }
    const { count, ...counter } = await countOf(context);
    const operations: StoreOperation[] = [
      { key, expectedRevision: revision, delete: true },
      tagsGone(key),
      { ...counter, value: Math.max(0, count - 1) },
    ];
    return { result: {}, operations, effects: [] };
  };

  const deleteStream = inStreamsLane(
    awsOperation("iot", "DeleteStream", ["streamId"], (context, { streamId }) =>
      decideDelete(context, streamId, undefined),
    ),
  );
  /** Of an OTA update, by what ends it. @throws {ThinglineError} RESOURCE_NOT_FOUND */
  const deleteStreamOf: Operation<{ streamId: string; otaUpdateId: string }, object> = (context, input) =>
    decideDelete(context, input.streamId, input.otaUpdateId);

  /** Where the files of a stream are. @throws {ThinglineError} RESOURCE_NOT_FOUND */
  const findStreamFiles: Operation<{ streamId: string }, readonly StreamFileRecord[]> = async (context, input) =>
    answer((await requireStream(context, input.streamId)).value.files);

  /** The OTA update is gone and leaves its stream behind. */
  const leaveStream: Operation<{ streamId: string }, void> = async (context, { streamId }) => {
    const { key, revision, value } = await requireStream(context, streamId);
    const { otaUpdateId: _gone, ...left } = value;
    const operations = [{ key, expectedRevision: revision, value: left }];
    return { result: undefined, operations, effects: [] };
  };

  const listStreams = awsOperation(
    "iot",
    "ListStreams",
    ["maxResults", "nextToken", "ascendingOrder"],
    async ({ scope, store }, { maxResults, nextToken: token, ascendingOrder }) => {
      const { entries, nextToken } = await readPage<StreamRecord>(store, {
        ...{ prefix: streamKeys.streams(scope), token, size: maxResults },
        order: ascendingOrder === false ? "descending" : "ascending",
      });
      const streams = entries.map(({ key, value }) => describeChanged(scope, lastName(key), value));
      return answer({ streams, ...(nextToken !== undefined && { nextToken }) });
    },
  );

  return {
    served: { createStream, describeStream, updateStream, deleteStream, listStreams },
    ...{ addStream, deleteStreamOf, findStreamFiles, leaveStream },
  };
}

/** Those who change how many there are take turns. */
const inStreamsLane = <Face extends object>(operation: Face): Face & { lane: () => string } =>
  Object.assign(operation, { lane: () => "streams" });

function describeChanged(scope: Scope, streamId: string, { description, streamVersion }: StreamRecord) {
  return {
    ...{ streamId, streamArn: streamArn(scope, streamId) },
    ...(description !== undefined && { description }),
    streamVersion,
  };
}

function streamExists(scope: Scope, streamId: string): ThinglineError {
  const details = { resourceId: streamId, resourceArn: streamArn(scope, streamId) };
  return new ThinglineError("RESOURCE_EXISTS", `Stream ${streamId} already exists`, { details });
}
