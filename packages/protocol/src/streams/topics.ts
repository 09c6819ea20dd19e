import type { MessageFormat } from "../cbor/members.js";

/** How the members of a message are written. */
export type StreamFormat = MessageFormat;

/** `describe` and `get` are requests; `description` and `data` answer them, `rejected` refuses either. */
export type StreamTopicType = "describe" | "description" | "get" | "data" | "rejected";
export type StreamRequestType = "describe" | "get";

export interface StreamTopic {
  readonly thingName: string;
  readonly streamId: string;
  readonly type: StreamTopicType;
  readonly format: StreamFormat;
}

/** `$aws/things/<thingName>/streams/<streamId>/<type>/<format>`. The names in it are not checked. */
export function streamTopic({ thingName, streamId, type, format }: StreamTopic): string {
  return `$aws/things/${thingName}/streams/${streamId}/${type}/${format}`;
}

/** All requests of all things. */
export const streamRequestFilters: readonly string[] = (["describe", "get"] as const).flatMap((type) =>
  (["json", "cbor"] as const).map((format) => streamTopic({ thingName: "+", streamId: "+", type, format })),
);

const pattern = /^\$aws\/things\/([^/]+)\/streams\/([^/]+)\/(describe|description|get|data|rejected)\/(json|cbor)$/u;

/** @returns undefined for what is no topic of file delivery. */
export function parseStreamTopic(topic: string): StreamTopic | undefined {
  const [, thingName, streamId, type, format] = pattern.exec(topic) ?? [];
  if (thingName === undefined || streamId === undefined) return undefined;
  return { thingName, streamId, type: type as StreamTopicType, format: format as StreamFormat };
}
