import assert from "node:assert/strict";
import { test } from "node:test";
import { ThinglineError } from "@thingline/protocol";
import { findDelta, type JsonObject } from "@thingline/protocol/shadow";
import fc from "fast-check";
import type { ShadowDelta } from "./delta-view.js";
import { ShadowWorld } from "./shadow-world.test.support.js";

const isLong = process.env["THINGLINE_TEST_LONG"] !== undefined;

type Step =
  | { type: "write"; section: "desired" | "reported"; member: string; value: number | null }
  | { type: "report"; member: string; value: number }
  | { type: "deliver"; isReversed: boolean }
  | { type: "cut" | "connect" | "remove" }
  | { type: "wait"; seconds: number };

const member = fc.constantFrom("a", "b", "c");
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant("write" as const),
      section: fc.constantFrom("desired", "reported"),
      member,
      value: fc.option(fc.nat(2)),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("report" as const), member, value: fc.nat(2) }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constant("deliver" as const), isReversed: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constantFrom("cut", "connect", "remove") }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("wait" as const), seconds: fc.nat(5) }) },
);

test("whatever is lost, repeated or late, every wish that the cloud has in the end was told last as it is", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 40 }),
      fc.array(fc.integer({ min: 1, max: 3 })),
      async (steps, copies) => {
        const world = new ShadowWorld();
        world.isDelayed = true;
        let message = 0;
        world.copies = () => copies[message++] ?? 1;
        const deltas = world.client.deltas();
        const read: ShadowDelta[] = [];
        const reading = (async () => {
          for await (const delta of deltas) read.push(delta);
        })();
        for (const each of steps) {
          await world.clock.advance(0);
          take(world, each);
        }
        // In the end there is a connection, and everything arrives.
        if (!world.isConnected) world.connect();
        for (let round = 0; round < 20; round++) {
          await world.clock.advance(0);
          world.arrive();
        }
        const { desired, reported } = world.document?.state ?? {};
        const difference = desired === undefined ? undefined : findDelta(desired, reported ?? {});
        for (const [name, wish] of Object.entries(difference ?? ({} satisfies JsonObject))) {
          // Whatever was answered meanwhile is not told again, but it was told.
          const mention = read.findLast(({ state }) => name in state);
          assert.deepEqual(mention?.state[name], wish, `${name} of ${JSON.stringify(difference)}`);
        }
        world.client.end(new ThinglineError("CLOSED", "closed"));
        await deltas.return?.();
        await reading;
      },
    ),
    { numRuns: isLong ? 5_000 : 150 },
  );
});

function take(world: ShadowWorld, each: Step): void {
  switch (each.type) {
    case "write":
      return world.write({ [each.section]: { [each.member]: each.value } });
    case "report":
      void world.client.report({ [each.member]: each.value }).catch(() => undefined);
      return;
    case "deliver":
      return world.arrive((messages) => (each.isReversed ? messages.toReversed() : messages));
    case "cut":
      return world.disconnect();
    case "connect":
      return world.connect();
    case "remove":
      void world.client.delete().catch(() => undefined);
      return;
    case "wait":
      world.clock.advanceNow(each.seconds * 1000);
  }
}
