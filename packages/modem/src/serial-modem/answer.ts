import { concatBytes, toHex } from "@thingline/protocol";
import type { InformationWithData, SerialModemInformation } from "./command.js";

/** What the application writes a line of its own into. */
export const informationBytesMax = 2100;
/** What an answer of the modem may have to be forwarded; a longer one is an ERROR. */
export const forwardedAnswerBytesMax = 4094;

const encoder = new TextEncoder();
const lineEnd = Uint8Array.of(0x0d, 0x0a);

export const okText = "\r\nOK\r\n";
export const errorText = "\r\nERROR\r\n";

/** A line of the application with its framing: CR LF before and behind it, and the bytes that it announces as they are. */
export function frameInformation(information: SerialModemInformation): Uint8Array {
  if (typeof information === "string") return encoder.encode(frameLine(information));
  return concatBytes([encoder.encode(frameLine(information.head)), information.data]);
}

/** Received bytes as they are, or as hexadecimal digits. */
export function writtenAs(bytes: Uint8Array, isHex: boolean): Uint8Array {
  return isHex ? encoder.encode(toHex(bytes)) : bytes;
}

/** Data that is not part of an answer has a line end behind it. */
export function endedByLine({ head, data }: InformationWithData): InformationWithData {
  return { head, data: concatBytes([data, lineEnd]) };
}

/** An answer in one piece, so that no URC comes into it. */
export function frameAnswer(information: readonly SerialModemInformation[], result: string): Uint8Array {
  return concatBytes([...information.map(frameInformation), encoder.encode(result)]);
}

export function frameLine(line: string): string {
  return `\r\n${line.slice(0, informationBytesMax)}\r\n`;
}

/**
 * The modem's own answer (`+CFUN: 1` CR LF `OK` CR LF) as the application forwards it: CR LF before it, and before the final result where
 * information stands before that.
 */
export function frameForwarded(answer: string): Uint8Array {
  if (encoder.encode(answer).length > forwardedAnswerBytesMax) return encoder.encode(errorText);
  const result = /(?:OK|ERROR|\+CM[ES] ERROR: ?[0-9]+)\r\n$/.exec(answer);
  if (result === null || result.index === 0) return encoder.encode(`\r\n${answer}`);
  return encoder.encode(`\r\n${answer.slice(0, result.index)}\r\n${answer.slice(result.index)}`);
}
