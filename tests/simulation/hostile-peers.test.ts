// What a server can do wrong, as a table, against each kind of call: whatever it sends, the promise settles, within so many
// connections or so much time, and nothing is left of the device after close().
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  createDevice,
  type Device,
  type DeviceOptions,
  fruitlessConnectionsMax,
  publishCutsMax,
} from "@thingline/device";
import { isThinglineError } from "@thingline/protocol";
import { createVirtualClock, createVirtualNetwork, createVirtualRandom } from "@thingline/transport/virtual";
import { type Face, faces } from "./hostile-faces.test.support.js";
import { type Fault, HostilePeer } from "./hostile-peer.test.support.js";

const idOf = (id: number): readonly number[] => [id >> 8, id & 255];
const otherId = 0x7fff;

/** What is sent; `only` for the version that knows it. */
const faults: Readonly<Record<string, Fault & { only?: 4 | 5 }>> = {
  "nothing but a closed door": { on: "open", then: "close" },
  "a reset": { on: "open", then: "reset" },
  "bytes that are no MQTT": { on: "open", says: "48 54 54 50 2f 31 2e 31 20 34 30 30", then: "silence" },
  "packet type 0": { on: "open", says: "00 00" },
  "the CONNECT comes back": { on: "connect", says: "10 02 00 00" },
  "silence after CONNECT": { on: "connect", then: "silence" },
  "a close after CONNECT": { on: "connect", then: "close" },
  "a CONNACK that dribbles": { on: "connect", says: "20", then: "dribble" },
  "a fixed header that dribbles": { on: "connect", answersFirst: true, says: "30 ff ff", then: "dribble" },
  "a CONNACK of one byte": { on: "connect", says: "20 01 00" },
  "a CONNACK with flags": { on: "connect", says: "20 02 fe 00" },
  "a CONNACK with an unknown code": { on: "connect", says: "20 02 00 77", only: 4 },
  "server unavailable": { on: "connect", says: "20 02 00 03", only: 4 },
  "server busy": { on: "connect", says: "20 03 00 89 00", only: 5 },
  "a session after a clean start": { on: "connect", says: "20 02 01 05", only: 4 },
  "PUBACK before CONNACK": { on: "connect", says: "40 02 00 01" },
  "a second CONNACK": { on: "connect", answersFirst: true, says: "20 02 00 00", only: 4 },
  "CONNACK and then garbage": { on: "connect", answersFirst: true, says: "f0 ff ff ff ff" },
  "CONNACK and then a close": { on: "connect", answersFirst: true, then: "close" },
  "CONNACK and then a PINGREQ": { on: "connect", answersFirst: true, says: "c0 00" },
  "CONNACK and then a QoS 2 message": { on: "connect", answersFirst: true, says: "34 06 00 01 61 00 01 78", only: 4 },
  "CONNACK and then AUTH": { on: "connect", answersFirst: true, says: "f0 02 18 00", only: 5 },
  "CONNACK and then DISCONNECT": { on: "connect", answersFirst: true, says: "e0 02 00 00", only: 4 },
  "CONNACK and then quota exceeded": { on: "connect", answersFirst: true, says: "e0 02 97 00", only: 5 },
  "256 MB that dribble": {
    on: "connect",
    answersFirst: true,
    says: "30 ff ff ff 7f 00 01 61",
    then: "dribble",
    only: 4,
  },
  "a packet over the limit": { on: "connect", answersFirst: true, says: "30 ff ff ff 7f 00 01 61", only: 5 },
  "a small message that dribbles": { on: "publish", says: "30 20 00 01 61", then: "dribble" },
  "a PUBACK that dribbles": { on: "publish", says: "40", then: "dribble" },
  "a PUBACK of one byte": { on: "publish", says: "40 01 00" },
  "a PUBACK with flags": { on: "publish", says: (id) => [0x4f, 2, ...idOf(id)] },
  "a PUBACK for packet identifier 0": { on: "publish", says: "40 02 00 00" },
  "a PUBACK for somebody else": { on: "publish", says: () => [0x40, 2, ...idOf(otherId)], then: "close" },
  "a PUBACK for somebody else and silence": { on: "publish", says: () => [0x40, 2, ...idOf(otherId)] },
  "a PUBACK with an unknown code": { on: "publish", says: (id) => [0x40, 3, ...idOf(id), 0x42], only: 5 },
  "a PUBACK that is too long": { on: "publish", says: (id) => [0x40, 4, ...idOf(id), 0, 0], only: 4 },
  "PUBREC instead": { on: "publish", says: (id) => [0x50, 2, ...idOf(id)] },
  "PUBCOMP instead": { on: "publish", says: (id) => [0x70, 2, ...idOf(id)] },
  "SUBACK instead": { on: "publish", says: (id) => [0x90, 3, ...idOf(id), 0], only: 4 },
  "a close instead of PUBACK": { on: "publish", then: "close" },
  "a reset instead of PUBACK": { on: "publish", then: "reset" },
  "no PUBACK": { on: "publish" },
  "PUBACK twice, then a close": {
    on: "publish",
    answersFirst: true,
    says: (id) => [0x40, 2, ...idOf(id)],
    then: "close",
  },
  "a DISCONNECT with its reason": { on: "publish", says: "e0 02 95 00", only: 5 },
  "topic alias 9": { on: "publish", says: "30 08 00 01 61 03 23 00 09 78", only: 5 },
  "a SUBACK with too many codes": { on: "subscribe", says: (id) => [0x90, 6, ...idOf(id), 0, 0, 0, 0], only: 4 },
  "a SUBACK without codes": { on: "subscribe", says: (id) => [0x90, 2, ...idOf(id)], only: 4 },
  "a SUBACK with an unknown code": { on: "subscribe", says: (id) => [0x90, 3, ...idOf(id), 0x42], only: 4 },
  "a SUBACK for somebody else": { on: "subscribe", says: () => [0x90, 3, ...idOf(otherId), 0], only: 4 },
  "a SUBACK that dribbles": { on: "subscribe", says: "90 30 00", then: "dribble" },
  "no SUBACK": { on: "subscribe" },
  "UNSUBACK instead of SUBACK": { on: "subscribe", says: (id) => [0xb0, 2, ...idOf(id)], only: 4 },
  "a close instead of SUBACK": { on: "subscribe", then: "close" },
  "no UNSUBACK": { on: "unsubscribe" },
  "an UNSUBACK of one byte": { on: "unsubscribe", says: "b0 01 00" },
  "a close instead of UNSUBACK": { on: "unsubscribe", then: "close" },
  "no PINGRESP": { on: "pingreq", then: "silence" },
  "a PINGRESP with a payload": { on: "pingreq", says: "d0 01 00" },
  "a PINGRESP that dribbles": { on: "pingreq", says: "d0", then: "dribble" },
  "a close instead of PINGRESP": { on: "pingreq", then: "close" },
};

