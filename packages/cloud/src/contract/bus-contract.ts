import type { ContractHarness } from "@thingline/transport/contract";
import { codeOf } from "@thingline/transport/contract";
import type { Bus, BusControl, BusMessage, BusPort, BusReceiver } from "../bus/bus.js";

/** A bus for one test. */
export interface BusWorld {
  bus: Bus;
  /** Lets as much time pass as the promise needs. */
  until<T>(promise: Promise<T>): Promise<T>;
  clean(): Promise<void>;
}

/** A broker of the test: keeps what it hears, and confirms as it is told. */
class Ear implements BusReceiver {
  readonly heard: string[] = [];
  answer: () => Promise<void> | undefined = () => undefined;

  onMessage({ topic }: BusMessage): Promise<void> | undefined {
    this.heard.push(topic);
    return this.answer();
  }
  onControl({ type }: BusControl): Promise<void> | undefined {
    this.heard.push(type);
    return this.answer();
  }
}

let lastSequence = 0;
const id = () => ({ publisher: "contract", sequence: ++lastSequence });
const message = (topic: string, fields: Partial<BusMessage> = {}): BusMessage => ({
  ...{ id: id(), topic, payload: new Uint8Array(1), qos: 1, isRetained: false, properties: undefined },
  ...{ expiresAtMs: undefined, onlyToClientId: undefined, retained: undefined },
  ...fields,
});
const recheck = (): BusControl => ({ id: id(), type: "recheckPrincipal", certificateId: "c" });

/**
 * What every {@link Bus} keeps: who wants what is known when it was said to be, and nothing is confirmed that was not. Loss, order and
 * repetition are not the bus's: see `BusLink`.
 */
