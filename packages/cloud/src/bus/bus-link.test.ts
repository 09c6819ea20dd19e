import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { createVirtualClock, createVirtualRandom } from "@thingline/transport/virtual";
import { createVirtualBus, type VirtualBusOptions } from "../contract/virtual-bus.js";
import { busAttemptsMax, BusLink, busRetryDelayMs, busUnsettledMax, type Outgoing } from "./bus-link.js";
import { busTimeoutMs, type BusOrder } from "./bus.js";
import { createLocalBus } from "./local-bus.js";
import { SeenMessages, seenMessagesMax, seenPublishersMax, seenTopicsMax } from "./seen-messages.js";

const message = (topic: string, text: string, qos: 0 | 1 = 1): Outgoing => ({
  ...{ id: undefined, topic, payload: new TextEncoder().encode(text), qos, isRetained: false, properties: undefined },
  ...{ expiresAtMs: undefined, onlyToClientId: undefined, retained: undefined },
});

/** Brokers that keep what they take, as a broker does: each message once. */
async function openWorld(names: readonly string[], options: Omit<VirtualBusOptions, "clock" | "random"> = {}) {
  const clock = createVirtualClock();
  const bus = createVirtualBus({ clock, random: createVirtualRandom(11), ...options });
  const brokers = names.map((name) => {
    const seen = new SeenMessages();
    const taken: string[] = [];
    const orders: BusOrder["type"][] = [];
    const port = bus.attach(
      {
        onMessage: ({ id, topic, payload, qos }) => {
          const take = () => void taken.push(`${topic}=${new TextDecoder().decode(payload)}`);
          if (qos === 1) return seen.receive(id, topic, () => take());
          if (!seen.isLate(id, topic)) take();
          return undefined;
        },
        onControl: ({ id, type }) => seen.receive(id, undefined, () => void orders.push(type)),
      },
      name,
    );
    return { name, port, link: new BusLink({ clock, port, publisher: name }), taken, orders };
  });
  const met = () => brokers.every(({ port, name }) => names.every((other) => other === name || port.knows(other)));
  while (!met()) await clock.advance(busTimeoutMs);
  return { clock, bus, brokers };
}

test("on a bus that loses, repeats and reorders, each receiver gets each message once and in the order of its topic", async () => {
  const world = await openWorld(["a", "b", "c"], { delayMsMax: 300, lossRate: 0.2, repeatRate: 0.2 });
  const [a, b, c] = world.brokers;
  await world.clock.until(Promise.all([b!, c!].map(async ({ link }) => link.setInterest("t/#", true))));
  const numbers = Array.from({ length: 30 }, (_none, at) => at);
  const sent = numbers.flatMap((at) => ["t/1", "t/2"].map((topic) => a!.link.publish(message(topic, String(at)))));
  const order = a!.link.control({ type: "disconnectClient", clientId: "c", reason: "r" });
  await world.clock.until(Promise.all([...sent, order]));
  for (const { taken, orders } of [b!, c!]) {
    for (const topic of ["t/1", "t/2"]) {
      assert.deepEqual(
        taken.filter((line) => line.startsWith(topic)),
        numbers.map((at) => `${topic}=${at}`),
      );
    }
    assert.deepEqual(orders, ["disconnectClient"]);
  }
  for (const { link } of world.brokers) link.close();
});

test("QoS 0 is sent once and keeps its order; what a newer one has overtaken is dropped", async () => {
  const world = await openWorld(["a", "b"], { delayMsMax: 300, lossRate: 0.1 });
  const [a, b] = world.brokers;
  await world.clock.until(Promise.resolve(b!.link.setInterest("t", true)));
  for (let at = 100; at < 140; at++) {
    assert.equal(a!.link.publish(message("t", String(at), 0)), undefined);
    await world.clock.advance(50);
  }
  await world.clock.advance(busTimeoutMs);
  assert.ok(b!.taken.length > 10 && b!.taken.length < 40, String(b!.taken.length));
  assert.deepEqual(b!.taken, [...b!.taken].sort());
});

