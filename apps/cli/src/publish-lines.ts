import { setMaxListeners } from "node:events";
import type { Readable } from "node:stream";
import { defaultOfflineMessagesPerSecond, type Device } from "@thingline/device";
import { isThinglineError } from "@thingline/protocol";
import type { Clock } from "@thingline/transport";
import { readLines } from "./input-lines.js";
import type { Output } from "./output.js";

/** Lines that wait for their acknowledgement; no more are read meanwhile. */
export const linesInFlightMax = 100;
/** AWS IoT Core discards what is over 100 messages a second and connection, in both directions together. */
export const linesPerSecondMax = defaultOfflineMessagesPerSecond;
/** AWS IoT Core takes no more in one message. */
export const lineBytesMax = 131_072;
/** So many lines may come at once after a pause. */
export const linesBurstMax = 20;

/**
 * Publishes each line of the input with QoS 1, in order, no faster than AWS IoT takes them, and waits for every PUBACK. Between
 * two connections it waits.
 *
 * @returns whether all arrived; each that did not is a complaint.
 */
export async function publishLines(options: {
  device: Pick<Device, "publish">;
  clock: Pick<Clock, "monotonicMs" | "sleep">;
  topic: string;
  input: Readable;
  output: Output;
  signal: AbortSignal;
  published: () => void;
}): Promise<boolean> {
  const { device, clock, topic, input, output, signal, published } = options;
  // Each line in flight listens to it.
  setMaxListeners(linesInFlightMax + 10, signal);
  const gapMs = 1000 / linesPerSecondMax;
  let slotMs = -Infinity;
  const inFlight = new Set<Promise<void>>();
  let isGood = true;
  const publish = async (line: Uint8Array) => {
    try {
      await device.publish(topic, line, { qos: 1, signal });
      published();
    } catch (error) {
      if (signal.aborted) return;
      if (!isThinglineError(error)) throw error;
      isGood = false;
      output.event({ event: "notPublished", topic, code: error.code, message: error.message });
      output.complain({ kind: "error", message: `a line was not published: ${error.message}`, code: error.code });
    }
  };
  for await (const line of readLines(input, { lineBytesMax, signal })) {
    if (line.type === "tooLong") {
      isGood = false;
      const message = `line ${line.number} was not published: it has more than ${lineBytesMax} bytes`;
      output.event({ event: "notPublished", topic, code: "FILE_TOO_LARGE", message });
      output.complain({ kind: "error", message, code: "FILE_TOO_LARGE" });
      continue;
    }
    const nowMs = clock.monotonicMs();
    slotMs = Math.max(slotMs + gapMs, nowMs - linesBurstMax * gapMs);
    if (slotMs > nowMs) await clock.sleep(slotMs - nowMs, { signal }).catch(() => undefined);
    if (signal.aborted) break;
    const publishing = publish(line.bytes);
    inFlight.add(publishing);
    void publishing.finally(() => inFlight.delete(publishing));
    if (inFlight.size >= linesInFlightMax) await Promise.race(inFlight);
  }
  await Promise.all(inFlight);
  return isGood;
}
