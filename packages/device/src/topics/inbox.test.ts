import assert from "node:assert/strict";
import { test } from "node:test";
import type { PublishPacket } from "@thingline/protocol/mqtt";
import { DeviceInbox, heldMessagesMax } from "./inbox.js";
import { MessageRouter } from "./router.js";

const packetOf = (index: number, qos: 0 | 1): PublishPacket => ({
  type: "publish",
  topic: `t/${index}`,
  payload: new Uint8Array(1),
  qos,
  packetId: qos === 0 ? undefined : index + 1,
  isRetained: false,
  isDuplicate: false,
});

for (const qos of [0, 1] as const) {
  test(`QoS ${qos}: heldMessagesMax messages wait for listeners, and one more is told and not acknowledged`, () => {
    const [told, reported, settled] = [[] as string[], [] as string[], [] as number[]];
    const inbox = new DeviceInbox(new MessageRouter(["#"], []), 100, true, {
      data: ({ topic }) => void told.push(topic),
      report: ({ code }) => void reported.push(code),
      settle: (packetId) => void settled.push(packetId),
    });
    const packets = Array.from({ length: heldMessagesMax }, (_, index) => packetOf(index, qos));
    for (const packet of packets) assert.equal(inbox.receive(packet, 1), "pending");
    assert.deepEqual(reported, []);
    assert.equal(inbox.receive(packetOf(heldMessagesMax, qos), 1), qos === 0 ? "settled" : "pending");
    assert.equal(reported.length, 1);
    inbox.release();
    assert.deepEqual(
      told,
      packets.map(({ topic }) => topic),
    );
    assert.equal(settled.length, qos === 0 ? 0 : heldMessagesMax);
  });
}
