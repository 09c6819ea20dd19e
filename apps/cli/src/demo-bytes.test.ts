import assert from "node:assert/strict";
import { test } from "node:test";
import type { ModemTraffic, SocketTraffic, TrafficSnapshot } from "@thingline/modem/simulator";
import { openByteLedger } from "./demo-bytes.js";
import { createOutput } from "./output.js";

/** As many bytes as asked for, a tenth of them handshakes, on a radio that is connected for a second each time. */
function fakeTraffic() {
  let bytes = 0;
  let connectedMs = 0;
  const both = (factor: number) => ({ sent: bytes * factor, received: bytes * factor * 2 });
  const counts = () => ({
    ...{ application: both(1), tls: both(2), handshake: both(1), ip: both(3), packets: both(bytes === 0 ? 0 : 1) },
  });
  const place = { number: 1, host: "localhost", port: 8883, tlsBy: "modem", protocol: "mqtt", state: "open" } as const;
  const traffic: ModemTraffic = {
    snapshot: (): TrafficSnapshot => ({
      counts: counts(),
      socketCount: 1,
      radio: { offMs: 0.4, searchingMs: 0, connectedMs, idleMs: 0, sleepMs: 0 },
    }),
    get sockets(): SocketTraffic[] {
      return [{ ...place, isResumed: undefined, ...counts() }];
    },
  };
  const go = (more: number): void => {
    bytes += more;
    connectedMs += 1_000;
  };
  return { traffic, go };
}

function show(isJson: boolean): string {
  let written = "";
  const out = { write: (text: string) => void (written += text) };
  const { traffic, go } = fakeTraffic();
  const ledger = openByteLedger(createOutput({ isJson, out, err: { write() {} }, env: {} }), traffic);
  go(10);
  ledger.mark("connect");
  ledger.mark("nothing");
  go(200_000);
  ledger.mark("download");
  ledger.show();
  return written;
}

test("people get a table: a row for each step that sent something, the sum, what handshakes took of it", () => {
  const lines = show(false).split("\n");
  assert.deepEqual(
    lines.filter((line) => line.includes(" + ")).map((line) => line.trim().replace(/ {2,}/g, " | ")),
    [
      "What it cost on air (bytes, sent + received)",
      "connect | 10 + 20 | 20 + 40 | 30 + 60",
      "download | 200000 + 400000 | 400000 + 800000 | 600000 + 1200000",
      "total | 200010 + 400020 | 400020 + 800040 | 600030 + 1200060",
      "of TLS, handshakes: 200010 + 400020",
    ],
  );
  for (const line of lines) assert.ok(line.length <= 80, line);
});

test("programs get an event for each step and socket, with the radio's time in whole milliseconds", () => {
  const events = show(true)
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.deepEqual(
    events.map(({ event, step }) => [event, step]),
    [
      ["bytes", "connect"],
      ["bytes", "nothing"],
      ["bytes", "download"],
      ["bytesSocket", undefined],
      ["bytesTotal", undefined],
    ],
  );
  const [connect, nothing] = events;
  assert.deepEqual(connect?.["tls"], { sent: 20, received: 40 });
  assert.deepEqual(nothing?.["ip"], { sent: 0, received: 0 });
  const radio = { offMs: 0, searchingMs: 0, connectedMs: 1_000, idleMs: 0, sleepMs: 0 };
  assert.deepEqual(connect["radio"], radio);
  assert.deepEqual([events[3]?.["protocol"], events[3]?.["isResumed"]], ["mqtt", null]);
});
