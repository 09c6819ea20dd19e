import assert from "node:assert/strict";
import { PassThrough, Readable } from "node:stream";
import { test } from "node:test";
import { ThinglineError } from "@thingline/protocol";
import { createOutput } from "./output.js";
import { linesInFlightMax, publishLines } from "./publish-lines.js";

/** A device whose acknowledgements come when the test says so. */
function fake() {
  const sent: { text: string; settle: (error?: Error) => void }[] = [];
  const publish = (_topic: string, payload: Uint8Array | string) =>
    new Promise<void>((resolve, reject) => {
      sent.push({ text: String(payload), settle: (error) => (error === undefined ? resolve() : reject(error)) });
    });
  let text = "";
  const stream = { write: (written: string) => (text += written) };
  const output = createOutput({ isJson: true, out: stream, err: stream });
  return { sent, device: { publish }, output, printed: () => text };
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

test("no more lines are read than may wait for their acknowledgement, and all of them are waited for", async () => {
  const { sent, device, output } = fake();
  const lines = Array.from({ length: linesInFlightMax + 50 }, (_, at) => `${at}`);
  let count = 0;
  const { signal } = new AbortController();
  const input = Readable.from([lines.join("\n")]);
  const done = publishLines({ device, topic: "t", input, output, signal, published: () => count++ });
  for (let at = 0; at < 10; at++) await turn();
  assert.equal(sent.length, linesInFlightMax);
  sent[0]?.settle();
  for (let at = 0; at < 10; at++) await turn();
  assert.equal(sent.length, linesInFlightMax + 1);
  while (count < lines.length) {
    for (const { settle } of sent) settle();
    await turn();
  }
  assert.equal(await done, true);
  assert.deepEqual(
    sent.map(({ text }) => text),
    lines,
  );
});

test("a line that was refused is said and makes the result bad; the others go on", async () => {
  const { sent, device, output, printed } = fake();
  const { signal } = new AbortController();
  const input = Readable.from(["a\r\nb\n"]);
  const done = publishLines({ device, topic: "t", input, output, signal, published: () => undefined });
  while (sent.length < 2) await turn();
  sent[0]?.settle(new ThinglineError("MQTT_PACKET_TOO_LARGE", "too large"));
  sent[1]?.settle();
  assert.equal(await done, false);
  assert.match(printed(), /"event":"notPublished","topic":"t","code":"MQTT_PACKET_TOO_LARGE"/);
});

test("when the program stops, nothing more is read and nothing is complained about", async () => {
  const { sent, device, output, printed } = fake();
  const controller = new AbortController();
  const input = new PassThrough();
  const { signal } = controller;
  const done = publishLines({ device, topic: "t", input, output, signal, published: () => undefined });
  input.write("a\n");
  while (sent.length < 1) await turn();
  controller.abort();
  sent[0]?.settle(new ThinglineError("ABORTED", "stopped"));
  assert.equal(await done, true);
  assert.equal(printed(), "");
});
