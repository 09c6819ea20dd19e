import { concatBytes } from "@thingline/protocol";

/** One command that sends a part of a stream. */
export type SendPiece =
  /** In data mode. The parts are views of what was given. */
  | { type: "data"; parts: readonly Uint8Array[]; lengthBytes: number }
  /** In the command itself, as hex digits. */
  | { type: "hex"; bytes: Uint8Array }
  /** In the command itself, as text: plus signs, which data mode would take for its end. */
  | { type: "text"; text: string };

export interface SendPlanOptions {
  /** Data mode ends by count; otherwise by the marker `+++`, which the payload must then not hold. */
  countsPayload: boolean;
  burstBytesMax: number;
  /** The marker is seen only at the end of what is in a buffer of this size, and must not lie across two. Default: it may lie anywhere. */
  markerBufferBytes?: number | undefined;
}

/** So few bytes go faster within a command, which takes one answer instead of two. */
export const hexBytesMax = 32;
/** Well within what `#XSEND` takes as text. */
const textBytesMax = 1_024;
const plus = 0x2b;
const markerLength = 3;

/** Cuts what is to be sent into commands, in order; every byte goes out exactly once. */
export function planSends(parts: readonly Uint8Array[], options: SendPlanOptions): SendPiece[] {
  const lengthBytes = parts.reduce((sum, part) => sum + part.length, 0);
  if (lengthBytes === 0) return [];
  if (!options.countsPayload) return cutByMarker(concatBytes(parts), options);
  if (lengthBytes <= hexBytesMax) return [{ type: "hex", bytes: concatBytes(parts) }];
  return cutByCount(parts, options.burstBytesMax);
}

function cutByCount(parts: readonly Uint8Array[], burstBytesMax: number): SendPiece[] {
  const pieces: SendPiece[] = [];
  let burst: Uint8Array[] = [];
  let lengthBytes = 0;
  const flush = () => {
    if (lengthBytes > 0) pieces.push({ type: "data", parts: burst, lengthBytes });
    burst = [];
    lengthBytes = 0;
  };
  for (const part of parts) {
    for (let at = 0; at < part.length;) {
      const view = part.subarray(at, at + burstBytesMax - lengthBytes);
      burst.push(view);
      lengthBytes += view.length;
      at += view.length;
      if (lengthBytes === burstBytesMax) flush();
    }
  }
  flush();
  return pieces;
}

/** Bursts that neither hold the marker nor end with a plus sign, which would become a part of it; plus signs in between go as text. */
function cutByMarker(bytes: Uint8Array, { burstBytesMax, markerBufferBytes = Infinity }: SendPlanOptions): SendPiece[] {
  const pieces: SendPiece[] = [];
  let from = 0;
  let at = 0;
  const flush = (to: number) => {
    while (to > from) {
      const end = whole(from, to);
      pieces.push({ type: "data", parts: [bytes.subarray(from, end)], lengthBytes: end - from });
      from = end;
    }
  };
  /** Up to where the marker lies in one buffer. */
  const whole = (start: number, to: number): number => {
    let end = to;
    while ((end - start) % markerBufferBytes > markerBufferBytes - markerLength || bytes[end - 1] === plus) end--;
    return end;
  };
  while (at < bytes.length) {
    const run = plusSignsAt(bytes, at);
    const isCut = run >= markerLength || (run > 0 && at + run === bytes.length);
    if (isCut) {
      flush(at);
      pieces.push(...asText(run));
      at += run;
      from = at;
    } else if (run > 0) {
      // In front of the run: it must not be the end of a burst.
      if (at + run - from >= burstBytesMax) flush(at);
      at += run;
    } else {
      at++;
      if (at - from === burstBytesMax) flush(at);
    }
  }
  flush(at);
  return pieces;
}

function plusSignsAt(bytes: Uint8Array, from: number): number {
  let at = from;
  while (bytes[at] === plus) at++;
  return at - from;
}

function* asText(count: number): Generator<SendPiece> {
  for (let left = count; left > 0; left -= textBytesMax) {
    yield { type: "text", text: "+".repeat(Math.min(left, textBytesMax)) };
  }
}
