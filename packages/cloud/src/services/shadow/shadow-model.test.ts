// Random requests of several clients to several shadows, one after another and at once, against a reference model.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { describeShadowError, type JsonObject, type JsonValue, type ShadowId } from "@thingline/protocol/shadow";
import fc from "fast-check";
import type { Operation } from "../operation.js";
import { scope } from "../world.test.support.js";
import { addressShadow } from "./service.js";
import { canonical, ReferenceShadow, type ModelState } from "./reference-model.test.support.js";
import { encode, openShadowWorld, pump, type Published, type ShadowWorld } from "./shadow-world.test.support.js";

const isLong = process.env["THINGLINE_TEST_LONG"] === "1";
const requestsMin = isLong ? 100_000 : 2_000;
const runs = isLong ? 1_300 : 30;
const stepsPerRun = 40;

const ids: readonly ShadowId[] = [pump, { ...pump, shadowName: "a" }, { ...pump, shadowName: "b" }];
const prefixes = ["", "name/a/", "name/b/"];

type Request = {
  type: "get" | "update" | "delete";
  shadow: number;
  client: number;
  state: ModelState;
  version: "none" | "current" | "stale";
  /** Not in the lane of the shadow: as requests that another process works on. */
  isElsewhere: boolean;
};
type Step = { requests: Request[] } | { advanceMs: number };

