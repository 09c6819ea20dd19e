import { type ErrorCode, kindOf, ThinglineError } from "@thingline/protocol";
import { describeReasonCode, parseTopicFilter, type TopicLimits } from "@thingline/protocol/mqtt";
import type { DisconnectReason, RefusedFilter } from "./client-events.js";
import { invalid } from "./client-options.js";

/** @throws {ThinglineError} OPTION_INVALID, TOPIC_FILTER_INVALID */
export function filtersOf(filters: string | readonly string[], limits?: TopicLimits): readonly string[] {
  if (typeof filters !== "string" && !isIterable(filters)) {
    throw invalid("filters", "a topic filter, or a list of them", kindOf(filters));
  }
  const list = typeof filters === "string" ? [filters] : [...new Set(filters)];
  if (list.length === 0) throw invalid("filters", "at least one topic filter", "none");
  for (const filter of list) {
    if (typeof filter !== "string") throw invalid("filters", "topic filters", kindOf(filter));
    parseTopicFilter(filter, limits);
  }
  return list;
}

const isIterable = (value: unknown): boolean => typeof value === "object" && value !== null && Symbol.iterator in value;

export function chunksOf<Item>(items: readonly Item[], length: number): (readonly Item[])[] {
  const chunks: (readonly Item[])[] = [];
  for (let from = 0; from < items.length; from += length) chunks.push(items.slice(from, from + length));
  return chunks;
}

export function refusedOf(filters: readonly string[], codes: readonly number[]): RefusedFilter[] {
  const refused: RefusedFilter[] = [];
  codes.forEach((reasonCode, index) => {
    const filter = filters[index];
    if (filter === undefined || reasonCode < 0x80) return;
    refused.push({ filter, reasonCode, meaning: describeReasonCode(reasonCode) });
  });
  return refused;
}

const policyHint = ". Check that a policy of this certificate allows iot:Subscribe on it";
/** What to do about a SUBACK. 0x80 is all that MQTT 3.1.1 has. Other codes say it themselves. */
const subscriptionHints: ReadonlyMap<number, string> = new Map([
  [0x80, policyHint],
  [0x87, policyHint],
  [0x97, ". AWS IoT takes 50 subscriptions for each connection"],
]);

export function subscriptionRefusal({ filter, reasonCode, meaning }: RefusedFilter): ThinglineError {
  const hint = subscriptionHints.get(reasonCode) ?? "";
  const message = `the cloud refused the topic filter "${filter}": ${meaning}${hint}`;
  return new ThinglineError("MQTT_SUBSCRIPTION_REFUSED", message, { details: { filter, reasonCode } });
}

export function oversizeError(topic: string, payloadBytes: number, payloadBytesMax: number): ThinglineError {
  const problem =
    payloadBytes > payloadBytesMax
      ? `a message on "${topic}" has ${payloadBytes} payload bytes, payloadBytesMax is ${payloadBytesMax}`
      : `a message of ${payloadBytes} payload bytes has a topic of ${topic.length} characters: too large as a whole`;
  const message = `${problem}: it was acknowledged and dropped`;
  return new ThinglineError("LIMIT_EXCEEDED", message, { details: { topic, payloadBytes, payloadBytesMax } });
}

export function droppedError(topic: string, where: string): ThinglineError {
  const message = `a message on "${topic}" was dropped: ${where} is full`;
  return new ThinglineError("LIMIT_EXCEEDED", message, { details: { topic } });
}

export function abortedError(signal: AbortSignal | undefined): ThinglineError {
  return new ThinglineError("ABORTED", "the caller's signal was aborted", { cause: signal?.reason });
}

export function alreadyConnectedError(state: string): ThinglineError {
  const details = { connectResult: "alreadyConnected" };
  return new ThinglineError("ALREADY_CONNECTED", `the device is not idle: it is ${state}`, { details });
}

