import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import type { Device } from "@thingline/device";
import { isThinglineError } from "@thingline/protocol";
import type { Output } from "./output.js";

/** Lines that wait for their acknowledgement; no more are read meanwhile. */
export const linesInFlightMax = 100;

/**
 * Publishes each line of the input with QoS 1, in order, and waits for every PUBACK. Between two connections it waits.
 *
 * @returns whether all arrived; each that did not is a complaint.
 */
export async function publishLines(options: {
  device: Pick<Device, "publish">;
  topic: string;
  input: Readable;
  output: Output;
  signal: AbortSignal;
  published: () => void;
}): Promise<boolean> {
  const { device, topic, input, output, signal, published } = options;
  const inFlight = new Set<Promise<void>>();
  let isGood = true;
  const publish = async (line: string) => {
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
  const lines = createInterface({ input, signal, crlfDelay: Infinity });
  for await (const line of lines) {
    if (signal.aborted) break;
    const publishing = publish(line);
    inFlight.add(publishing);
    void publishing.finally(() => inFlight.delete(publishing));
    if (inFlight.size >= linesInFlightMax) await Promise.race(inFlight);
  }
  await Promise.all(inFlight);
  return isGood;
}
