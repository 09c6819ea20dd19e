// A job is rolled out to all things of a group at once, while a bystander's messages go to the broker and back to it: how long they take, and
// how long without the rollout.
import { connect, type Socket } from "node:net";
import { performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { encodeToBytes, type MqttPacket } from "@thingline/protocol/mqtt";
import type { RolloutAnswer, RolloutTask } from "./rollout-server.js";
import { fail, median, wait, Worker } from "./tools.js";

/** Between two messages of the bystander. */
export const intervalMs = 2;
const topic = "bystander";

export interface BystanderOptions {
  store: "memory" | "lmdb";
  things: number;
  rounds: number;
  idleSeconds: number;
}

export interface BystanderFigures {
  idleP99Ms: number;
  busyP99Ms: number;
  seconds: number;
}

export async function measureBystander(options: BystanderOptions): Promise<BystanderFigures> {
  const { store, things, rounds, idleSeconds } = options;
  const server = new Worker(fileURLToPath(new URL("rollout-server.js", import.meta.url)), [store]);
  const ask = (task: RolloutTask) => server.ask<RolloutAnswer>(task);
  try {
    const prepared = await ask({ type: "prepare", things });
    if (!("port" in prepared)) return fail("the server did not say its port");
    const bystander = await openBystander(prepared.port);
    await wait(1);
    bystander.take();
    const rows: BystanderFigures[] = [];
    for (let round = 0; round < rounds; round++) {
      await wait(idleSeconds);
      const idleP99Ms = p99(bystander.take());
      const done = await ask({ type: "rollout", jobId: `job-${round}` });
      rows.push({ idleP99Ms, busyP99Ms: p99(bystander.take()), seconds: "seconds" in done ? done.seconds : NaN });
    }
    bystander.close();
    const of = (name: keyof BystanderFigures) => median(rows.map((measured) => measured[name]));
    return { idleP99Ms: of("idleP99Ms"), busyP99Ms: of("busyP99Ms"), seconds: of("seconds") };
  } finally {
    await ask({ type: "close" });
    await server.stop();
  }
}

function p99(durationsMs: readonly number[]): number {
  const sorted = [...durationsMs].sort((left, right) => left - right);
  return sorted[Math.floor(sorted.length * 0.99)] ?? NaN;
}

/** Sends itself a numbered message at each interval, whether the one before came back or not. */
async function openBystander(port: number) {
  const socket = await open(port);
  const sentMs = new Map<number, number>();
  const durations: number[] = [];
  let packetId = 2;
  let received = Buffer.alloc(0);
  socket.on("data", (chunk) => {
    received = Buffer.concat([received, chunk]);
    while (received.length >= 2 && received.length >= 2 + received[1]!) {
      const packet = received.subarray(0, 2 + received[1]!);
      received = received.subarray(packet.length);
      // Only a PUBLISH comes back with the number; QoS 0 to the subscriber, so that it has no packet identifier.
      if (packet[0]! >> 4 !== 3) continue;
      const number = packet.readUInt16BE(packet.length - 2);
      durations.push(performance.now() - (sentMs.get(number) ?? NaN));
      sentMs.delete(number);
    }
  });
  const timer = setInterval(() => {
    packetId = packetId === 65_535 ? 2 : packetId + 1;
    const payload = Uint8Array.of(packetId >> 8, packetId & 0xff);
    const packet: MqttPacket = {
      type: "publish",
      topic,
      payload,
      qos: 1,
      packetId,
      isRetained: false,
      isDuplicate: false,
    };
    sentMs.set(packetId, performance.now());
    socket.write(encodeToBytes(packet, 4));
  }, intervalMs);
  return {
    /** What was measured since the last call; a message that has not come back yet counts with its age. */
    take: () => [...durations.splice(0), ...[...sentMs.values()].map((atMs) => performance.now() - atMs)],
    close() {
      clearInterval(timer);
      socket.destroy();
    },
  };
}

async function open(port: number): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  const answer = () => new Promise<Buffer>((resolve) => socket.once("data", resolve));
  const ask = (packet: MqttPacket) => {
    socket.write(encodeToBytes(packet, 4));
    return answer();
  };
  const clientId = topic;
  const connack = await ask({ type: "connect", version: 4, clientId, isCleanStart: true, keepAliveSeconds: 600 });
  if (connack[3] !== 0) fail("the bystander was refused");
  await ask({ type: "subscribe", packetId: 1, subscriptions: [{ filter: topic, qos: 0 }] });
  return socket;
}
