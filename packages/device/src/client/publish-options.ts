import {
  checkOptionNames,
  checkOptionTypes,
  isBytes,
  kindOf,
  optionInvalid,
  type OptionTypes,
  readOptions,
  unreadableOption,
} from "@thingline/protocol";
import type { PublishProperties } from "@thingline/protocol/mqtt/client";
import type { PublishOptions } from "../device.js";
import { checkExpiry } from "../offline-queue/options.js";
import { checkUserProperties, copyBytes } from "./option-values.js";

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

/** Compared one by one: for each message that is sent that is much faster than any table. */
function isPublishOption(name: string): boolean {
  return (
    name === "qos" ||
    name === "isRetained" ||
    name === "until" ||
    name === "expiresAfterMs" ||
    name === "signal" ||
    name === "properties"
  );
}

/**
 * For each message that is sent: names, and types only of what a wrong one would not make an error of by itself.
 *
 * @throws {ThinglineError} OPTION_INVALID
 */
export function checkPublishOptions(options: PublishOptions): void {
  if (typeof options !== "object" || options === null) checkOptionNames(options, publishOptionTypes, publishCall);
  let isEmpty = true;
  for (const name in options) {
    isEmpty = false;
    if (!isPublishOption(name)) checkOptionNames(options, publishOptionTypes, publishCall);
  }
  // A Map or a promise has no names.
  if (isEmpty) checkOptionNames(options, publishOptionTypes, publishCall);
  const { isRetained, properties, signal } = options;
  if (isRetained !== undefined && typeof isRetained !== "boolean") {
    throw optionInvalid("isRetained", "true or false", kindOf(isRetained));
  }
  if (signal !== undefined || properties !== undefined) checkOptionTypes(options, publishOptionTypes, publishCall);
}

const publishCall = { of: "publish()" };
const propertiesCheck = { of: "publish()", prefix: "properties." };

/**
 * Properties as they are now: what waits is encoded later, and more than once.
 *
 * @throws {ThinglineError} OPTION_INVALID
 */
export function copyProperties(given: PublishProperties): PublishProperties {
  const properties = readOptions(given, publishPropertyTypes, propertiesCheck);
  const { correlationData, userProperties, subscriptionIdentifiers } = properties;
  if (correlationData !== undefined) properties.correlationData = copyBytes(correlationData);
  if (userProperties !== undefined) {
    checkUserProperties("properties.userProperties", userProperties);
    properties.userProperties = userProperties.map(([name, value]) => [name, value]);
  }
  // A message that was received and is published again has them.
  if (subscriptionIdentifiers !== undefined) {
    throw optionInvalid("properties.subscriptionIdentifiers", "none: they are the server's to add", "an array");
  }
  return properties;
}

/** @throws {ThinglineError} OPTION_INVALID */
export function checkUntil(
  until: PublishOptions["until"],
  expiresAfterMs: number | undefined,
  hasQueue: boolean,
): void {
  if (until !== undefined && until !== "acknowledged" && until !== "stored") {
    throw optionInvalid("until", "acknowledged or stored", until);
  }
  if (expiresAfterMs !== undefined) checkExpiry("expiresAfterMs", expiresAfterMs);
  if (hasQueue || (until !== "stored" && expiresAfterMs === undefined)) return;
  const option = until === "stored" ? "until" : "expiresAfterMs";
  throw optionInvalid(option, "QoS 1 and an offlineQueue with it", "one of them missing");
}

/** @throws {ThinglineError} OPTION_INVALID */
export function requireBytes(payload: Uint8Array): Uint8Array {
  if (isBytes(payload)) return payload;
  throw optionInvalid(
    "payload",
    "a string or a Uint8Array",
    `${kindOf(payload)}; JSON.stringify() makes text of an object`,
  );
}

/** What to tell of something that `publish()` threw and that is no error of ours: which option cannot be read, if it was one. */
export function unreadablePublish(options: PublishOptions, thrown: unknown): unknown {
  const types = { ...publishOptionTypes, properties: { options: publishPropertyTypes } };
  return unreadableOption(options, types, thrown);
}
