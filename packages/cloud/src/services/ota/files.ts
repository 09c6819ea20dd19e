import { ThinglineError } from "@thingline/protocol";
import type { OTAUpdateFile } from "../../model/types/iot.js";
import type { Objects } from "../objects/index.js";
import type { OperationContext } from "../operation.js";
import type { StreamsService } from "../streams/index.js";
import type { DocumentFile } from "./document.js";

/** Where the files of an update are: in a stream that there is, or in objects of which one may be made. */
export interface UpdateFiles {
  files: DocumentFile[];
  /** The stream that all of them are in. */
  streamId: string | undefined;
}

export interface FileSources {
  objects: Pick<Objects, "headObject">;
  streams: StreamsService["ofUpdates"];
}

const invalid = (message: string) => new ThinglineError("REQUEST_INVALID", message);

/** @throws {ThinglineError} REQUEST_INVALID, RESOURCE_NOT_FOUND */
export async function resolveFiles(
  context: OperationContext,
  files: readonly OTAUpdateFile[],
  sources: FileSources,
): Promise<UpdateFiles> {
  const streamIds = new Set(files.map(({ fileLocation }) => fileLocation?.stream?.streamId));
  const [streamId] = streamIds;
  if (streamIds.size > 1) throw invalid("All files of an update are in one stream, or none of them is in any");
  const resolved: DocumentFile[] = [];
  for (const [index, file] of files.entries()) {
    if (file.fileName === undefined || file.fileName === "") throw invalid("Each file of an update needs a fileName");
    const found =
      streamId === undefined
        ? await resolveObject(context, file, index, sources)
        : await resolveInStream(context, file, streamId, sources);
    if (resolved.some(({ fileId }) => fileId === found.fileId))
      throw invalid(`The file ${found.fileId} is given twice`);
    resolved.push(found);
  }
  return { files: resolved, streamId };
}

async function resolveObject(
  context: OperationContext,
  file: OTAUpdateFile,
  fileId: number,
  { objects }: FileSources,
): Promise<DocumentFile> {
  const { bucket, key, version } = file.fileLocation?.s3Location ?? {};
  if (bucket === undefined || key === undefined) {
    throw invalid("Each file of an update needs a location: a stream with a file ID, or a bucket with a key");
  }
  if (file.fileLocation?.stream !== undefined) throw invalid("A file is either in a stream or in a bucket");
  const address = { bucket, key, ...(version !== undefined && { versionId: version }) };
  const { bytes } = await context.call(objects.headObject, address);
  return { ...file, fileId, bytes, address };
}

async function resolveInStream(
  context: OperationContext,
  file: OTAUpdateFile,
  streamId: string,
  { streams }: FileSources,
): Promise<DocumentFile> {
  if (file.fileLocation?.s3Location !== undefined) throw invalid("A file is either in a stream or in a bucket");
  const fileId = file.fileLocation?.stream?.fileId;
  const inStream = await context.call(streams.findStreamFiles, { streamId });
  const found = inStream.find((each) => each.fileId === fileId);
  if (found === undefined) {
    throw new ThinglineError("RESOURCE_NOT_FOUND", `Stream ${streamId} has no file ${fileId ?? "without an ID"}`);
  }
  const { bucket, key, version, bytes } = found;
  return {
    ...file,
    fileId: found.fileId,
    bytes,
    address: { bucket, key, ...(version !== undefined && { versionId: version }) },
  };
}
