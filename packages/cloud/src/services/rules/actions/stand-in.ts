import { ThinglineError } from "@thingline/protocol";
import { encodeBase64 } from "@thingline/protocol/x509";
import { isBytes } from "../../../rules-sql/index.js";
import { jsonOf } from "./lambda.js";
import { textOf, type ActionPerformer } from "./perform.js";
import type { ActionKind, FilledFields } from "../prepared.js";

/** What a function that stands for a service may take. */
export const standInTimeoutMs = 60_000;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Text, or base64 of what is none. */
export function decodeText(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    return encodeBase64(bytes);
  }
}

/** Which member names what the action goes to, as the error action tells it and as a function may be called that stands for it. */
const resources: Readonly<Partial<Record<ActionKind, (fields: FilledFields) => string>>> = {
  dynamoDB: (fields) => textOf(fields, "tableName"),
  dynamoDBv2: (fields) => textOf((fields["putItem"] ?? {}) as FilledFields, "tableName"),
  elasticsearch: (fields) => textOf(fields, "endpoint"),
  firehose: (fields) => textOf(fields, "deliveryStreamName"),
  iotAnalytics: (fields) => textOf(fields, "channelName") || textOf(fields, "channelArn"),
  iotEvents: (fields) => textOf(fields, "inputName"),
  iotSiteWise: () => "",
  kafka: (fields) => textOf(fields, "destinationArn"),
  kinesis: (fields) => textOf(fields, "streamName"),
  location: (fields) => textOf(fields, "trackerName"),
  openSearch: (fields) => textOf(fields, "endpoint"),
  salesforce: (fields) => textOf(fields, "url"),
  sns: (fields) => textOf(fields, "targetArn"),
  sqs: (fields) => textOf(fields, "queueUrl"),
  stepFunctions: (fields) => textOf(fields, "stateMachineName"),
  timestream: (fields) => textOf(fields, "tableName"),
};

/**
 * A service of AWS that is not here is a function that the cloud was given, by the name `rules:sqs`. It gets the action with its templates filled and
 * the payload: as JSON, or as base64 under `payloadBase64`.
 */
export function standIn(kind: ActionKind): ActionPerformer {
  const resourceOf = resources[kind] ?? (() => "");
  const name = `rules:${kind}`;
  return {
    resourceOf,

    async perform({ fields, selected, ruleName, message, signal }, { functions }) {
      if (!functions.has(name)) {
        const why = `the local cloud has no service for ${kind}; cloud start --function ${name}=URL gives it one`;
        throw new ThinglineError("FUNCTION_UNKNOWN", why, { details: { name } });
      }
      const payload = isBytes(selected.value)
        ? { payloadBase64: encodeBase64(selected.payload) }
        : { payload: jsonOf(selected) };
      const event = { ruleName, action: kind, parameters: fields, topic: message.topic, ...payload };
      await functions.invoke(name, event as never, { timeoutMs: standInTimeoutMs, signal });
    },
  };
}