interface Stage {
  device: Device;
  options: DeviceOptions;
}

/** What is called, and must settle. The device is ready, and the server as it should be until then. */
const calls: Readonly<Record<string, (stage: Stage) => Promise<unknown>>> = {
  publish: ({ device }) => device.publish("a/b", "x"),
  "three publishes and a QoS 0": ({ device }) =>
    Promise.allSettled([
      device.publish("a/1", "x"),
      device.publish("a/2", "x"),
      device.publish("a/3", "x"),
      device.publish("a/0", "x", { qos: 0 }),
    ]),
  subscribe: async ({ device }) => {
    const soon = device.subscribe("a/b");
    await Promise.allSettled([soon, device.subscribe(["c/d", "e/f"], () => undefined)]);
    return soon;
  },
  // The connection has not ended for the device yet when this is called: it waits for the next one.
  "subscribe between two connections": async ({ device }) => {
    if (!device.isConnected) return device.subscribe("a/b");
    const ended = new Promise<void>((resolve) => device.on("disconnected", () => resolve()));
    const published = device.publish("a/b", "x").catch(() => undefined);
    await Promise.race([ended, published]);
    return device.subscribe("a/b");
  },
  unsubscribe: ({ device }) => device.unsubscribe("some/topic"),
  "shadow get": ({ device }) => device.shadow().get(),
  "shadow report": ({ device }) => device.shadow("settings").report({ on: true }),
  disconnect: async ({ device }) => {
    const published = device.publish("a/b", "x").catch(() => undefined);
    await device.disconnect();
    return published;
  },
  connect: async ({ device }) => {
    await device.disconnect();
    return device.connect();
  },
};