test("what nobody confirms is given up after busAttemptsMax attempts, and what follows has its turn", async () => {
  const world = await openWorld(["a", "b"]);
  const [a, b] = world.brokers;
  await world.clock.until(Promise.resolve(b!.link.setInterest("t", true)));
  world.bus.part("a", "b");
  const startMs = world.clock.monotonicMs();
  const first = a!.link.publish(message("t", "1"))!;
  const second = a!.link.publish(message("t", "2"))!;
  const timedOut = (error: unknown) => isThinglineError(error, "TIMEOUT");
  await assert.rejects(world.clock.until(first), timedOut);
  const tookMs = world.clock.monotonicMs() - startMs;
  assert.equal(tookMs, busAttemptsMax * busTimeoutMs + (busAttemptsMax - 1) * busRetryDelayMs);
  world.bus.heal();
  await world.clock.until(second);
  assert.deepEqual(b!.taken, ["t=2"]);
});

test("a broker that is forgotten is waited for no more", async () => {
  const world = await openWorld(["a", "b"]);
  const [a, b] = world.brokers;
  await world.clock.until(Promise.resolve(b!.link.setInterest("t", true)));
  world.bus.kill("b");
  const sent = a!.link.publish(message("t", "1"))!;
  await world.clock.advance(2 * busTimeoutMs);
  a!.link.forget("b");
  await world.clock.until(sent);
  assert.equal(a!.link.isAlone, true);
});

test("interest is counted; it is said again until all know, and the last word counts", async () => {
  const world = await openWorld(["a", "b"]);
  const [a, b] = world.brokers;
  world.bus.lossRate = 0.4;
  const first = b!.link.setInterest("t", true);
  const second = b!.link.setInterest("t", true);
  assert.equal(first, second, "whoever comes meanwhile waits for the same");
  await world.clock.until(Promise.resolve(first));
  assert.equal(a!.link.hasInterest("t"), true);
  void b!.link.setInterest("t", false);
  await world.clock.advance(20_000);
  assert.equal(a!.link.hasInterest("t"), true);
  void b!.link.setInterest("t", false);
  await world.clock.advance(20_000);
  assert.equal(a!.link.hasInterest("t"), false);
  for (let round = 0; round < 5; round++) {
    b!.link.setInterest("u", true)?.catch(() => undefined);
    void b!.link.setInterest("u", false);
  }
  const last = b!.link.setInterest("u", true);
  await world.clock.until(Promise.resolve(last));
  await world.clock.advance(20_000);
  assert.equal(a!.link.hasInterest("u"), true);
});

test("interest that cannot be made known fails, and is told again to who asks again", async () => {
  const world = await openWorld(["a", "b"]);
  const [a, b] = world.brokers;
  world.bus.part("a", "b");
  await assert.rejects(world.clock.until(b!.link.setInterest("t", true)!), (error) =>
    isThinglineError(error, "TIMEOUT"),
  );
  world.bus.heal();
  await world.clock.until(b!.link.setInterest("t", true)!);
  assert.equal(a!.link.hasInterest("t"), true);
});

test("more than busUnsettledMax messages that are not settled are refused", async () => {
  const world = await openWorld(["a", "b"]);
  const [a, b] = world.brokers;
  await world.clock.until(Promise.resolve(b!.link.setInterest("#", true)));
  const sent = Array.from({ length: busUnsettledMax }, (_none, at) => a!.link.publish(message(`t/${at}`, "x"))!);
  await assert.rejects(a!.link.publish(message("u", "x"))!, (error) => isThinglineError(error, "LIMIT_EXCEEDED"));
  await world.clock.until(Promise.all(sent));
  await world.clock.until(a!.link.publish(message("u", "x"))!);
  assert.equal(b!.taken.length, busUnsettledMax + 1);
});

