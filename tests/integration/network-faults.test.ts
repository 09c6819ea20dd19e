// Real TLS, cut by a proxy at every record boundary and at a sample of other bytes, from the first byte of the handshake to
// PUBACK: the device comes back by itself, and what it was told is acknowledged is in the cloud.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectTcp, createServer, type Server, type Socket } from "node:net";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startCloud, type StartedCloud } from "@thingline/cloud/node";
import { connectDevice, createDevice, type Device } from "@thingline/device";
import { createNodeClock, createNodeNetwork, createNodeRandom } from "@thingline/transport/node";

const isLong = process.env["THINGLINE_TEST_LONG"] === "1";
type Side = "client" | "server";
/** `silent`: the bytes after it never arrive, and both sockets stay open. */
type Ending = "reset" | "end" | "silent";

interface Cut {
  side: Side;
  bytes: number;
  ending: Ending;
}

/** Forwards bytes; what it does to the first connection is told beforehand. */
class CuttingProxy {
  readonly #server: Server;
  readonly #target: number;
  readonly #cut: Cut | undefined;
  readonly sockets = new Set<Socket>();
  connectionCount = 0;
  /** Of the first connection. */
  readonly bytes = { client: 0, server: 0 };
  /** Where its TLS records end. */
  readonly boundaries = { client: new RecordEnds(), server: new RecordEnds() };

  constructor(target: number, cut: Cut | undefined) {
    this.#target = target;
    this.#cut = cut;
    this.#server = createServer((socket) => this.#accept(socket));
  }

  async listen(): Promise<number> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }

  #accept(client: Socket): void {
    const isFirst = this.connectionCount++ === 0;
    const server = connectTcp(this.#target, "127.0.0.1");
    for (const socket of [client, server]) {
      this.sockets.add(socket);
      socket.on("close", () => this.sockets.delete(socket));
      socket.on("error", () => undefined);
      socket.setNoDelay(true);
    }
    const state = { isCut: false };
    this.#forward("client", client, server, isFirst, state);
    this.#forward("server", server, client, isFirst, state);
  }

  #forward(side: Side, from: Socket, to: Socket, isFirst: boolean, state: { isCut: boolean }): void {
    from.on("data", (bytes: Buffer) => {
      if (state.isCut) return;
      const cut = isFirst && this.#cut?.side === side ? this.#cut : undefined;
      const room = cut === undefined ? Infinity : cut.bytes - this.bytes[side];
      const kept = bytes.subarray(0, Math.min(bytes.length, room));
      if (isFirst) {
        this.bytes[side] += kept.length;
        this.boundaries[side].push(kept);
      }
      if (cut === undefined || bytes.length < room) return void to.write(kept);
      state.isCut = true;
      if (cut.ending === "silent") return void to.write(kept);
      // Not before the bytes ahead of it have left.
      to.write(kept, () => {
        for (const socket of [from, to]) {
          if (cut.ending === "reset") socket.resetAndDestroy();
          else socket.end();
        }
      });
    });
    from.on("end", () => state.isCut || to.end());
    from.on("close", () => to.destroy());
  }
}

/** Offsets at which TLS records end, in a stream that comes in any pieces. */
class RecordEnds {
  readonly offsets: number[] = [];
  #at = 0;
  #header: number[] = [];
  #endsAt = 0;

