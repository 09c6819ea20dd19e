import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { test } from "node:test";
import type { Device, DeviceListeners, DeviceMessage, DeviceState } from "@thingline/device";
import { ThinglineError } from "@thingline/protocol";
import { createDeviceView } from "./device-view.js";
import { createOutput } from "./output.js";

class RecordingStream extends EventEmitter {
  text = "";
  writableNeedDrain = false;
  readonly columns = 100;
  readonly isTTY: boolean;
  constructor(isTTY: boolean) {
    super();
    this.isTTY = isTTY;
  }
  write(text: string): void {
    this.text += text;
  }
}

/** A view of a device that only has a state. */
function open({ isJson = false, isTTY = false, showsShadow = false } = {}) {
  const [out, err] = [new RecordingStream(isTTY), new RecordingStream(isTTY)];
  const output = createOutput({ isJson, out, err, env: { NO_COLOR: "1" } });
  const view = createDeviceView(output, { clientId: "pump", address: "host:8883", credentials: "tag 1", showsShadow });
  const device: { state: DeviceState } = { state: "ready" };
  view.watch(device as Device);
  const listeners = view.listeners as Required<DeviceListeners>;
  const events = () => out.text.split("\n").filter((line) => line.startsWith("{"));
  const parsed = () => events().map((line) => JSON.parse(line) as Record<string, unknown>);
  return { out, err, view, device, listeners, parsed };
}

const message = (topic: string, payload: string | Uint8Array): DeviceMessage => ({
  topic,
  payload: typeof payload === "string" ? new TextEncoder().encode(payload) : payload,
  qos: 1,
  isRetained: false,
  isDuplicate: false,
  packetId: 7,
});
const lastLine = (text: string) => text.trimEnd().split("\n").at(-1) ?? "";

test("a payload that is no text is Base64 for programs and a number of bytes for people", () => {
  const bytes = Uint8Array.of(0xff, 0x00);
  const json = open({ isJson: true });
  void json.listeners.data(message("t", bytes));
  assert.deepEqual(json.parsed(), [
    { event: "data", topic: "t", payloadBase64: "/wA=", qos: 1, isRetained: false, isDuplicate: false, packetId: 7 },
  ]);
  const people = open();
  void people.listeners.data(message("t", bytes));
  assert.match(lastLine(people.out.text), /message {6}t {2}2 bytes that are no text$/);
});

test("people see the beginning of a long payload, programs all of it", () => {
  const long = "x".repeat(10_000);
  const people = open();
  void people.listeners.data(message("t", long));
  assert.match(lastLine(people.out.text), /x{300}… \(10000 bytes\)$/);
  const json = open({ isJson: true });
  void json.listeners.data(message("t", long));
  assert.equal(json.parsed()[0]?.["payload"], long);
});

test("the status tells state, address, session, messages and the shadow's version, and the wait until the next attempt", async () => {
  const { out, device, listeners, view } = open({ isTTY: true });
  void listeners.connected({ isPersistentSession: false, clientId: "pump", keepAliveSeconds: 60 });
  void listeners.data(message("$aws/things/pump/shadow/update/accepted", '{"version":12}'));
  view.published();
  assert.ok(out.text.endsWith("● ready · pump · host:8883 · new session · 1 in, 1 out · shadow v12"), out.text);
  void listeners.data(message("$aws/things/pump/shadow/delete/accepted", '{"version":12}'));
  assert.ok(out.text.endsWith("shadow deleted"));
  device.state = "waiting";
  void listeners.disconnected({ reason: "closedByRemote", retryInMs: 2_000 });
  await Promise.resolve();
  assert.match(out.text, / next attempt in 2 s · pump · host:8883 · 2 in, 1 out · shadow deleted$/);
  view.end();
  assert.ok(out.text.endsWith("\r\u001b[K"));
});

test("with --shadow a shadow's message is an event of its own as well, and one line for people", () => {
  const delta = message("$aws/things/pump/shadow/update/delta", '{"version":3,"state":{"on":true}}');
  const json = open({ isJson: true, showsShadow: true });
  void json.listeners.data(delta);
  assert.deepEqual(
    json.parsed().map(({ event, topic, version }) => [event, topic, version]),
    [
      ["shadow", "update/delta", 3],
      ["data", "$aws/things/pump/shadow/update/delta", undefined],
    ],
  );
  const people = open({ showsShadow: true });
  void people.listeners.data(delta);
  assert.match(people.out.text, /^[\d:.]+ shadow {7}update\/delta {2}\{"version":3,"state":\{"on":true\}\}\n$/);
  const broken = open({ isJson: true, showsShadow: true });
  void broken.listeners.data(message("$aws/things/pump/shadow/get/accepted", "[1]"));
  assert.equal(broken.parsed()[0]?.["document"], null);
});

