import { isThinglineError } from "@thingline/protocol";
import {
  encodeStreamBlock,
  encodeStreamDescription,
  encodeStreamRejection,
  streamTopic,
  type DescribeStreamRequest,
  type GetStreamRequest,
  type StreamFormat,
  type StreamRejection,
} from "@thingline/protocol/streams";
import { objectPartBytesMax, type Objects } from "../objects/index.js";
import { answer, type Effect, type Operation, type SagaContext } from "../operation.js";
import { saga } from "../saga.js";
import { blocksOf, runsOf, StreamRefusal } from "./blocks.js";
import { requireStream, streamsServiceName, type StreamFileRecord, type StreamRecord } from "./model.js";

/** Whom an answer goes to, and where. */
export interface StreamAddress {
  thingName: string;
  streamId: string;
  format: StreamFormat;
  clientId: string;
}

/** Blocks that are handed to the broker in one go; the next follow when these were taken. */
const blocksAtOnce = 32;

const findStream: Operation<{ streamId: string }, StreamRecord> = async (context, { streamId }) =>
  answer((await requireStream(context, streamId)).value);

/** Changes no state, so it is done when the messages are handed over. QoS 1 is the most: a subscription may say less. */
const send: Operation<
  { address: StreamAddress; type: "description" | "data" | "rejected"; payloads: Uint8Array[] },
  void
> = (_context, { address, type, payloads }) => {
  const topic = streamTopic({ ...address, type });
  const effects = payloads.map((payload): Effect => ({
    ...{ type: "publish", topic, payload, qos: 1, onlyToClientId: address.clientId },
  }));
  return { result: undefined, operations: [], effects };
};

export type StreamDelivery = ReturnType<typeof createStreamDelivery>;

/** What devices ask for over MQTT. Each is answered with messages to the client that asked, also when it is refused. */
export function createStreamDelivery({ readObjectPart }: Pick<Objects, "readObjectPart">) {
  const describe = async (
    { run }: SagaContext,
    address: StreamAddress,
    { clientToken }: DescribeStreamRequest,
  ): Promise<void> => {
    const { streamVersion, description, files } = await run(findStream, { streamId: address.streamId });
    const message = {
      ...(clientToken !== undefined && { clientToken }),
      streamVersion,
      ...(description !== undefined && { description }),
      files: files.map(({ fileId, bytes }) => ({ fileId, bytes })),
    };
    const payloads = [encodeStreamDescription(message, address.format)];
    await run(send, { address, type: "description", payloads });
  };

  const get = async ({ run }: SagaContext, address: StreamAddress, request: GetStreamRequest): Promise<void> => {
    const stream = await run(findStream, { streamId: address.streamId });
    const file = fileOf(stream, request);
    const { blockBytes, clientToken, fileId } = request;
    const blocks = blocksOf(request, file.bytes);
    for (const part of runsOf(blocks, { blockBytes, fileBytes: file.bytes, runBytesMax: objectPartBytesMax })) {
      const content = await readPart(run, file, part);
      for (let at = 0; at < part.blocks.length; at += blocksAtOnce) {
        const payloads = part.blocks.slice(at, at + blocksAtOnce).map((block) => {
          const start = block * blockBytes - part.start;
          const payload = content.subarray(start, start + blockBytes);
          return encodeStreamBlock(
            { ...(clientToken !== undefined && { clientToken }), fileId, block, payload },
            address.format,
          );
        });
        await run(send, { address, type: "data", payloads });
      }
    }
  };

  /** @throws {StreamRefusal} ETagMismatch when the object is not what it was */
  const readPart = async (
    run: SagaContext["run"],
    { bucket, key, version, etag }: StreamFileRecord,
    range: { start: number; end: number },
  ): Promise<Uint8Array> => {
    const { start, end } = range;
    const address = { bucket, key, ...(version !== undefined && { versionId: version }) };
    const part = await run(readObjectPart, { ...address, range: { start, end } });
    if (part.etag === etag) return part.content;
    throw new StreamRefusal("ETagMismatch", "The file has changed since the stream was made");
  };

  type Asked =
    | { type: "describe"; request: DescribeStreamRequest }
    | { type: "get"; request: GetStreamRequest }
    | { type: "rejected"; rejection: StreamRejection };

  /**
   * Answers a request. Never fails for what is the device's fault.
   *
   * @returns how it was refused, for the log
   * @throws what is a fault of the cloud, when the device has been told
   */
  const answerRequest = saga(
    streamsServiceName,
    async (
      context,
      { address, asked }: { address: StreamAddress; asked: Asked },
    ): Promise<StreamRejection | undefined> => {
      let rejection: StreamRejection;
      let fault: Error | undefined;
      try {
        if (asked.type === "describe") return void (await describe(context, address, asked.request));
        if (asked.type === "get") return void (await get(context, address, asked.request));
        rejection = asked.rejection;
      } catch (error) {
        const told = rejectionOf(error);
        if (told === undefined) fault = error instanceof Error ? error : new Error("a stream failed", { cause: error });
        const { clientToken } = "request" in asked ? asked.request : {};
        rejection = { ...(told ?? internalError), ...(clientToken !== undefined && { clientToken }) };
      }
      const payloads = [encodeStreamRejection(rejection, address.format)];
      await context.run(send, { address, type: "rejected", payloads });
      if (fault !== undefined) throw fault;
      return rejection;
    },
  );

  return { answerRequest };
}

/** @throws {StreamRefusal} VersionMismatch, ResourceNotFound */
function fileOf({ streamVersion, files }: StreamRecord, request: GetStreamRequest): StreamFileRecord {
  if (request.streamVersion !== undefined && request.streamVersion !== streamVersion) {
    throw new StreamRefusal("VersionMismatch", `The version of the stream is ${streamVersion}`);
  }
  const file = files.find(({ fileId }) => fileId === request.fileId);
  if (file === undefined) throw new StreamRefusal("ResourceNotFound", `The stream has no file ${request.fileId}`);
  return file;
}

const internalError = { code: "InternalError", message: "Internal error" } as const;

/** @returns undefined for what should not happen */
function rejectionOf(error: unknown): StreamRejection | undefined {
  if (error instanceof StreamRefusal) return { code: error.code, message: error.message };
  if (isThinglineError(error, "RESOURCE_NOT_FOUND")) return { code: "ResourceNotFound", message: error.message };
  return undefined;
}