const name = fc.constantFrom("a", "b", "c", "__proto__");
const scalar = fc.constantFrom<JsonValue[]>(0, 1, 1.5, "x", "", true, false);
const array = fc.array(fc.oneof(scalar, fc.array(scalar, { maxLength: 2 }), fc.constant({ x: 1 })), { maxLength: 3 });
const { object } = fc.letrec<{ object: JsonObject; value: JsonValue }>((tie) => ({
  object: fc.array(fc.tuple(name, tie("value")), { maxLength: 3 }).map((members) => Object.fromEntries(members)),
  value: fc.oneof(
    { maxDepth: 3, depthIdentifier: "state" },
    { arbitrary: scalar, weight: 4 },
    { arbitrary: fc.constant(null), weight: 2 },
    { arbitrary: array, weight: 1 },
    { arbitrary: tie("object"), weight: 4 },
  ),
}));
const section = fc.oneof({ arbitrary: object, weight: 12 }, { arbitrary: fc.constant(null), weight: 1 });
const state: fc.Arbitrary<ModelState> = fc.oneof(
  { arbitrary: fc.record({ desired: section, reported: section }, { requiredKeys: [] }), weight: 20 },
  { arbitrary: fc.constant(null), weight: 1 },
);
const request: fc.Arbitrary<Request> = fc.record({
  type: fc.oneof(
    { arbitrary: fc.constant("update" as const), weight: 10 },
    { arbitrary: fc.constant("get" as const), weight: 2 },
    { arbitrary: fc.constant("delete" as const), weight: 1 },
  ),
  shadow: fc.nat(ids.length - 1),
  client: fc.nat(2),
  state,
  version: fc.oneof(
    { arbitrary: fc.constant("none" as const), weight: 3 },
    { arbitrary: fc.constantFrom("current" as const, "stale" as const), weight: 1 },
  ),
  isElsewhere: fc.boolean(),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  { arbitrary: fc.array(request, { minLength: 1, maxLength: 5 }).map((requests) => ({ requests })), weight: 150 },
  { arbitrary: fc.constantFrom(400, 1_000, 7_000).map((advanceMs) => ({ advanceMs })), weight: 20 },
  { arbitrary: fc.constant({ advanceMs: 48 * 3_600_000 }), weight: 1 },
);

/** A request that was made, and what it was answered. */
type Made = Request & { token: string; named: number | undefined; answers: string[]; refusedWith?: number };

class Check {
  readonly #world: ShadowWorld;
  readonly #models = ids.map(() => new ReferenceShadow());
  requests = 0;

  constructor(world: ShadowWorld) {
    this.#world = world;
  }

  get #nowMs(): number {
    return this.#world.clock.unixMs();
  }

  #facts(clientToken?: string) {
    return { now: Math.floor(this.#nowMs / 1000), clientToken };
  }

  /** All requests at once; then every message is explained by the model, and every request has one answer. */
  async perform(requests: readonly Request[]): Promise<void> {
    const made = requests.map((one): Made => {
      const base = this.#models[one.shadow]!.baseVersion(this.#nowMs);
      const named = { none: undefined, current: base, stale: base === 0 ? 5 : base - 1 }[one.version];
      return { ...one, named, token: `t${++this.requests}`, answers: [] };
    });
    await Promise.all(made.map((one) => this.#send(one)));
    const published = await this.#world.take();
    for (let shadow = 0; shadow < ids.length; shadow++) this.#explain(shadow, made, published);
    for (const { type, token, answers } of made) assert.equal(answers.length, 1, `${type} ${token}: ${answers.join()}`);
  }

  async #send(one: Made): Promise<void> {
    const id = ids[one.shadow]!;
    const version = one.named === undefined ? {} : { version: one.named };
    const payload = { clientToken: one.token, ...(one.type === "update" && { state: one.state, ...version }) };
    if (!one.isElsewhere || one.type === "get") {
      return this.#world.ask(one.type, payload, { id, clientId: `client-${one.client}` });
    }
    const { addressed } = this.#world.shadows;
    const input = { shadow: addressShadow(id), payload: encode(payload) };
    const outOfLane: Operation<typeof input, unknown> = (context, given) =>
      one.type === "update" ? addressed.update(context, given) : addressed.delete(context, given);
    try {
      await this.#world.runner.run(scope, outOfLane, input);
    } catch (error) {
      assert.ok(isThinglineError(error), String(error));
      one.refusedWith = describeShadowError(error).code;
    }
  }

  #explain(shadow: number, made: readonly Made[], published: readonly Published[]): void {
    const model = this.#models[shadow]!;
    const prefix = prefixes[shadow]!;
    const isOurs = ({ topic }: Published) => (prefix === "" ? !topic.startsWith("name/") : topic.startsWith(prefix));
    const messages = published.filter(isOurs).map((one) => ({ ...one, topic: one.topic.slice(prefix.length) }));
    const history = [model.copy()];
    const later: (() => void)[] = [];
    while (messages.length > 0) {
      const { topic, message } = messages.shift()!;
      const one = made.find(({ token }) => token === message["clientToken"]);
      assert.ok(one, `${topic} answers no request: ${JSON.stringify(message)}`);
      const facts = this.#facts(one.token);
      if (topic === "update/accepted") {
        assert.equal(model.refusalOf(one.named, this.#nowMs), undefined, "the named version was the current one");
        const before = model.live?.version ?? 0;
        const expected = model.update(one.state, this.#nowMs, facts);
        assert.ok((model.live?.version ?? 0) > before);
        messages.unshift({ topic, message });
        for (const [tail, content] of expected) {
          const next = messages.shift();
          assert.equal(next?.topic, tail);
          assert.equal(canonical(next.message), canonical(content), tail);
        }
        one.answers.push(topic);
        history.push(model.copy());
      } else if (topic === "delete/accepted") {
        assert.ok(model.live, "only what is there is deleted");
        assert.equal(canonical(message), canonical(model.delete(this.#nowMs, facts)));
        one.answers.push(topic);
        history.push(model.copy());
      } else if (topic === "get/accepted") {
        one.answers.push(topic);
        later.push(() => {
          const possible = history.map((past) => canonical(past.get(facts)));
          assert.ok(possible.includes(canonical(message)), `no version of the shadow was ${canonical(message)}`);
        });
      } else {
        assert.ok(topic === `${one.type}/rejected`, topic);
        later.push(() => this.#checkRefusal(one, Number(message["code"]), history));
      }
    }
    for (const check of later) check();
    for (const one of made) {
      if (one.shadow === shadow && one.refusedWith !== undefined) this.#checkRefusal(one, one.refusedWith, history);
    }
  }

  /** With others at work meanwhile, any version that the shadow had may be what the request met. */
  #checkRefusal(one: Made, code: number, history: readonly ReferenceShadow[]): void {
    one.answers.push(`rejected ${code}`);
    const codeOf = (past: ReferenceShadow) => {
      if (one.type === "update") return past.refusalOf(one.named, this.#nowMs);
      return past.live === undefined ? 404 : undefined;
    };
    assert.ok(history.map(codeOf).includes(code), `${one.type} was refused with ${code}`);
  }

  /** A device that reports what it is told to has nothing more to do. */
  async converge(): Promise<void> {
    for (const [shadow, id] of ids.entries()) {
      const [got] = await this.#world.exchange("get", undefined, { id });
      const expected = this.#models[shadow]!.get(this.#facts());
      assert.equal(got?.topic, `${prefixes[shadow]}get/${expected === undefined ? "rejected" : "accepted"}`);
      if (expected === undefined) continue;
      assert.equal(canonical(got.message), canonical(expected));
      const { delta } = got.message["state"] as { delta?: JsonObject };
      if (delta === undefined) continue;
      const published = await this.#world.exchange("update", { state: { reported: delta } }, { id });
      const topics = published.map(({ topic }) => topic.slice(prefixes[shadow]!.length));
      assert.deepEqual(topics, ["update/accepted", "update/documents"], "no difference is left");
    }
  }
}

test("shadows are what the reference model says, whoever asks for whatever in whatever order", async (context) => {
  let requests = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: stepsPerRun, maxLength: stepsPerRun }), async (steps) => {
      const world = await openShadowWorld();
      const check = new Check(world);
      for (const one of steps) {
        if ("advanceMs" in one) await world.clock.advance(one.advanceMs);
        else await check.perform(one.requests);
      }
      await check.converge();
      await world.runner.close();
      requests += check.requests;
    }),
    { numRuns: runs },
  );
  context.diagnostic(`${requests} requests`);
  assert.ok(requests >= requestsMin, `only ${requests} requests`);
});
