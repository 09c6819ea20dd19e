// npm run bench -- fota [--things N] [--rounds N] [--json]
// Downloads over HTTPS ranges: see download-rows.ts.
// A job is rolled out to all things of a group at once, while a bystander's messages go to the broker and back to it: how long they take, and
// how long without the rollout.
import { connect, type Socket } from "node:net";
import { performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { encodeToBytes, type MqttPacket } from "@thingline/protocol/mqtt";
import { compareDownloads, downloadMeasurements } from "./download-rows.js";
import { answerOwnRows, ownRowsOptions, type OwnMeasurement } from "./own-rows.js";
import type { RolloutAnswer, RolloutTask } from "./rollout-server.js";
import { compareStreams, streamMeasurements } from "./stream-rows.js";
import { fail, median, positive, readOptions, row, say, wait, Worker } from "./tools.js";

const values = readOptions({
  things: { type: "string", default: "10000" },
  rounds: { type: "string", default: "3" },
  json: { type: "boolean", default: false },
  ...ownRowsOptions,
});
const things = positive("things", values.things);
const rounds = positive("rounds", values.rounds);
/** Between two messages of the bystander. */
const intervalMs = 2;
const idleSeconds = 3;
/** What the bystander may wait at most: three times its idle value, or this. */
const allowedMs = 20;
const topic = "bystander";
const widths = [8, 14] as const;
const stores = ["memory", "lmdb"] as const;

interface Measured {
  idleP99Ms: number;
  busyP99Ms: number;
  seconds: number;
}

const own = stores.map((store): OwnMeasurement => ({
  rows: [
    { name: `bystander's p99 during a rollout, ${store}`, unit: "ms", isMore: false },
    { name: `rollout to ${things} things, ${store}`, unit: "s", isMore: false },
  ],
  measure: async () => {
    const { busyP99Ms, seconds } = await measure(store, 1);
    return [busyP99Ms, seconds];
  },
}));
if (!(await answerOwnRows(values, [...own, ...downloadMeasurements, ...streamMeasurements]))) {
  await compare();
  await compareDownloads({ rounds, json: values.json });
  await compareStreams({ rounds, json: values.json });
}

async function compare(): Promise<void> {
  if (!values.json) {
    say(
      `A job for a group of ${things} things, quotas off; a bystander's QoS 1 message to itself every ${intervalMs} ms.`,
    );
    say(`Median of ${rounds} rounds; allowed are 3 times the idle p99, or ${allowedMs} ms.\n`);
    say(row(["store", "idle p99", "rollout p99", "rollout", "allowed"], widths));
  }
  for (const store of stores) {
    const measured = await measure(store, rounds);
    const { idleP99Ms, busyP99Ms, seconds } = measured;
    const isKept = busyP99Ms <= Math.max(3 * idleP99Ms, allowedMs);
    if (values.json) say(JSON.stringify({ store, things, ...measured, isKept }));
    else {
      const ms = (value: number) => `${value.toFixed(2)} ms`;
      say(row([store, ms(idleP99Ms), ms(busyP99Ms), `${seconds.toFixed(1)} s`, isKept ? "kept" : "EXCEEDED"], widths));
    }
    if (!isKept) process.exitCode = 1;
  }
}

async function measure(store: (typeof stores)[number], count: number): Promise<Measured> {
  const server = new Worker(fileURLToPath(new URL("rollout-server.js", import.meta.url)), [store]);
  const ask = (task: RolloutTask) => server.ask<RolloutAnswer>(task);
  try {
    const prepared = await ask({ type: "prepare", things });
    if (!("port" in prepared)) return fail("the server did not say its port");
    const bystander = await openBystander(prepared.port);
    await wait(1);
    bystander.take();
    const rows: Measured[] = [];
    for (let round = 0; round < count; round++) {
      await wait(idleSeconds);
      const idleP99Ms = p99(bystander.take());
      const done = await ask({ type: "rollout", jobId: `job-${round}` });
      rows.push({ idleP99Ms, busyP99Ms: p99(bystander.take()), seconds: "seconds" in done ? done.seconds : NaN });
    }
    bystander.close();
    const of = (name: keyof Measured) => median(rows.map((measured) => measured[name]));
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
