import { checkOptionNames, checkOptionTypes, kindOf, optionInvalid, type OptionTypes } from "@thingline/protocol";
import type { PublishProperties } from "@thingline/protocol/mqtt";
import type { PublishOptions } from "../device.js";
import { checkUserProperties } from "./user-properties.js";

const publishOptionTypes = {
  qos: "number",
  isRetained: "boolean",
  properties: "object",
  until: "string",
  expiresAfterMs: "number",
  signal: "signal",
} as const satisfies OptionTypes<PublishOptions>;

const publishPropertyTypes = {
  payloadFormatIndicator: "number",
  messageExpirySeconds: "number",
  topicAlias: "number",
  responseTopic: "string",
  correlationData: "bytes",
  userProperties: "array",
  subscriptionIdentifiers: "array",
  contentType: "string",
} as const satisfies OptionTypes<PublishProperties>;

const publishOptionNames: ReadonlySet<string> = new Set(Object.keys(publishOptionTypes));

/**
 * For each message that is sent: names by a set, and types only of what a wrong one would not make an error of by itself.
 *
 * @throws {ThinglineError} OPTION_INVALID
 */
export function checkPublishOptions(options: PublishOptions): void {
  if (typeof options !== "object" || options === null) checkOptionNames(options, publishOptionTypes, publishCall);
  let isEmpty = true;
  for (const name in options) {
    isEmpty = false;
    if (!publishOptionNames.has(name)) checkOptionNames(options, publishOptionTypes, publishCall);
  }
  // A Map or a promise has no names.
  if (isEmpty) checkOptionNames(options, publishOptionTypes, publishCall);
  const { isRetained, properties, signal } = options;
  if (isRetained !== undefined && typeof isRetained !== "boolean") {
    throw optionInvalid("isRetained", "true or false", kindOf(isRetained));
  }
  if (signal !== undefined || properties !== undefined) checkOptionTypes(options, publishOptionTypes, publishCall);
  if (properties !== undefined) {
    checkOptionTypes(properties, publishPropertyTypes, { of: publishCall.of, prefix: "properties." });
    if (properties.userProperties !== undefined) {
      checkUserProperties("properties.userProperties", properties.userProperties);
    }
    // A message that was received and is published again has them.
    if (properties.subscriptionIdentifiers !== undefined) {
      throw optionInvalid("properties.subscriptionIdentifiers", "none: they are the server's to add", "an array");
    }
  }
}

const publishCall = { of: "publish()" };
