// Written by `npm run model` from the table of iot-data: what the operations that are built take and give. Times are Unix seconds.

export interface DeleteConnectionRequest {
  clientId: string;
  cleanSession?: boolean | undefined;
  preventWillMessage?: boolean | undefined;
}

export interface DeleteThingShadowRequest {
  thingName: string;
  shadowName?: string | undefined;
}

export interface DeleteThingShadowResponse {
  payload: Uint8Array;
}

export interface GetConnectionRequest {
  clientId: string;
  includeSocketInformation?: boolean | undefined;
}

export interface GetConnectionResponse {
  connected?: boolean | undefined;
  thingName?: string | undefined;
  cleanSession?: boolean | undefined;
  sourceIp?: string | undefined;
  sourcePort?: number | undefined;
  targetIp?: string | undefined;
  targetPort?: number | undefined;
  keepAliveDuration?: number | undefined;
  connectedSince?: number | undefined;
  disconnectedSince?: number | undefined;
  disconnectReason?: string | undefined;
  sessionExpiry?: number | undefined;
  clientId?: string | undefined;
  vpcEndpointId?: string | undefined;
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

export interface ListSubscriptionsRequest {
  clientId: string;
  nextToken?: string | undefined;
  maxResults?: number | undefined;
}

export interface ListSubscriptionsResponse {
  subscriptions?: readonly SubscriptionSummary[] | undefined;
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

export interface SendDirectMessageRequest {
  clientId: string;
  topic: string;
  contentType?: string | undefined;
  responseTopic?: string | undefined;
  confirmation?: boolean | undefined;
  timeout?: number | undefined;
  payload?: Uint8Array | undefined;
  userProperties?: string | undefined;
  payloadFormatIndicator?: "UNSPECIFIED_BYTES" | "UTF8_DATA" | undefined;
  correlationData?: string | undefined;
}

export interface SendDirectMessageResponse {
  message?: string | undefined;
  traceId?: string | undefined;
}

export interface SubscriptionSummary {
  topicFilter: string;
  qos: number;
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
  DeleteConnection: { input: DeleteConnectionRequest; output: Readonly<Record<never, never>> };
  DeleteThingShadow: { input: DeleteThingShadowRequest; output: DeleteThingShadowResponse };
  GetConnection: { input: GetConnectionRequest; output: GetConnectionResponse };
  GetRetainedMessage: { input: GetRetainedMessageRequest; output: GetRetainedMessageResponse };
  GetThingShadow: { input: GetThingShadowRequest; output: GetThingShadowResponse };
  ListNamedShadowsForThing: { input: ListNamedShadowsForThingRequest; output: ListNamedShadowsForThingResponse };
  ListRetainedMessages: { input: ListRetainedMessagesRequest; output: ListRetainedMessagesResponse };
  ListSubscriptions: { input: ListSubscriptionsRequest; output: ListSubscriptionsResponse };
  Publish: { input: PublishRequest; output: Readonly<Record<never, never>> };
  SendDirectMessage: { input: SendDirectMessageRequest; output: SendDirectMessageResponse };
  UpdateThingShadow: { input: UpdateThingShadowRequest; output: UpdateThingShadowResponse };
}