  push(bytes: Uint8Array): void {
    for (const byte of bytes) {
      this.#at += 1;
      if (this.#at <= this.#endsAt) {
        if (this.#at === this.#endsAt) this.offsets.push(this.#at);
        continue;
      }
      this.#header.push(byte);
      if (this.#header.length < 5) continue;
      this.#endsAt = this.#at + (this.#header[3] ?? 0) * 256 + (this.#header[4] ?? 0);
      this.#header = [];
    }
  }
}

let started: StartedCloud;
let office: Device;
let tls: { ca: string; certificate: string; privateKey: string };
const arrived = new Set<string>();
const adapters = { dialer: createNodeNetwork(), clock: createNodeClock(), random: createNodeRandom() };

before(async () => {
  started = await startCloud({ memory: true, mqttsPort: 0, httpsPort: 0, apiPort: 0, limits: "none", keyPoolSize: 0 });
  const { registry } = started.cloud;
  const issued = await started.cloud.run(registry.createKeysAndCertificate, { setAsActive: true });
  const policyDocument = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:*","Resource":"*"}}';
  await started.cloud.run(registry.createPolicy, { policyName: "all", policyDocument });
  await started.cloud.run(registry.attachPolicy, { policyName: "all", target: issued.certificateArn });
  tls = { ca: started.caPem, certificate: issued.certificatePem, privateKey: issued.keyPair.PrivateKey };
  office = await connectDevice({ ...adapters, endpoint: started.addresses.mqtts, clientId: "office", tls });
  await office.subscribe("up/#", ({ topic, payload }) => {
    arrived.add(`${topic} ${new TextDecoder().decode(payload)}`);
  });
});

after(async () => {
  await office.close();
  await started.close();
});

const portOf = (address: string): number => Number(address.split(":").at(-1));
/** Longer than any back-off or time-out here, and shorter than the time that a file has. */
const patienceMs = 60_000;
const until = async (what: string, condition: () => boolean): Promise<void> => {
  const endMs = performance.now() + patienceMs;
  while (!condition()) {
    if (performance.now() > endMs) throw new Error(`not within ${patienceMs} ms: ${what}`);
    await sleep(5);
  }
};

interface Run {
  bytes: Record<Side, number>;
  boundaries: Record<Side, number[]>;
  connectionCount: number;
}

let runCount = 0;

/** A device behind a proxy: connects, subscribes, publishes, and must get its PUBACKs whatever the proxy does. */
async function run(maxVersion: "TLSv1.2" | "TLSv1.3", cut: Cut | undefined): Promise<Run> {
  const clientId = `pump-${++runCount}`;
  const what = `${clientId}: ${maxVersion}, ${cut === undefined ? "no cut" : JSON.stringify(cut)}`;
  const proxy = new CuttingProxy(portOf(started.addresses.mqtts), cut);
  const device = createDevice({
    ...adapters,
    host: "127.0.0.1",
    port: await proxy.listen(),
    serverName: "localhost",
    clientId,
    tls: { ...tls, maxVersion },
    reconnect: { baseMs: 50, capMs: 100, firstAttempt: "retry" },
    connectTimeoutMs: 700,
    connackTimeoutMs: 700,
    keepAliveSeconds: 1,
    applicationTopics: [`down/${clientId}`],
  });
  try {
    const connecting = device.connect();
    const publishing = ["one", "two", "three"].map((payload) => device.publish(`up/${clientId}`, payload));
    await Promise.all([connecting, ...publishing]);
    await until("three messages arrive", () =>
      ["one", "two", "three"].every((payload) => arrived.has(`up/${clientId} ${payload}`)),
    );
    assert.equal(device.state, "ready", what);
  } catch (error) {
    throw new Error(what, { cause: error });
  } finally {
    await device.close();
  }
  await until(`${what}: no socket is left`, () => proxy.sockets.size === 0 || cut?.ending === "silent");
  await proxy.close();
  const { bytes, boundaries, connectionCount } = proxy;
  const offsets = { client: boundaries.client.offsets, server: boundaries.server.offsets };
  return { bytes, boundaries: offsets, connectionCount };
}

/** As many at a time as keep both cores busy while most of them wait for their second before the next attempt. */
async function inLanes<T>(items: readonly T[], laneCount: number, body: (item: T) => Promise<unknown>): Promise<void> {
  const queue = [...items];
  await Promise.all(
    Array.from({ length: laneCount }, async () => {
      for (let item = queue.shift(); item !== undefined; item = queue.shift()) await body(item);
    }),
  );
}

// Most of the time is spent waiting for the second before the next attempt.
describe("a proxy cuts real TLS", { concurrency: 2 }, () => {
  for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
    test(
      `${version}: cut anywhere, the device comes back and nothing acknowledged is lost`,
      { timeout: isLong ? 600_000 : 240_000 },
      async () => {
        const whole = await run(version, undefined);
        assert.equal(whole.connectionCount, 1);
        const cuts: Cut[] = [];
        for (const side of ["client", "server"] as const) {
          const { [side]: ends } = whole.boundaries;
          assert.ok(ends.length >= 4, `${ends.length} records from the ${side}`);
          // Ends of records, and bytes inside of them: the lengths of handshakes differ by a few bytes from run to run.
          const step = isLong ? 19 : 701;
          const inside = Array.from({ length: Math.ceil(whole.bytes[side] / step) }, (_, index) => index * step + 3);
          const endings: Ending[] = isLong ? ["reset", "end", "silent"] : ["reset"];
          for (const ending of endings) for (const bytes of [...ends, ...inside]) cuts.push({ side, bytes, ending });
          if (!isLong) {
            for (const bytes of [ends[0] ?? 1, ends.at(-1) ?? 1]) cuts.push({ side, bytes, ending: "silent" });
            cuts.push({ side, bytes: ends[1] ?? 1, ending: "end" });
          }
        }
        let reconnected = 0;
        await inLanes(cuts, 40, async (cut) => {
          const { connectionCount } = await run(version, cut);
          if (connectionCount > 1) reconnected += 1;
        });
        assert.ok(reconnected > cuts.length * 0.8, `${reconnected} of ${cuts.length} had to dial again`);
      },
    );
  }
});

test("no socket is left", async () => {
  await office.close();
  await started.close();
  await until("no socket is left", () => !process.getActiveResourcesInfo().some((name) => /TCP|TLS/.test(name)));
});
