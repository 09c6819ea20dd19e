import type { RestOperation } from "../rest-operation.js";
import type { Messages } from "./service.js";

/** Publish and retained messages over HTTP: part of the data plane. */
export function messageRestOperations(messages: Messages): readonly RestOperation[] {
  const api = "iot-data";
  // SDKs escape the slashes of a topic, people with curl do not.
  const topic = "{topic+}";
  return [
    {
      name: "Publish",
      api,
      method: "POST",
      path: `/topics/${topic}`,
      query: {
        qos: { name: "qos", type: "integer" },
        retain: { name: "retain", type: "boolean" },
        contentType: { name: "contentType" },
        responseTopic: { name: "responseTopic" },
        messageExpiry: { name: "messageExpiry", type: "integer" },
      },
      headers: {
        userProperties: { name: "x-amz-mqtt5-user-properties" },
        payloadFormatIndicator: { name: "x-amz-mqtt5-payload-format-indicator" },
        correlationData: { name: "x-amz-mqtt5-correlation-data" },
      },
      payload: "payload",
      isTraced: true,
      errors: ["REQUEST_FORBIDDEN", "REQUEST_TOO_LARGE"],
      run: messages.publish,
    },
    {
      name: "GetRetainedMessage",
      api,
      method: "GET",
      path: `/retainedMessage/${topic}`,
      errors: ["RESOURCE_NOT_FOUND"],
      run: messages.getRetainedMessage,
    },
    {
      name: "ListRetainedMessages",
      api,
      method: "GET",
      path: "/retainedMessage",
      query: { nextToken: { name: "nextToken" }, maxResults: { name: "maxResults", type: "integer" } },
      errors: [],
      run: messages.listRetainedMessages,
    },
  ];
}
