import { type ErrorCode, ThinglineError } from "@thingline/protocol";
import type { DisconnectReason } from "./events.js";

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
