import assert from "node:assert/strict";
import { test } from "node:test";
import { closeWorld, startWorld } from "./harness.test.support.js";

for (const version of [4, 5] as const) {
  for (const qos of [0, 1] as const) {
    test(`a message at QoS ${qos} reaches a subscriber in MQTT version ${version}`, async () => {
      const world = await startWorld();
      const subscriber = await world.connect("s", { version });
      const publisher = await world.connect("p", { version });
      assert.equal(subscriber.connack?.reasonCode, 0);
      assert.deepEqual(await subscriber.subscribe({ filter: "a/+", qos }), [qos]);
      assert.equal(await publisher.publish("a/b", "hello", { qos }), qos === 0 ? undefined : 0);
      assert.deepEqual(subscriber.messages, ["a/b=hello"]);
      assert.equal(subscriber.publishes[0]?.qos, qos);
      assert.equal(world.broker.stats().publishesDelivered, 1);
      await closeWorld(world);
    });
  }
}
