import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { answered, noClientId, type ServiceMessage } from "../operation.js";
import { openServiceWorld, scope } from "../world.test.support.js";
import { createSplitProvisioningService } from "./index.js";
import { unansweredAfterMs, unansweredToldMax, UnansweredRequests, unansweredWatchedMax } from "./unanswered.js";
import { checkVending, type Vending } from "./vending.js";

async function openWorld(vending?: Vending) {
  const world = await openServiceWorld();
  const called: object[] = [];
  const hints: Record<string, string>[] = [];
  const log = {
    ...world.log,
    warn: (event: string, facts: object = {}) =>
      void (event === "provisioningUnanswered" && hints.push(facts as Record<string, string>)),
  };
  const callFunction = async (name: string, event: object): Promise<void> => {
    called.push({ name, ...event });
    if (name === "broken") throw new Error("it failed");
  };
  const service = createSplitProvisioningService({ ...world, log, callFunction }, { vending });
  const hear = (topic: string, clientId: string, source: ServiceMessage["source"] = "client", payload = "") =>
    answered(
      service.topics!,
      { scope, topic, clientId, payload: new TextEncoder().encode(payload), certificateId: "c".repeat(64), source },
      world.runner,
    );
  const answers = async () => (await world.takeEffects()).filter(({ type }) => type === "publish").length;
  return { ...world, service, called, hints, hear, answers };
}

const ask = (clientId: string) => [`certificate/${clientId}/create`, clientId] as const;

test("nobody answers until somebody switches it on, which holds over a restart", async () => {
  const world = await openWorld();
  const { getVending, setVending } = world.service.operations;
  assert.deepEqual(await world.run(getVending, undefined), { vending: "off", decidedBy: "default" });
  await world.hear(...ask("claim-a"));
  assert.equal(await world.answers(), 0);
  const on = await world.run(setVending, { vending: "builtin" });
  assert.deepEqual(on, { vending: "builtin", decidedBy: "stored", isChanged: true });
  await world.hear(...ask("claim-a"));
  assert.equal(await world.answers(), 2);
  const next = createSplitProvisioningService(world);
  assert.deepEqual(await world.run(next.operations.getVending, undefined), {
    vending: "builtin",
    decidedBy: "stored",
  });
  await world.run(setVending, { vending: "off" });
  await world.hear(...ask("claim-b"));
  assert.equal(await world.answers(), 0);
});

test("whoever makes a claim switches it on where nobody has decided, and else learns what was decided", async () => {
  const world = await openWorld();
  const { setVending } = world.service.operations;
  const byClaim = { vending: "builtin", whereUndecided: true } as const;
  assert.equal((await world.run(setVending, byClaim)).isChanged, true);
  await world.run(setVending, { vending: "off" });
  assert.deepEqual(await world.run(setVending, byClaim), { vending: "off", decidedBy: "stored", isChanged: false });

  const started = await openWorld({ function: "mine" });
  const { operations } = started.service;
  const told = { vending: { function: "mine" }, decidedBy: "start", isChanged: false };
  assert.deepEqual(await started.run(operations.setVending, byClaim), told);
  const refused = started.run(operations.setVending, { vending: "off" });
  await assert.rejects(refused, /was started with vending function mine/);
});

test("what is no way of vending is refused", async () => {
  const deep = JSON.parse("[".repeat(100_000) + "]".repeat(100_000)) as unknown;
  for (const wrong of [
    ...["on", "x".repeat(100_000), "", null, 1, 1n, {}, deep, { function: "" }, { function: 1 }, { function: deep }],
    ...[{ function: "x".repeat(257) }, { function: "a b" }, { function: "\u001b[31m" }],
  ]) {
    assert.throws(
      () => checkVending(wrong),
      (error) => isThinglineError(error, "OPTION_INVALID") && error.message.length < 250,
    );
    const world = await openWorld();
    await assert.rejects(world.run(world.service.operations.setVending, { vending: wrong }), (error) =>
      isThinglineError(error, "REQUEST_INVALID"),
    );
  }
});

test("a function gets the event of the original's rule, and is all that answers", async () => {
  const world = await openWorld({ function: "vending" });
  await world.hear(...ask("claim-a"));
  // The client that published counts, as clientid() does.
  await world.hear("certificate/other/create", "b");
  await world.hear("certificate/c/create-from-csr", "c", "client", "CSR");
  assert.deepEqual(world.called, [
    { name: "vending", deviceId: "claim-a" },
    { name: "vending", deviceId: "b" },
    { name: "vending", deviceId: "c", csr: "Q1NS" },
  ]);
  assert.equal(await world.answers(), 0);
  const broken = await openWorld({ function: "broken" });
  await broken.hear(...ask("claim-a"));
  assert.ok(broken.logged.includes("vendingFunctionFailed"));
});

test("a request that nobody answers is named once for its client, in words", async () => {
  const world = await openWorld();
  await world.hear(...ask("silent"));
  await world.hear(...ask("answered"));
  await world.hear("certificate/answered/create/accepted/cert", noClientId, "http");
  await world.hear(...ask("refused"));
  await world.hear("certificate/refused/create/rejected", "somebody");
  assert.equal(world.hints.length, 0);
  await world.clock.advance(unansweredAfterMs);
  assert.equal(world.hints.length, 1);
  const { clientId, explanation } = world.hints[0] ?? {};
  assert.equal(clientId, "silent");
  assert.match(explanation!, /vending service is off/);
  await world.hear(...ask("silent"));
  await world.clock.advance(unansweredAfterMs);
  assert.equal(world.hints.length, 1, "once for each client");
  for (let count = 0; count <= unansweredWatchedMax; count++) await world.hear(...ask(`d-${count}`));
  await world.clock.advance(unansweredAfterMs);
  assert.equal(world.hints.length, 1 + unansweredWatchedMax);
  await world.hear(...ask("last"));
  await world.service.close?.();
  await world.clock.advance(unansweredAfterMs);
  assert.equal(world.hints.length, 1 + unansweredWatchedMax, "no timer is left");
});

test("so many clients are remembered as told; one that is forgotten is named once more", async () => {
  const { clock, log } = await openServiceWorld();
  let told = 0;
  const requests = new UnansweredRequests({ clock, log: { ...log, warn: () => void told++ } });
  const ask = (from: number, to: number) => {
    for (let number = from; number < to; number++) requests.asked(`d-${number}`, "t");
    return clock.advance(unansweredAfterMs);
  };
  for (let from = 0; from < unansweredToldMax; from += unansweredWatchedMax)
    await ask(from, from + unansweredWatchedMax);
  await ask(unansweredToldMax - 1, unansweredToldMax);
  assert.equal(told, unansweredToldMax);
  const more = 2 * unansweredToldMax;
  for (let from = unansweredToldMax; from < more; from += unansweredWatchedMax)
    await ask(from, from + unansweredWatchedMax);
  await ask(0, 1);
  assert.equal(told, more + 1);
});
