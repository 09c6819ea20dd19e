import type { Clock } from "../clock.js";
import { codeOf, type ContractHarness } from "./harness.js";

export interface ClockWorld {
  clock: Clock;
  /** Waits for a promise; a virtual world lets its time pass meanwhile. */
  wait: <T>(promise: Promise<T>) => Promise<T>;
}

/** Holds a {@link Clock} to the interface. */
export function clockContract({ test, assert }: ContractHarness, name: string, open: () => Promise<ClockWorld>): void {
  const fired = (clock: Clock, delayMs: number): Promise<number> =>
    new Promise((resolve) => clock.setTimer(delayMs, () => resolve(clock.monotonicMs())));

  test(`${name}: a timer fires once, and not before its time`, async () => {
    const { clock, wait } = await open();
    for (const delayMs of [0, 1, 5, 12.5]) {
      const startMs = clock.monotonicMs();
      let count = 0;
      clock.setTimer(delayMs, () => (count += 1));
      const atMs = await wait(fired(clock, delayMs));
      assert.ok(atMs >= startMs + delayMs, `${atMs} is before ${startMs} + ${delayMs}`);
      await wait(fired(clock, 2));
      assert.equal(count, 1);
    }
  });

  test(`${name}: timers fire in the order of their time`, async () => {
    const { clock, wait } = await open();
    const order: number[] = [];
    const all = [20, 5, 10].map((delayMs) => fired(clock, delayMs).then(() => order.push(delayMs)));
    await wait(Promise.all(all));
    assert.deepEqual(order, [5, 10, 20]);
  });

  test(`${name}: a cancelled timer never fires, and cancelling is safe at any time`, async () => {
    const { clock, wait } = await open();
    let count = 0;
    const timer = clock.setTimer(1, () => (count += 1));
    timer.cancel();
    timer.cancel();
    const other = clock.setTimer(1, () => (count += 10));
    await wait(fired(clock, 5));
    other.cancel();
    assert.equal(count, 10);
  });

  test(`${name}: afterTurn runs once, later, in order, and whatever one of them starts goes into another turn`, async () => {
    const { clock, wait } = await open();
    const order: string[] = [];
    const done = new Promise<void>((resolve) => {
      clock.afterTurn(() => {
        order.push("first");
        clock.afterTurn(() => {
          order.push("third");
          resolve();
        });
      });
      clock.afterTurn(() => order.push("second"));
    });
    assert.deepEqual(order, []);
    await Promise.resolve();
    assert.deepEqual(order, [], "a promise is not the end of a turn");
    await wait(done);
    assert.deepEqual(order, ["first", "second", "third"]);
  });

  test(`${name}: sleep ends after its time or when it is aborted`, async () => {
    const { clock, wait } = await open();
    const startMs = clock.monotonicMs();
    await wait(clock.sleep(3));
    assert.ok(clock.monotonicMs() >= startMs + 3);
    assert.equal(await wait(codeOf(clock.sleep(1, { signal: AbortSignal.abort() }))), "ABORTED");
    const controller = new AbortController();
    const sleeping = codeOf(clock.sleep(3_600_000, { signal: controller.signal }));
    controller.abort();
    assert.equal(await wait(sleeping), "ABORTED");
  });

  test(`${name}: time goes on, and people's time is a date of this century`, async () => {
    const { clock, wait } = await open();
    const [monotonicMs, unixMs] = [clock.monotonicMs(), clock.unixMs()];
    await wait(clock.sleep(2));
    assert.ok(clock.monotonicMs() > monotonicMs);
    assert.ok(clock.unixMs() >= unixMs);
    assert.ok(unixMs > Date.UTC(2020) && unixMs < Date.UTC(2100));
  });
}
