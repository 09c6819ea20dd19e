// Commands over a whole cloud: what a device hears that was away.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { MqttPacket } from "@thingline/protocol/mqtt";
import {
  createVirtualClock,
  createVirtualFiles,
  createVirtualKeys,
  createVirtualNetwork,
  createVirtualRandom,
} from "@thingline/transport/virtual";
import { createCloud } from "./cloud.js";
import { mqttOver } from "./mqtt-over.test.support.js";
import { createMemoryStore } from "./store/memory.js";

const commandArn = "arn:aws:iot:us-east-1:123456789012:command/beep";
const targetArn = "arn:aws:iot:us-east-1:123456789012:client/pump";
const request = "$aws/commands/clients/pump/executions/+/request";

async function openWorld() {
  const clock = createVirtualClock();
  const random = createVirtualRandom(1);
  const network = createVirtualNetwork({ clock, random });
  const none = () => undefined;
  const log = { debug: none, info: none, warn: none, error: none };
  const wait = <T>(promise: Promise<T>): Promise<T> => clock.untilSettled(promise, { stepMs: 1 });
  const address = (port: number) => ({ host: "localhost", port, optionName: "port" });
  const cloud = await wait(
    createCloud(
      {
        network,
        clock,
        random,
        log,
        keys: createVirtualKeys({ random }),
        files: createVirtualFiles(),
        store: createMemoryStore(),
      },
      { folder: "/cloud", mqtts: address(8883), https: address(8443), mqtt: address(1883) },
    ),
  );
  const content = new TextEncoder().encode("beep");
  await wait(cloud.run(cloud.commands.createCommand, { commandId: "beep", payload: { content, contentType: "a/b" } }));
  const connect = async (isCleanStart: boolean) => {
    const connection = await wait(network.dial({ host: "localhost", port: 1883 }));
    const properties = { sessionExpirySeconds: 3_600 };
    const client = mqttOver(connection, "pump", { isCleanStart, properties });
    while (client.packets.length === 0) await clock.advance(1);
    return { connection, ...client };
  };
  const start = async (executionTimeoutSeconds: number) => {
    const input = { commandArn, targetArn, executionTimeoutSeconds };
    return (await wait(cloud.run(cloud.commands.startCommandExecution, input))).executionId ?? "";
  };
  const requestsOf = (packets: readonly MqttPacket[]) =>
    packets.flatMap((packet) =>
      packet.type === "publish" ? [[packet.topic.split("/")[5], packet.properties] as const] : [],
    );
  return { clock, wait, cloud, connect, start, requestsOf };
}

test("a device that was away gets what is not over yet, with the time that is left, and is answered without a subscription", async () => {
  const { clock, wait, cloud, connect, start, requestsOf } = await openWorld();
  const first = await connect(true);
  first.send({
    type: "subscribe",
    packetId: 1,
    subscriptions: [{ filter: request, qos: 1 }],
  });
  while (first.packets.length < 2) await clock.advance(1);
  first.connection.destroy();
  await wait(first.closed);
  await start(60);
  const executionId = await start(600);
  await clock.advance(60_000);
  const again = await connect(false);
  await clock.advance(10);
  const [[found, properties] = [], ...others] = requestsOf(again.packets);
  assert.deepEqual([found, others], [executionId, []]);
  assert.equal(properties?.contentType, "a/b");
  assert.ok([538, 539].includes(properties?.messageExpirySeconds ?? 0), String(properties?.messageExpirySeconds));
  const topic = `$aws/commands/clients/pump/executions/${executionId}/response/json`;
  const payload = new TextEncoder().encode('{"status":"SUCCEEDED"}');
  again.send({ type: "publish", topic, payload, qos: 1, packetId: 2, isDuplicate: false, isRetained: false });
  const isAnswer = (packet: MqttPacket) =>
    packet.type === "publish" && packet.topic.endsWith("/response/accepted/json");
  while (!again.packets.some(isAnswer)) await clock.advance(1);
  const { status } = await wait(cloud.run(cloud.commands.getCommandExecution, { executionId, targetArn }));
  assert.equal(status, "SUCCEEDED");
  again.connection.destroy();
  await wait(cloud.close());
  assert.equal(clock.timerCount, 0);
});