export function busContract({ test, assert }: ContractHarness, name: string, open: () => Promise<BusWorld>): void {
  const contract = (sentence: string, body: (world: BusWorld) => Promise<void>): void => {
    test(`${name}: ${sentence}`, async () => {
      const world = await open();
      try {
        await body(world);
      } finally {
        await world.clean();
      }
    });
  };
  const attach = (world: BusWorld, port?: string) => {
    const ear = new Ear();
    return { ear, port: world.bus.attach(ear, port) };
  };
  /** Brokers that know each other. */
  const attachTwo = async (world: BusWorld) => {
    const [one, two] = [attach(world, "one"), attach(world, "two")];
    await met(world, one.port, "two");
    await met(world, two.port, "one");
    return { one, two };
  };
  const met = async (world: BusWorld, port: BusPort, other: string): Promise<void> => {
    for (let look = 0; look < 1_000 && !port.knows(other); look++) await world.until(Promise.resolve());
    assert.ok(port.knows(other), `${other} is known`);
  };

  contract("one broker is alone, and has nobody to wait for", async (world) => {
    const { port, ear } = attach(world);
    assert.equal(port.isAlone, true);
    assert.equal(port.hasInterest("t"), false);
    assert.equal(port.setInterest("t", true), undefined);
    assert.equal(port.publish(message("t")), undefined);
    assert.equal(port.control(recheck()), undefined);
    assert.deepEqual(ear.heard, []);
    port.close();
  });

  contract("interest is known to the others when it was said to be, and given up", async (world) => {
    const { one, two } = await attachTwo(world);
    assert.equal(one.port.isAlone, false);
    await world.until(Promise.resolve(two.port.setInterest("a/+", true)));
    await world.until(Promise.resolve(two.port.setInterest("a/+", true)));
    assert.deepEqual([one.port.hasInterest("a/b"), one.port.hasInterest("b")], [true, false]);
    assert.equal(two.port.hasInterest("a/b"), false);
    await world.until(Promise.resolve(two.port.setInterest("a/+", false)));
    assert.equal(one.port.hasInterest("a/b"), false);
  });

  contract("who comes later knows what those before it want", async (world) => {
    const { two } = await attachTwo(world);
    await world.until(Promise.resolve(two.port.setInterest("t", true)));
    const late = attach(world, "late");
    await met(world, late.port, "two");
    assert.equal(late.port.hasInterest("t"), true);
    await met(world, two.port, "late");
    await world.until(Promise.resolve(late.port.setInterest("u", true)));
    assert.equal(two.port.hasInterest("u"), true);
  });

  contract("a message goes to those who want it, and is confirmed when they have", async (world) => {
    const { one, two } = await attachTwo(world);
    await world.until(Promise.resolve(two.port.setInterest("t", true)));
    let isStored = false;
    two.ear.answer = () => Promise.resolve().then(() => void (isStored = true));
    await world.until(Promise.resolve(one.port.publish(message("t"))));
    assert.equal(isStored, true);
    await world.until(Promise.resolve(one.port.publish(message("other"))));
    await world.until(Promise.resolve(two.port.publish(message("t"))));
    assert.deepEqual([one.ear.heard, two.ear.heard], [[], ["t"]]);
  });

  contract("retained messages, those for one client, and controls go to all", async (world) => {
    const { one, two } = await attachTwo(world);
    await world.until(
      Promise.resolve(one.port.publish(message("r", { isRetained: true, retained: { broker: "one", count: 1 } }))),
    );
    await world.until(Promise.resolve(one.port.publish(message("o", { onlyToClientId: "c" }))));
    await world.until(Promise.resolve(one.port.control(recheck())));
    assert.deepEqual(two.ear.heard, ["r", "o", "recheckPrincipal"]);
  });

  contract("who says that it wants a message while others have it is asked, also again", async (world) => {
    const { one, two } = await attachTwo(world);
    const late = attach(world, "late");
    await met(world, one.port, "late");
    await met(world, late.port, "two");
    await world.until(Promise.resolve(two.port.setInterest("t", true)));
    let release: () => void = () => undefined;
    two.ear.answer = () => new Promise<void>((resolve) => (release = resolve));
    const sent = one.port.publish(message("t"));
    for (let look = 0; look < 1_000 && two.ear.heard.length === 0; look++) await world.until(Promise.resolve());
    await world.until(Promise.resolve(late.port.setInterest("t", true)));
    await world.until(Promise.resolve(two.port.setInterest("t", true)));
    two.ear.answer = () => undefined;
    release();
    await world.until(Promise.resolve(sent));
    assert.deepEqual([two.ear.heard, late.ear.heard], [["t", "t"], ["t"]]);
  });

  contract("a named broker that is over need not answer, but for what its sessions want", async (world) => {
    const { one, two } = await attachTwo(world);
    await world.until(Promise.resolve(two.port.setInterest("t", true)));
    two.port.close();
    one.port.silence("two");
    await world.until(Promise.resolve(one.port.control(recheck())));
    await world.until(Promise.resolve(one.port.setInterest("u", true)));
    assert.equal(one.port.hasInterest("t"), true);
    assert.equal(await world.until(codeOf(Promise.resolve(one.port.publish(message("t"))))), "TIMEOUT");
  });

  contract("what a receiver could not do is not confirmed", async (world) => {
    const { one, two } = await attachTwo(world);
    await world.until(Promise.resolve(two.port.setInterest("t", true)));
    two.ear.answer = () => Promise.reject(new Error("the store is full"));
    const refused = (promise: Promise<void> | undefined) => world.until(codeOf(Promise.resolve(promise)));
    assert.ok((await refused(one.port.publish(message("t")))) !== "none");
    assert.ok((await refused(one.port.control(recheck()))) !== "none");
  });

  contract("a named broker that has left is missed until it is forgotten", async (world) => {
    const { one, two } = await attachTwo(world);
    await world.until(Promise.resolve(two.port.setInterest("t", true)));
    two.port.close();
    assert.deepEqual([one.port.isAlone, one.port.hasInterest("t")], [false, true]);
    assert.equal(await world.until(codeOf(Promise.resolve(one.port.publish(message("t"))))), "TIMEOUT");
    assert.equal(await world.until(codeOf(Promise.resolve(one.port.control(recheck())))), "TIMEOUT");
    one.port.forget("two");
    assert.deepEqual([one.port.isAlone, one.port.hasInterest("t"), one.port.knows("two")], [true, false, false]);
    assert.equal(one.port.publish(message("t")), undefined);
    assert.deepEqual(two.ear.heard, []);
  });

  contract("a broker without a name takes its interest with it", async (world) => {
    const { port } = attach(world);
    const other = attach(world);
    await world.until(Promise.resolve(other.port.setInterest("t", true)));
    other.port.close();
    assert.deepEqual([port.isAlone, port.hasInterest("t")], [true, false]);
  });

  contract("after close nothing is said", async (world) => {
    const { one, two } = await attachTwo(world);
    one.port.close();
    one.port.close();
    assert.equal(await world.until(codeOf(Promise.resolve(one.port.control(recheck())))), "CLOSED");
    assert.equal(
      await world.until(codeOf(Promise.resolve(one.port.publish(message("r", { isRetained: true }))))),
      "CLOSED",
    );
    assert.deepEqual(two.ear.heard, []);
  });
}