/** @param inFlightCount QoS 1 messages without acknowledgement on that connection */
export function closedByRemoteError(inFlightCount: number): ThinglineError {
  const hint =
    inFlightCount === 0
      ? ""
      : `; unacknowledged messages: ${inFlightCount}. AWS IoT closes the connection when a policy denies a publish`;
  return new ThinglineError("CONNECTION_LOST", `the server closed the connection${hint}`, {
    details: { inFlightCount },
  });
}

/**
 * @param cutsMax how often the connection was cut meanwhile
 * @param cause of the last cut
 */
export function poisonError(topic: string, cutsMax: number, cause: ThinglineError): ThinglineError {
  const message = `the connection was cut ${cutsMax} times in a row while the message on "${topic}" was the oldest one without acknowledgement, so it is given up; the last time ${cause.message}`;
  return new ThinglineError("CONNECTION_LOST", message, { details: { ...cause.details, topic, cutsMax }, cause });
}

/** The server ended the connection because of a message, and there was only this one. */
export function namedError(topic: string, cause: ThinglineError): ThinglineError {
  const message = `the server refused the message on "${topic}" by ending the connection: ${cause.message}`;
  return new ThinglineError("MQTT_PUBLISH_REFUSED", message, { details: { ...cause.details, topic }, cause });
}

/** @param cause of the last connection's end */
export function fruitlessError(connectionCount: number, cause: ThinglineError): ThinglineError {
  const message = `${connectionCount} connections in a row ended without a single acknowledgement, so what waited for one is given up; the last time ${cause.message}`;
  const details = { ...cause.details, connectionCount };
  return new ThinglineError("CONNECTION_LOST", message, { details, cause });
}

/** Session taken over, in the DISCONNECT of MQTT 5. */
const takenOverCode = 0x8e;

export function isTakeover(error: ThinglineError | undefined): boolean {
  return error?.code === "MQTT_DISCONNECTED" && error.details["reasonCode"] === takenOverCode;
}

export function takenOverError(clientId: string, cause: ThinglineError | undefined): ThinglineError {
  const how = isTakeover(cause)
    ? "the server says so"
    : "the server keeps closing the connection, and nothing else explains it";
  const message = `another client connected with client id "${clientId}": ${how}`;
  return new ThinglineError("MQTT_SESSION_TAKEN_OVER", message, { details: { ...cause?.details, clientId }, cause });
}

/** Reason codes of a server's DISCONNECT that accuse the client. */
const accusations = new Set([
  0x81, 0x82, 0x87, 0x8f, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x99, 0x9a, 0x9b, 0x9e, 0xa1, 0xa2,
]);

/** Topic name, topic alias, packet too large, payload format, retain, QoS: of a PUBLISH, and the same again would be no better. */
const messageFaults = new Set([0x90, 0x94, 0x95, 0x99, 0x9a, 0x9b]);

/** The server's DISCONNECT is about a message. */
export function isMessageFault(error: ThinglineError): boolean {
  return error.code === "MQTT_DISCONNECTED" && messageFaults.has(Number(error.details["reasonCode"]));
}

export function disconnectReasonOf(error: ThinglineError | undefined): DisconnectReason {
  if (error === undefined) return "userRequest";
  if (error.code === "MQTT_SESSION_TAKEN_OVER") return "closedByRemote";
  if (error.code !== "MQTT_DISCONNECTED") return "misc";
  return accusations.has(Number(error.details["reasonCode"])) ? "invalidRequest" : "closedByRemote";
}

/** What the device ends a connection with because of what the server sent. */
const serverFaults = new Set<ErrorCode>([
  "MQTT_MALFORMED_PACKET",
  "MQTT_PACKET_TOO_LARGE",
  "MQTT_PROTOCOL_ERROR",
  "MQTT_VERSION_UNSUPPORTED",
]);

/** The server broke the protocol, so that the device ended the connection. */
export function isServerFault(error: ThinglineError | undefined): boolean {
  return error !== undefined && serverFaults.has(error.code);
}

/** The server or the network ended the connection, or the server left the device no choice. */
export function isByServer(reason: DisconnectReason, error: ThinglineError | undefined): boolean {
  return reason === "closedByRemote" || reason === "invalidRequest" || isServerFault(error);
}