/** The server answers, so these settle: within so many connections of the device. A get is asked on ten, after its SUBSCRIBE. */
const connectionsMax = fruitlessConnectionsMax + 1;
/** These have a message ahead, which is given up first when the server closes for it; then they have connections of their own. */
const behindMessage: ReadonlySet<keyof typeof calls> = new Set(["subscribe between two connections"]);
const settlesWithinMs = 2 * 3_600_000;

async function settles(version: 4 | 5, fault: Fault, call: keyof typeof calls): Promise<string> {
  const clock = createVirtualClock();
  const random = createVirtualRandom(call);
  const network = createVirtualNetwork({ clock, random, latencyMs: 5 });
  const peer = new HostilePeer(clock, version, fault);
  const listener = await peer.listen(network, 1883);
  const options: DeviceOptions = {
    host: "localhost",
    port: 1883,
    dialer: network,
    clock,
    random,
    clientId: "pump-7",
    version,
    isCleanSession: true,
    applicationTopics: ["some/topic"],
    reconnect: { firstAttempt: "retry" },
  };
  const device = createDevice(options);
  await clock.until(device.connect());
  peer.turn();
  let outcome = "pending";
  const promise = (calls[call] ?? assert.fail())({ device, options }).then(
    () => (outcome = "done"),
    (error: unknown) => (outcome = isThinglineError(error) ? error.code : assert.fail(String(error))),
  );
  await clock.until(promise, { limitMs: settlesWithinMs }).catch(() => undefined);
  const { connectionCount } = peer;
  assert.notEqual(outcome, "pending", `not settled after ${connectionCount} connections and ${settlesWithinMs} ms`);
  const allowed = connectionsMax + (behindMessage.has(call) ? publishCutsMax : 0);
  assert.ok(connectionCount <= allowed, `${connectionCount} connections, at most ${allowed}`);
  await clock.until(device.close());
  await clock.until(listener.close());
  await clock.advance(60_000);
  assert.equal(clock.timerCount, 0, "a timer is left");
  // A server that answers all and closes in order, again and again, is what another holder of the client id looks like.
  const looksTaken = fault.answersFirst === true && fault.then === "close";
  if (!looksTaken) assert.notEqual(outcome, "MQTT_SESSION_TAKEN_OVER", "nobody else is there");
  return outcome;
}

/** All that a face of the library was asked for settles, too. @returns how */
async function faceSettles(version: 4 | 5, fault: Fault, { startsWell, run }: Face): Promise<string> {
  const clock = createVirtualClock();
  const random = createVirtualRandom("face");
  const network = createVirtualNetwork({ clock, random, latencyMs: 5 });
  const peer = new HostilePeer(clock, version, fault);
  const listener = await peer.listen(network, 1883);
  if (!startsWell) peer.turn();
  const base = { host: "localhost", port: 1883, dialer: network, clock, random, clientId: "pump-7", version };
  const asked = run({ ...base, isCleanSession: true }, () => startsWell && peer.turn());
  const outcomes = await clock.until(asked, { limitMs: settlesWithinMs });
  await clock.until(listener.close());
  await clock.advance(60_000);
  assert.equal(clock.timerCount, 0, "a timer is left");
  return outcomes.join();
}

const isLong = process.env["THINGLINE_TEST_LONG"] === "1";
for (const [faultIndex, [name, { only, ...fault }]] of Object.entries(faults).entries()) {
  for (const version of [4, 5] as const) {
    if (only !== undefined && only !== version) continue;
    test(`MQTT ${version === 4 ? "3.1.1" : "5"}, ${name}: whatever was asked is settled`, async () => {
      for (const call of Object.keys(calls)) {
        await settles(version, fault, call).catch((error: unknown) => {
          throw new Error(`${call}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
        });
      }
      // The device underneath is the same: one version is enough.
      if (version === 5 && only === undefined) return;
      for (const [index, [face, how]] of Object.entries(faces).entries()) {
        // A fifth of them, another fifth with each fault, unless there is time.
        if (!isLong && (index + faultIndex) % 5 !== 0) continue;
        await faceSettles(version, fault, how).catch((error: unknown) => {
          throw new Error(`${face}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
        });
      }
    });
  }
}
