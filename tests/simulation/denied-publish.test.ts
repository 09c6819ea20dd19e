// A message that a policy denies, in the middle of an offline queue. Under MQTT 3.1.1 the cloud closes the connection for it, and
// acknowledgements of its neighbours are lost with the connection.
import assert from "node:assert/strict";
import { test } from "node:test";
import { connectDevice, createDevice } from "@thingline/device";
import { isThinglineError } from "@thingline/protocol";
import { createVirtualClock, createVirtualNetwork, createVirtualRandom } from "@thingline/transport/virtual";
import { openPrepared, prepare } from "./fault-world.test.support.js";

const prepared = await prepare();
const topics = ["up/1", "denied/2", "up/3", "up/4", "denied/5", "up/6"];

for (const version of [4, 5] as const) {
  test(`MQTT ${version === 4 ? "3.1.1" : "5"}: denied messages are dropped, and only those`, async () => {
    const clock = createVirtualClock();
    const random = createVirtualRandom("denied");
    const network = createVirtualNetwork({ clock, random, latencyMs: 20 });
    const cloud = await openPrepared(prepared, clock, network);
    const common = { host: "localhost", port: 8883, dialer: network, clock, random, tls: prepared.tls, version };
    const office = await clock.until(connectDevice({ ...common, clientId: "office" }));
    const arrived = new Set<string>();
    await clock.until(office.subscribe("#", ({ topic }) => void arrived.add(topic)));

    const dropped: string[] = [];
    const device = createDevice({
      ...common,
      clientId: "pump-7",
      offlineQueue: {},
      on: {
        offlineQueue: (event) => {
          if (event.type === "dropped") dropped.push(`${event.reason} ${event.message.topic}`);
        },
      },
    });
    const outcomes = topics.map((topic) =>
      device.publish(topic, "x").then(
        () => `${topic} acknowledged`,
        (error: unknown) => `${topic} ${isThinglineError(error) ? error.code : String(error)}`,
      ),
    );
    await clock.until(device.connect());
    const code = version === 4 ? "CONNECTION_LOST" : "MQTT_PUBLISH_REFUSED";
    const expected = topics.map((topic) => `${topic} ${topic.startsWith("denied") ? code : "acknowledged"}`);
    assert.deepEqual(await clock.until(Promise.all(outcomes)), expected);
    assert.deepEqual(dropped, ["refused denied/2", "refused denied/5"]);
    assert.deepEqual(
      [...arrived],
      topics.filter((topic) => topic.startsWith("up")),
    );
    await clock.until(device.close());
    await clock.until(office.close());
    await clock.until(cloud.close());
    await clock.advance(1_000);
    assert.equal(clock.timerCount, 0);
  });
}
