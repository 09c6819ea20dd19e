// A handful of hostile servers over real sockets; tests/simulation/hostile-peers.test.ts has the table.
import assert from "node:assert/strict";
import { test } from "node:test";
import { connectDevice, type Device } from "@thingline/device";
import { isThinglineError } from "@thingline/protocol";
import { createNodeClock, createNodeNetwork, createNodeRandom } from "@thingline/transport/node";

const network = createNodeNetwork();
const clock = createNodeClock();
const connack = [0x20, 2, 0, 0];
const connack5 = [0x20, 3, 0, 0, 0];
/** Packet types of what the device sends, in the first four bits. */
const [connect, publish, subscribe] = [1, 3, 8];

interface Row {
  version?: 4 | 5;
  /** By packet type; the packet identifier of SUBSCRIBE is 1. */
  answers: Readonly<Record<number, readonly number[]>>;
  call: (device: Device) => Promise<unknown>;
  code: string;
  message: RegExp;
}

const rows: Readonly<Record<string, Row>> = {
  "HTTP instead of MQTT": {
    answers: { [connect]: [...new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n")] },
    call: () => Promise.resolve(),
    code: "MQTT_MALFORMED_PACKET",
    message: /packet type 4 with flags 8/,
  },
  "a malformed PUBACK": {
    answers: { [connect]: connack, [publish]: [0x40, 1, 0] },
    call: (device) => device.publish("a", "x"),
    code: "MQTT_MALFORMED_PACKET",
    message: /the packet identifier needs 2 bytes/,
  },
  "a SUBACK with too many codes": {
    answers: { [connect]: connack, [subscribe]: [0x90, 5, 0, 1, 0, 0, 0] },
    call: (device) => device.subscribe("a"),
    code: "CONNECTION_LOST",
    message: /SUBACK does not fit/,
  },
  "a DISCONNECT that names its reason": {
    version: 5,
    answers: { [connect]: connack5, [publish]: [0xe0, 8, 0x95, 6, 0x1f, 0, 3, 0x62, 0x69, 0x67] },
    call: (device) => device.publish("a", "x"),
    code: "MQTT_PUBLISH_REFUSED",
    message: /packet too large \(0x95\): big/,
  },
  "a message that never ends": {
    answers: { [connect]: [...connack, 0x30, 0xff, 0xff, 0xff, 0x7f, 0, 1, 0x61] },
    call: (device) =>
      new Promise((_, reject) => device.on("disconnected", ({ error }) => reject(error ?? assert.fail()))),
    code: "TIMEOUT",
    message: /began a packet and did not end it/,
  },
};

for (const [name, { version = 4, answers, call, code, message }] of Object.entries(rows)) {
  test(`over TCP, ${name}: the call fails, and nothing is left`, async (t) => {
    const listener = await network.listen({ host: "127.0.0.1", port: 0 }, (connection) => {
      connection.start({
        data: (bytes) => {
          const answer = answers[(bytes[0] ?? 0) >> 4];
          if (answer !== undefined) connection.write(Uint8Array.from(answer));
        },
        closed: () => undefined,
      });
    });
    const { host, port } = listener.address;
    let device: Device | undefined;
    t.after(async () => {
      await device?.close();
      await listener.close();
    });
    const asked = (async () => {
      const base = { host, port, dialer: network, clock, random: createNodeRandom(), clientId: "pump-7", version };
      device = await connectDevice({ ...base, reconnect: false, receiveTimeoutMs: 100 });
      await call(device);
    })();
    await assert.rejects(
      asked,
      (error) => isThinglineError(error) && error.code === code && message.test(error.message),
    );
  });
}
