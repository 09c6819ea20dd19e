// npm run bench -- shadow [--seconds N] [--rounds N] [--devices N] [--json]
// Shadow updates a second, each acknowledged after its commit, and their share of plain QoS 1 messages that the same
// devices publish to the same broker in the same run.
import { connect, type Socket } from "node:net";
import { performance } from "node:perf_hooks";
import { encodeToBytes, type MqttPacket } from "@thingline/protocol/mqtt";
import { startShadowServer, type BenchServer } from "./broker-servers.js";
import { answerOwnRows, ownRowsOptions, type OwnMeasurement } from "./own-rows.js";
import { fail, median, positive, readOptions, row, say, thousands, wait } from "./tools.js";

const values = readOptions({
  seconds: { type: "string", default: "2" },
  rounds: { type: "string", default: "3" },
  devices: { type: "string", default: "50" },
  json: { type: "boolean", default: false },
  ...ownRowsOptions,
});
const seconds = positive("seconds", values.seconds);
const rounds = positive("rounds", values.rounds);
const devices = positive("devices", values.devices);
/** Unacknowledged messages of one device. */
const windowMessages = 10;
const warmUpSeconds = 0.5;
const widths = [10, 16] as const;
const payload = new TextEncoder().encode(
  JSON.stringify({ state: { reported: { temperature: 21.5, pressure: 1013, status: "x".repeat(36) } } }),
);
const kinds = {
  shadow: (device: number) => `$aws/things/d${device}/shadow/update`,
  plain: (device: number) => `plain/d${device}`,
};
type Kind = keyof typeof kinds;
const stores = ["memory", "lmdb"] as const;

const own = stores.flatMap((store) =>
  (["plain", "shadow"] as const).map((kind): OwnMeasurement => ({
    rows: [
      {
        name: kind === "plain" ? `plain QoS 1, ${store}` : `shadow updates, ${store}`,
        unit: "messages/s",
        isMore: true,
      },
    ],
    measure: async () => {
      const server = await startShadowServer(store);
      try {
        return [await measure(server, kind)];
      } finally {
        await server.stop();
      }
    },
  })),
);
if (!(await answerOwnRows(values, own))) await compare();

async function compare(): Promise<void> {
  if (!values.json) {
    say(`${devices} devices, ${payload.length}-byte payload, QoS 1, ${windowMessages} in flight each, plain TCP.`);
    say(`Acknowledged messages per second, median of ${rounds} rounds of ${seconds} s.\n`);
    say(row(["store", "plain QoS 1", "shadow updates", "share"], widths));
  }
  for (const store of stores) {
    const server = await startShadowServer(store);
    try {
      const rates: Record<Kind, number[]> = { plain: [], shadow: [] };
      for (let round = 0; round < rounds; round++) {
        for (const kind of ["plain", "shadow"] as const) rates[kind].push(await measure(server, kind));
      }
      const [plain, shadow] = [median(rates.plain), median(rates.shadow)];
      if (values.json)
        say(JSON.stringify({ store, plainPerSecond: plain, shadowPerSecond: shadow, share: shadow / plain }));
      else say(row([store, thousands(plain), thousands(shadow), `${((100 * shadow) / plain).toFixed(1)}%`], widths));
    } finally {
      await server.stop();
    }
  }
}

async function measure({ port }: BenchServer, kind: Kind): Promise<number> {
  const clients = await Promise.all(
    Array.from({ length: devices }, async (_none, device) => {
      const socket = await open(port, `${kind}-${device}-${Math.round(performance.now())}`);
      return startPublishing(socket, kinds[kind](device));
    }),
  );
  const total = (): number => clients.reduce((sum, client) => sum + client.acknowledged(), 0);
  await wait(warmUpSeconds);
  const before = { count: total(), ms: performance.now() };
  await wait(seconds);
  const rate = ((total() - before.count) * 1000) / (performance.now() - before.ms);
  for (const { socket } of clients) socket.destroy();
  if (rate === 0) fail(`${kind}: nothing was acknowledged`);
  return rate;
}

/** Fills the window again with each PUBACK; the answers of the shadow service are not subscribed to. */
function startPublishing(socket: Socket, topic: string) {
  const packets = Array.from({ length: windowMessages }, (_none, at) => {
    const packet: MqttPacket = { type: "publish", topic, payload, qos: 1, isRetained: false, isDuplicate: false };
    return Buffer.from(encodeToBytes({ ...packet, packetId: at + 1 }, 4));
  });
  let bytes = 0;
  let sent = windowMessages;
  socket.on("data", (chunk) => {
    bytes += chunk.length;
    // A PUBACK has four bytes, and acknowledgements come in the order of the messages.
    const due = (bytes >> 2) + windowMessages - sent;
    if (due <= 0) return;
    const batch = Array.from({ length: due }, (_none, at) => packets[(sent + at) % windowMessages]!);
    sent += due;
    socket.write(Buffer.concat(batch));
  });
  socket.write(Buffer.concat(packets));
  return { socket, acknowledged: () => bytes >> 2 };
}

function open(port: number, clientId: string): Promise<Socket> {
  const packet: MqttPacket = { type: "connect", version: 4, clientId, isCleanStart: true, keepAliveSeconds: 600 };
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true }, () => socket.write(encodeToBytes(packet, 4)));
    socket.once("error", reject);
    socket.once("data", (connack) => {
      socket.on("close", () => undefined);
      if (connack[3] === 0) resolve(socket);
      else reject(new Error(`CONNACK ${connack[3]}`));
    });
  });
}