test("a connection that is closed as soon as it was ready is explained once", () => {
  const { err, listeners } = open();
  for (let time = 0; time < 3; time++) {
    void listeners.ready({ isPersistentSession: true, refusedFilters: [] });
    void listeners.disconnected({ reason: "closedByRemote", retryInMs: 1 });
  }
  assert.equal(err.text.match(/^warning: /gm)?.length, 1);
  assert.match(err.text, /AUTO_DEVICE_SHADOW_REQUEST=n.*\$aws\/things\/pump\/shadow\/get/);
});

test("the error with which a device gives up is left to the end of the command; others are told", () => {
  const { device, listeners, parsed } = open({ isJson: true });
  const error = new ThinglineError("LIMIT_EXCEEDED", "too many");
  void listeners.error({ error });
  device.state = "idle";
  void listeners.error({ error });
  assert.deepEqual(parsed(), [{ event: "error", code: "LIMIT_EXCEEDED", message: "too many" }]);
});

test("a slow reader holds up the acknowledgement of QoS 1; QoS 0 is dropped meanwhile, and counted", async () => {
  const { out, listeners, parsed } = open({ isJson: true });
  out.writableNeedDrain = true;
  let isAcknowledged = false;
  const handled = Promise.resolve(listeners.data(message("t", "one"))).then(() => (isAcknowledged = true));
  for (let time = 0; time < 3; time++) void listeners.data({ ...message("t", "zero"), qos: 0 });
  void listeners.data(message("t", "two"));
  await Promise.resolve();
  assert.equal(isAcknowledged, false);
  assert.deepEqual([parsed().length, out.listenerCount("drain")], [2, 1]);
  out.writableNeedDrain = false;
  out.emit("drain");
  await handled;
  assert.equal(out.listenerCount("close"), 0);
  assert.deepEqual(
    parsed().map(({ event, count }) => [event, count]),
    [
      ["data", undefined],
      ["data", undefined],
      ["dropped", 3],
    ],
  );
  void listeners.data({ ...message("t", "zero"), qos: 0 });
  assert.equal(parsed().at(-1)?.["payload"], "zero");
});

test("what was given up for a message that is too large is shown, with what it cost", () => {
  const json = open({ isJson: true });
  const details = { lengthBytes: 3_000, recordBytesMax: 2_048 };
  const error = new ThinglineError("TLS_RECORD_TOO_LARGE", "the session at the cloud was discarded", { details });
  void json.listeners.recordTooLarge({ type: "sessionDiscarded", cutCount: 3, ...details, error });
  void json.listeners.recordTooLarge({ type: "filterDropped", filter: "in/a", cutCount: 5, ...details, error });
  const shown = json.parsed().map(({ event, gaveUp, filter, code }) => ({ event, gaveUp, filter, code }));
  assert.deepEqual(shown, [
    { event: "recordTooLarge", gaveUp: "sessionDiscarded", filter: undefined, code: "TLS_RECORD_TOO_LARGE" },
    { event: "recordTooLarge", gaveUp: "filterDropped", filter: "in/a", code: "TLS_RECORD_TOO_LARGE" },
  ]);
  const people = open();
  void people.listeners.recordTooLarge({ type: "sessionDiscarded", cutCount: 3, ...details, error });
  assert.match(lastLine(people.out.text), /gave up {6}the session at the cloud was discarded$/);
});

test("an update is told by its phases, and the live line shows how far it is", () => {
  const { out, view } = open({ isTTY: true });
  const { board } = view;
  const boot = { isResumed: false, refusals: [], warnings: [] };
  const runs = { version: "1.0.0+0", imageId: "", isOnTrial: false, program: {} };
  board.booted({ ...boot, runs, swapType: "none" });
  void board.jobs.jobStarted?.({ jobId: "update", executionNumber: 1, operation: "app_fw_update", isResumed: false });
  board.fota({ type: "started", jobId: "update", target: undefined, offset: 0, isResumed: false });
  board.fota({ type: "progress", percent: 50, offset: 1, sizeBytes: 2 });
  assert.match(out.text, /update downloading █{12}░{12} +50 %/);
  board.fota({ type: "verified", version: "1.1.0+0" });
  board.booted({ ...boot, runs: { ...runs, version: "1.1.0+0", isOnTrial: true }, swapType: "test" });
  board.fota({ type: "confirmed", version: "1.1.0+0" });
  void board.jobs.jobCompleted?.({ jobId: "update", executionNumber: 1, statusDetails: {} });
  const statusDetails = { reason: "JOB_OPERATION_UNKNOWN", message: "no handler" };
  void board.jobs.jobRejected?.({ jobId: "odd", executionNumber: 2, statusDetails });
  view.end();
  const told = [
    /boot +version 1\.0\.0\n/,
    /job +update started\n/,
    /update +verified: version 1\.1\.0: hash and signature/,
    /boot +version 1\.1\.0, on trial; the bootloader swapped the slots, for one boot\n/,
    /job +update succeeded\n/,
    /job +odd \(execution 2\) rejected: JOB_OPERATION_UNKNOWN: no handler\n/,
  ];
  for (const line of told) assert.match(out.text, line);
  assert.doesNotMatch(out.text.slice(out.text.lastIndexOf("confirmed")), /· update/);
});
