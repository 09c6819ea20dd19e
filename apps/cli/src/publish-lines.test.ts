import assert from "node:assert/strict";
import { PassThrough, Readable } from "node:stream";
import { test } from "node:test";
import { ThinglineError } from "@thingline/protocol";
import { createVirtualClock, type VirtualClock } from "@thingline/transport/virtual";
import { createOutput } from "./output.js";
import { linesBurstMax, linesInFlightMax, linesPerSecondMax, publishLines } from "./publish-lines.js";

/** A device whose acknowledgements come when the test says so. */
function fake() {
  const sent: { text: string; settle: (error?: Error) => void }[] = [];
  const publish = (_topic: string, payload: Uint8Array | string) =>
    new Promise<void>((resolve, reject) => {
      sent.push({
        text: Buffer.from(payload).toString(),
        settle: (error) => (error === undefined ? resolve() : reject(error)),
      });
    });
  let text = "";
  const stream = { write: (written: string) => (text += written) };
  const output = createOutput({ isJson: true, out: stream, err: stream });
  return { sent, device: { publish }, clock: createVirtualClock(), output, printed: () => text };
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Lets the input be read, and time pass. */
async function pass(clock: VirtualClock, durationMs: number) {
  for (let at = 0; at < 10; at++) await turn();
  for (let atMs = 0; atMs < durationMs; atMs += 100) {
    await clock.advance(100);
    await turn();
  }
}

test("no more lines are read than may wait for their acknowledgement, and all of them are waited for", async () => {
  const { sent, device, clock, output } = fake();
  const lines = Array.from({ length: linesInFlightMax + 50 }, (_, at) => `${at}`);
  let count = 0;
  const { signal } = new AbortController();
  const input = Readable.from([lines.join("\n")]);
  const done = publishLines({ device, clock, topic: "t", input, output, signal, published: () => count++ });
  await pass(clock, 60_000);
  assert.equal(sent.length, linesInFlightMax);
  sent[0]?.settle();
  await pass(clock, 1000);
  assert.equal(sent.length, linesInFlightMax + 1);
  while (count < lines.length) {
    for (const { settle } of sent) settle();
    await pass(clock, 1000);
  }
  assert.equal(await done, true);
  assert.deepEqual(
    sent.map(({ text }) => text),
    lines,
  );
});

test("lines go out no faster than AWS IoT takes them, after a few that may come at once", async () => {
  const { sent, device, clock, output } = fake();
  const { signal } = new AbortController();
  const input = Readable.from([Array.from({ length: 1000 }, (_, at) => `${at}`).join("\n")]);
  const done = publishLines({ device, clock, topic: "t", input, output, signal, published: () => undefined });
  await pass(clock, 0);
  assert.ok(sent.length <= linesBurstMax + 1 && sent.length > 1, `${sent.length}`);
  for (let second = 1; second <= 3; second++) {
    for (let part = 0; part < 10; part++) {
      for (const { settle } of sent) settle();
      await pass(clock, 100);
    }
    assert.ok(sent.length <= second * linesPerSecondMax + linesBurstMax + 1, `${sent.length}`);
  }
  assert.ok(sent.length > 2 * linesPerSecondMax, `${sent.length}`);
  while (sent.length < 1000) {
    for (const { settle } of sent) settle();
    await pass(clock, 1000);
  }
  for (const { settle } of sent) settle();
  await done;
});

test("a line that was refused is said and makes the result bad; the others go on", async () => {
  const { sent, device, clock, output, printed } = fake();
  const { signal } = new AbortController();
  const input = Readable.from(["a\r\nb\n"]);
  const done = publishLines({ device, clock, topic: "t", input, output, signal, published: () => undefined });
  while (sent.length < 2) await turn();
  sent[0]?.settle(new ThinglineError("MQTT_PACKET_TOO_LARGE", "too large"));
  sent[1]?.settle();
  assert.equal(await done, false);
  assert.match(printed(), /"event":"notPublished","topic":"t","code":"MQTT_PACKET_TOO_LARGE"/);
});

test("when the program stops, nothing more is read and nothing is complained about", async () => {
  const { sent, device, clock, output, printed } = fake();
  const controller = new AbortController();
  const input = new PassThrough();
  const { signal } = controller;
  const done = publishLines({ device, clock, topic: "t", input, output, signal, published: () => undefined });
  input.write("a\n");
  while (sent.length < 1) await turn();
  controller.abort();
  sent[0]?.settle(new ThinglineError("ABORTED", "stopped"));
  assert.equal(await done, true);
  assert.equal(printed(), "");
});
