// What the tests of streams share: the service over objects in memory, asked as MQTT asks it.
import {
  decodeStreamBlock,
  decodeStreamDescription,
  decodeStreamRejection,
  encodeDescribeStreamRequest,
  encodeGetStreamRequest,
  parseStreamTopic,
  streamTopic,
  type DescribeStreamRequest,
  type GetStreamRequest,
  type StreamBlock,
  type StreamDescription,
  type StreamFormat,
  type StreamRejection,
} from "@thingline/protocol/streams";
import { createObjects, type Objects } from "../objects/service.js";
import { answered, type ServiceTopics } from "../operation.js";
import { openServiceWorld, scope, type ServiceWorld } from "../world.test.support.js";
import { createStreamsService, type StreamsService } from "./index.js";

export const roleArn = "arn:aws:iam::123456789012:role/streams";
export const requester = "pump-7";

export interface StreamAnswers {
  descriptions: StreamDescription[];
  blocks: StreamBlock[];
  rejections: StreamRejection[];
}

export interface StreamsWorld extends ServiceWorld {
  objects: Objects;
  streams: StreamsService;
  put: (key: string, content: Uint8Array, bucket?: string) => Promise<string>;
  /** A stream with one file, 1, of this content. */
  createStream: (streamId: string, content: Uint8Array) => Promise<void>;
  publish: (topic: string, payload: Uint8Array) => Promise<StreamAnswers>;
  describe: (streamId: string, request?: DescribeStreamRequest, format?: StreamFormat) => Promise<StreamAnswers>;
  get: (streamId: string, request: GetStreamRequest, format?: StreamFormat) => Promise<StreamAnswers>;
}

export async function openStreamsWorld(): Promise<StreamsWorld> {
  const world = await openServiceWorld();
  const objects = createObjects();
  const streams = createStreamsService({ log: world.log, objects }, { isLimited: true });
  const { createStream } = streams.operations;
  for (const bucket of ["firmware", "other"]) await world.run(objects.createBucket, { bucket });
  const put = async (key: string, content: Uint8Array, bucket = "firmware") =>
    (await world.run(objects.putObject, { bucket, key, chunks: [content] })).versionId;
  const publish = async (topic: string, payload: Uint8Array): Promise<StreamAnswers> => {
    await world.takeEffects();
    const message = { scope, topic, payload, clientId: requester, certificateId: undefined, source: "client" } as const;
    await answered(streams.topics as ServiceTopics, message, world.runner);
    return answersOf(await world.takeEffects());
  };
  return Object.assign(world, {
    ...{ objects, streams, put, publish },
    async createStream(streamId: string, content: Uint8Array) {
      await put(streamId, content);
      const files = [{ fileId: 1, s3Location: { bucket: "firmware", key: streamId } }];
      await world.run(createStream, { streamId, files, roleArn });
    },
    describe: (streamId: string, request: DescribeStreamRequest = {}, format: StreamFormat = "json") =>
      publish(
        streamTopic({ thingName: requester, streamId, type: "describe", format }),
        encodeDescribeStreamRequest(request, format),
      ),
    get: (streamId: string, request: GetStreamRequest, format: StreamFormat = "cbor") =>
      publish(
        streamTopic({ thingName: requester, streamId, type: "get", format }),
        encodeGetStreamRequest(request, format),
      ),
  });
}

function answersOf(effects: Awaited<ReturnType<ServiceWorld["takeEffects"]>>): StreamAnswers {
  const answers: StreamAnswers = { descriptions: [], blocks: [], rejections: [] };
  for (const effect of effects) {
    if (effect.type !== "publish") throw new Error(`an effect of streams is ${effect.type}`);
    if (effect.onlyToClientId !== requester) throw new Error("an answer goes to somebody else");
    const { type, format } = parseStreamTopic(effect.topic) ?? { type: undefined, format: "json" as const };
    if (type === "description") answers.descriptions.push(decodeStreamDescription(effect.payload, format));
    else if (type === "data") answers.blocks.push(decodeStreamBlock(effect.payload, format));
    else if (type === "rejected") answers.rejections.push(decodeStreamRejection(effect.payload, format));
    else throw new Error(`an answer comes on ${effect.topic}`);
  }
  return answers;
}
