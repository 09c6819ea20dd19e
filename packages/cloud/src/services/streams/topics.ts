import { decodeDescribeStreamRequest, decodeGetStreamRequest, parseStreamTopic } from "@thingline/protocol/streams";
import type { Log } from "../../log.js";
import type { OperationRunner, ServiceMessage, ServiceTopics } from "../operation.js";
import type { StreamAddress, StreamDelivery } from "./delivery.js";
import { streamTurns } from "./turns.js";

type Asked = Parameters<StreamDelivery["answerRequest"]>[1]["asked"];

export interface StreamTopicsDependencies {
  delivery: StreamDelivery;
  log: Log;
}

/** The MQTT face of the service. What is published below `streams/` and is no request is answered as well: InvalidTopic. */
export function createStreamTopics({ delivery, log }: StreamTopicsDependencies): ServiceTopics {
  const turns = streamTurns();

  const answer = (
    { scope, topic, clientId }: ServiceMessage,
    { address, asked }: { address: StreamAddress; asked: Asked },
    runner: OperationRunner,
    settled: (error: Error | undefined) => void,
  ): void => {
    runner.submit(scope, delivery.answerRequest, { address, asked }, (error, rejection) => {
      if (rejection !== undefined) log.warn("streamRequestRejected", { clientId, topic, ...rejection });
      settled(error);
    });
  };

  return {
    filters: ["$aws/things/+/streams/#"],

    handle(message, runner, done) {
      const { clientId, topic, payload } = message;
      const read = readTopic(topic, payload, clientId);
      // Nobody can be answered below a topic that has no thing or stream.
      if (read === undefined) return void Promise.resolve().then(() => done());
      const isTaken = turns.begin(clientId, () => {
        answer(message, read, runner, (error) => {
          turns.end(clientId);
          done(error);
        });
      });
      if (isTaken) return;
      const rejection = { code: "InternalError", message: "Too many requests of this client are waiting" };
      answer(message, { address: read.address, asked: { type: "rejected", rejection } }, runner, done);
    },
  };
}

function readTopic(
  topic: string,
  payload: Uint8Array,
  clientId: string,
): { address: StreamAddress; asked: Asked } | undefined {
  const parsed = parseStreamTopic(topic);
  if (parsed === undefined || (parsed.type !== "get" && parsed.type !== "describe")) {
    const [, , thingName, , streamId, , format] = topic.split("/");
    // Answers that a client publishes itself are nobody's requests.
    if (parsed !== undefined || !thingName || !streamId) return undefined;
    const address: StreamAddress = { thingName, streamId, clientId, format: format === "cbor" ? format : "json" };
    const message = "The topic is in the namespace of streams and maps to no operation";
    return { address, asked: { type: "rejected", rejection: { code: "InvalidTopic", message } } };
  }
  const { thingName, streamId, format, type } = parsed;
  const address = { thingName, streamId, format, clientId };
  const read = type === "get" ? decodeGetStreamRequest(payload, format) : decodeDescribeStreamRequest(payload, format);
  if ("rejection" in read) return { address, asked: { type: "rejected", rejection: read.rejection } };
  return { address, asked: { type, request: read.request } as Asked };
}
