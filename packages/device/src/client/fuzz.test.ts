import assert from "node:assert/strict";
import { test } from "node:test";
import { ThinglineError } from "@thingline/protocol";
import { createVirtualRandom } from "@thingline/transport/virtual";
import fc from "fast-check";
import type { Device } from "../device.js";
import { agree, FakeCloud, type FakeConnection } from "./fake-cloud.test.support.js";

const isLong = process.env["THINGLINE_TEST_LONG"] === "1";

const steps = [
  "connect",
  "connectAborted",
  "disconnect",
  "publish0",
  "publish1",
  "publishAborted",
  "subscribe",
  "loop",
  "closeSubscription",
  "unsubscribe",
  "ping",
  "message",
  "cut",
  "cutWithError",
  "malformed",
  "cloudAgrees",
  "cloudIsSilent",
  "cloudRefuses",
  "cloudCutsPublish",
  "cloudKeepsSession",
  "dialFails",
  "dialIsFinal",
  "dialWorks",
  "listenerDisconnects",
  "listenerConnects",
  "turn",
  "second",
  "minute",
] as const;
type Step = (typeof steps)[number];

/** Does what it is told with a device and its cloud, and remembers every promise. */
class Player {
  readonly cloud: FakeCloud;
  readonly device: Device;
  readonly #pending = new Set<string>();
  readonly #subscriptions: { close: () => Promise<void>; isClosed: boolean }[] = [];
  readonly #fails: (() => void)[] = [];
  opened = 0;
  ended = 0;
  #count = 0;
  #isSessionPresent = false;

