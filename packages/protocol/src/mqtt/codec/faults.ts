import { ThinglineError, type ErrorCode } from "../../errors.js";
import { reasonCodes } from "../reason-codes.js";

/** Bytes that cannot be read as a packet: MQTT 5 §1.2 "Malformed Packet". */
export function malformed(
  message: string,
  clause: string,
  reasonCode: number = reasonCodes.malformedPacket,
): ThinglineError {
  return fault("MQTT_MALFORMED_PACKET", message, clause, reasonCode);
}

/** Readable bytes that MQTT does not allow here: MQTT 5 §1.2 "Protocol Error". */
export function protocolError(
  message: string,
  clause: string,
  reasonCode: number = reasonCodes.protocolError,
): ThinglineError {
  return fault("MQTT_PROTOCOL_ERROR", message, clause, reasonCode);
}

/** A packet object that has no encoding in the version. Found before a byte is written. */
export function unencodable(message: string, details: Record<string, string | number> = {}): ThinglineError {
  return new ThinglineError("MQTT_PACKET_INVALID", message, { details });
}

function fault(code: ErrorCode, message: string, clause: string, reasonCode: number): ThinglineError {
  return new ThinglineError(code, `${message} [${clause}]`, { details: { reasonCode, clause } });
}