test("a link that is closed ends what waits, and leaves no timer", async () => {
  const world = await openWorld(["a", "b"]);
  const [a, b] = world.brokers;
  await world.clock.until(Promise.resolve(b!.link.setInterest("t", true)));
  world.bus.part("a", "b");
  const sent = a!.link.publish(message("t", "1"))!;
  const refused = assert.rejects(sent, (error) => isThinglineError(error, "CLOSED"));
  await world.clock.advance(busTimeoutMs + 1);
  a!.link.close();
  await refused;
  b!.link.close();
  assert.equal(world.clock.timerCount, 0);
});

test("on the bus of one process a message is handed over in the call", async () => {
  const clock = createVirtualClock();
  const bus = createLocalBus();
  const taken: string[] = [];
  const ear = {
    onMessage: ({ topic }: { topic: string }) => void taken.push(topic),
    onControl: () => undefined,
  };
  const [one, two] = [bus.attach(ear), bus.attach({ ...ear, onMessage: () => undefined })];
  const link = new BusLink({ clock, port: two, publisher: "two" });
  assert.equal(new BusLink({ clock, port: one, publisher: "one" }).setInterest("t", true), undefined);
  assert.equal(link.publish(message("t", "1")), undefined);
  assert.deepEqual(taken, ["t"]);
});

test("what was seen is remembered within bounds, and what is too old to be waited for is dropped", () => {
  const seen = new SeenMessages();
  let taken = 0;
  const take = () => void taken++;
  for (let sequence = 1; sequence <= 3 * seenMessagesMax; sequence++)
    void seen.receive({ publisher: "p", sequence }, "t", take);
  assert.equal(taken, 3 * seenMessagesMax);
  void seen.receive({ publisher: "p", sequence: 1 }, "other", take);
  void seen.receive({ publisher: "p", sequence: 3 * seenMessagesMax }, "t", take);
  assert.equal(taken, 3 * seenMessagesMax);
  assert.equal(seen.markOf({ publisher: "p", sequence: 3 * seenMessagesMax + 1 }), undefined);
  for (let count = 0; count < seenPublishersMax; count++)
    void seen.receive({ publisher: `q${count}`, sequence: 1 }, "t", take);
  assert.equal(
    seen.markOf({ publisher: "p", sequence: 3 * seenMessagesMax }),
    undefined,
    "the oldest publisher is forgotten",
  );
  for (let count = 0; count <= seenTopicsMax; count++) seen.isLate({ publisher: "r", sequence: 2 }, `t${count}`);
  assert.equal(seen.isLate({ publisher: "r", sequence: 1 }, `t${seenTopicsMax}`), true);
  assert.equal(seen.isLate({ publisher: "r", sequence: 1 }, "t0"), false, "the oldest topic is forgotten");
});

test("what a receiver could not do is not seen: its repetition is tried", async () => {
  const seen = new SeenMessages();
  const id = { publisher: "p", sequence: 1 };
  let attempts = 0;
  const fail = () => {
    attempts++;
    return Promise.reject(new Error("full"));
  };
  const first = seen.receive(id, "t", fail);
  assert.equal(seen.receive(id, "t", fail), first, "while it is tried, a repetition waits for the same");
  await assert.rejects(Promise.resolve(first));
  await assert.rejects(Promise.resolve(seen.receive(id, "t", fail)));
  assert.equal(attempts, 2);
  assert.equal(seen.markOf(id), undefined);
});

test("a repetition is taken once more when the receiver's mark has grown", async () => {
  const seen = new SeenMessages();
  const id = { publisher: "p", sequence: 1 };
  const since: (number | undefined)[] = [];
  const take = (mark: number | undefined) => void since.push(mark);
  for (const mark of [3, 3, 5, 5, 6]) void seen.receive(id, "t", take, mark);
  assert.deepEqual([since, seen.markOf(id)], [[undefined, 3, 5], 6]);
});