  constructor(version: 4 | 5, seed: number) {
    this.cloud = new FakeCloud({ version, answer: (packet) => this.#agree(packet) });
    this.device = this.cloud.create({
      random: createVirtualRandom(seed),
      applicationTopics: ["app"],
      requestsShadow: seed % 2 === 0,
      keepAliveSeconds: 30,
      ackTimeoutMs: 5000,
      closeTimeoutMs: 1000,
      queueMax: 5,
      inflightMax: 2,
      reconnect: { firstAttempt: seed % 3 === 0 ? "retry" : "fail", ...(seed % 5 === 0 ? { attemptsMax: 3 } : {}) },
    });
    this.device.on("disconnected", () => void (this.ended += 1));
    const dial = this.cloud.dial.bind(this.cloud);
    this.cloud.dial = async (target, options) => {
      const connection = (await dial(target, options)) as FakeConnection;
      const start = connection.start.bind(connection);
      // One that comes after disconnect() is never used.
      connection.start = (handlers) => {
        this.opened += 1;
        start(handlers);
      };
      return connection;
    };
  }

  get pending(): string[] {
    return [...this.#pending];
  }

  #agree(packet: Parameters<typeof agree>[0]): void {
    if (packet.type !== "connect") return agree(packet, this.cloud);
    this.cloud.send({ type: "connack", isSessionPresent: this.#isSessionPresent, reasonCode: 0 });
  }

  watch(name: string, promise: Promise<unknown>): void {
    const id = `${name} ${++this.#count}`;
    this.#pending.add(id);
    promise
      .catch((error: unknown) => {
        if (!(error instanceof ThinglineError)) this.#fails.push(() => assert.fail(`${id}: ${String(error)}`));
      })
      .finally(() => this.#pending.delete(id))
      .catch(() => undefined);
  }

  async step(step: Step): Promise<void> {
    const { cloud, device } = this;
    const { clock } = cloud;
    switch (step) {
      case "connect":
        return this.watch(step, device.connect());
      case "connectAborted": {
        const controller = new AbortController();
        this.watch(step, device.connect({ signal: controller.signal }));
        clock.afterTurn(() => controller.abort());
        return;
      }
      case "disconnect":
        return this.watch(step, device.disconnect());
      case "publish0":
        return this.watch(step, device.publish("t", "x", { qos: 0 }));
      case "publish1":
        return this.watch(step, device.publish("t", "x"));
      case "publishAborted": {
        const controller = new AbortController();
        this.watch(step, device.publish("t", "x", { signal: controller.signal }));
        clock.afterTurn(() => controller.abort());
        return;
      }
      case "subscribe":
        return this.watch(
          step,
          device
            .subscribe(["own", `own/${this.#count % 3}`], () => undefined)
            .then((own) => this.#subscriptions.push(own)),
        );
      case "loop":
        return this.watch(
          step,
          device.subscribe("loop").then(async (own) => {
            this.#subscriptions.push(own);
            for await (const message of own) assert.equal(message.topic, "loop");
          }),
        );
      case "closeSubscription": {
        const own = this.#subscriptions.shift();
        return own && this.watch(step, own.close());
      }
      case "unsubscribe":
        return this.watch(step, device.unsubscribe(["own", "app"]));
      case "ping":
        try {
          return device.ping();
        } catch (error) {
          assert.ok(error instanceof ThinglineError);
          return;
        }
      case "message":
        if (device.isConnected) {
          cloud.send(cloud.message("loop", { qos: 1, packetId: 1 + (++this.#count % 5) }), cloud.message("app"));
        }
        return;
      case "cut":
        return cloud.connection.isStarted ? cloud.connection.end() : undefined;
      case "cutWithError":
        return cloud.connection.isStarted
          ? cloud.connection.end(new ThinglineError("CONNECTION_LOST", "reset"))
          : undefined;
      case "malformed":
        return device.isConnected ? cloud.connection.receive(new Uint8Array([0, 0])) : undefined;
      case "cloudAgrees":
        this.#isSessionPresent = false;
        cloud.answer = (packet) => this.#agree(packet);
        return;
      case "cloudKeepsSession":
        this.#isSessionPresent = true;
        cloud.answer = (packet) => this.#agree(packet);
        return;
      case "cloudIsSilent":
        cloud.answer = () => undefined;
        return;
      case "cloudRefuses":
        cloud.answer = (packet, self) => {
          if (packet.type === "connect") {
            self.send({ type: "connack", isSessionPresent: false, reasonCode: self.version === 4 ? 5 : 0x87 });
          }
        };
        return;
      case "cloudCutsPublish":
        cloud.answer = (packet, self) => (packet.type === "publish" ? self.connection.end() : this.#agree(packet));
        return;
      case "dialFails":
        cloud.dialError = new ThinglineError("CONNECTION_REFUSED", "no");
        return;
      case "dialIsFinal":
        cloud.dialError = new ThinglineError("KEY_MISMATCH", "no");
        return;
      case "dialWorks":
        cloud.dialError = undefined;
        return;
      case "listenerDisconnects": {
        const off = device.on("ready", () => {
          off();
          this.watch(step, device.disconnect());
        });
        return;
      }
      case "listenerConnects": {
        const off = device.on("disconnected", () => {
          off();
          this.watch(step, device.connect());
        });
        return;
      }
      case "turn":
        return clock.settle();
      case "second":
        return clock.advance(1000);
      case "minute":
        return clock.advance(60_000);
    }
  }

  check(): void {
    const { cloud, device } = this;
    for (const fail of this.#fails) fail();
    if (device.isConnected) assert.ok(["connecting", "ready", "closing"].includes(device.state), device.state);
    if (device.state === "idle") assert.equal(cloud.clock.timerCount, 0, "an idle device has a timer");
    if (device.state === "waiting") assert.equal(cloud.clock.timerCount, 1, "a waiting device has one timer");
    if (device.state === "idle" || device.state === "waiting") {
      assert.equal(device.connection, undefined);
      assert.equal(this.ended, this.opened, "one disconnected event for each connection");
    }
  }

  async finish(): Promise<void> {
    const { cloud, device } = this;
    this.watch("close", device.close());
    await cloud.clock.advance(3000);
    assert.deepEqual(this.pending, []);
    assert.equal(device.state, "closed");
    assert.equal(cloud.clock.timerCount, 0);
    assert.equal(this.ended, this.opened);
    for (const fail of this.#fails) fail();
  }
}

test("whatever is done to a device and its connection, in whatever order, it ends cleanly", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(4 as const, 5 as const),
      fc.nat(1000),
      fc.array(fc.constantFrom(...steps), { minLength: 5, maxLength: 40 }),
      async (version, seed, list) => {
        const player = new Player(version, seed);
        for (const step of list) {
          await player.step(step);
          player.check();
        }
        await player.finish();
      },
    ),
    isLong ? { numRuns: 20_000 } : { numRuns: 150, seed: 7 },
  );
});
