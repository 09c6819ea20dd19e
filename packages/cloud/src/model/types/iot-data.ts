// Written by `npm run model` from the table of iot-data: what the operations that are built take and give. Times are Unix seconds.

export interface DeleteThingShadowRequest {
  thingName: string;
  shadowName?: string | undefined;
}

export interface DeleteThingShadowResponse {
  payload: Uint8Array;
}

export interface GetRetainedMessageRequest {
  topic: string;
}

export interface GetRetainedMessageResponse {
  topic?: string | undefined;
  payload?: Uint8Array | undefined;
  qos?: number | undefined;
  lastModifiedTime?: number | undefined;
  userProperties?: Uint8Array | undefined;
}

export interface GetThingShadowRequest {
  thingName: string;
  shadowName?: string | undefined;
}

export interface GetThingShadowResponse {
  payload?: Uint8Array | undefined;
}

export interface ListNamedShadowsForThingRequest {
  thingName: string;
  nextToken?: string | undefined;
  pageSize?: number | undefined;
}

export interface ListNamedShadowsForThingResponse {
  results?: readonly string[] | undefined;
  nextToken?: string | undefined;
  timestamp?: number | undefined;
}

export interface ListRetainedMessagesRequest {
  nextToken?: string | undefined;
  maxResults?: number | undefined;
}

export interface ListRetainedMessagesResponse {
  retainedTopics?: readonly RetainedMessageSummary[] | undefined;
  nextToken?: string | undefined;
}

export interface PublishRequest {
  topic: string;
  qos?: number | undefined;
  retain?: boolean | undefined;
  payload?: Uint8Array | undefined;
  userProperties?: string | undefined;
  payloadFormatIndicator?: "UNSPECIFIED_BYTES" | "UTF8_DATA" | undefined;
  contentType?: string | undefined;
  responseTopic?: string | undefined;
  correlationData?: string | undefined;
  messageExpiry?: number | undefined;
}

export interface RetainedMessageSummary {
  topic?: string | undefined;
  payloadSize?: number | undefined;
  qos?: number | undefined;
  lastModifiedTime?: number | undefined;
}

export interface UpdateThingShadowRequest {
  thingName: string;
  shadowName?: string | undefined;
  payload: Uint8Array;
}

export interface UpdateThingShadowResponse {
  payload?: Uint8Array | undefined;
}

/** Input and output by operation. */
export interface IotDataOperations {
  DeleteThingShadow: { input: DeleteThingShadowRequest; output: DeleteThingShadowResponse };
  GetRetainedMessage: { input: GetRetainedMessageRequest; output: GetRetainedMessageResponse };
  GetThingShadow: { input: GetThingShadowRequest; output: GetThingShadowResponse };
  ListNamedShadowsForThing: { input: ListNamedShadowsForThingRequest; output: ListNamedShadowsForThingResponse };
  ListRetainedMessages: { input: ListRetainedMessagesRequest; output: ListRetainedMessagesResponse };
  Publish: { input: PublishRequest; output: Readonly<Record<never, never>> };
  UpdateThingShadow: { input: UpdateThingShadowRequest; output: UpdateThingShadowResponse };
}
