import type { MqttVersion } from "./packets.js";
import { reasonName } from "./reason-codes.js";

const undefinedCode = "a code that MQTT does not define";

/** CONNACK return codes of MQTT 3.1.1 §3.2.2.3, in words for people. */
const connectReturnMeanings: readonly string[] = [
  "connection accepted",
  "unacceptable protocol version",
  "client identifier rejected",
  "server unavailable",
  "bad user name or password",
  "not authorized",
];

/** What a CONNACK code of this version means; never empty. */
export function describeConnackCode(version: MqttVersion, code: number): string {
  return version === 4 ? (connectReturnMeanings[code] ?? undefinedCode) : describeReasonCode(code);
}

/** What a reason code of MQTT 5 means, or 0x80 in a SUBACK of 3.1.1: `not authorized`. Never empty. */
export function describeReasonCode(code: number): string {
  const name = reasonName(code);
  return name === undefined ? undefinedCode : name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

/** `0x87` */
export function hexCode(code: number): string {
  return `0x${code.toString(16).padStart(2, "0")}`;
}
