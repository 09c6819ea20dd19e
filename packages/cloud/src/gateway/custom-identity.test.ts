import assert from "node:assert/strict";
import { test } from "node:test";
import { ThinglineError } from "@thingline/protocol";
import { createVirtualClock } from "@thingline/transport/virtual";
import { allowAllAuthorizer } from "../policy/principal-authorizer.js";
import type { CompiledPolicy } from "../policy/evaluate.js";
import type { Authenticated, AuthorizerRecord, Presented } from "../services/authorizers/index.js";
import { CustomIdentity } from "./custom-identity.js";

const request = { clientId: "dev", wantsPersistentSession: false, will: undefined };
const policy = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]}';
const yes: Authenticated = {
  ...{ isAuthenticated: true, principalId: "me", policyDocuments: [policy] },
  ...{ disconnectAfterInSeconds: 3_600, refreshAfterInSeconds: 300 },
};

function openWorld() {
  const clock = createVirtualClock();
  const state: { answer: Authenticated | string | Error } = { answer: yes };
  const asked: Presented[] = [];
  const bound: (readonly CompiledPolicy[])[] = [];
  const lines: string[] = [];
  const note = (event: string) => void lines.push(event);
  const identity = new CustomIdentity(
    {
      clock,
      log: { debug: note, info: note, warn: note, error: note },
      async authenticate(presented) {
        asked.push(presented);
        const { answer } = state;
        if (answer instanceof Error) throw answer;
        if (typeof answer === "string") return { refusal: answer };
        return { answer, authorizer: { authorizerName: "auth" } as AuthorizerRecord };
      },
      async authorize(policies) {
        bound.push(policies);
        return { decision: { isAllowed: true, explanation: "" }, authorizer: allowAllAuthorizer };
      },
    },
    { serverName: "cloud" },
    { allowsOverride: true },
  );
  const isAllowed = async () => (await identity.authorizeConnect(request)).decision.isAllowed;
  const ends: string[] = [];
  const attend = () =>
    identity.attend({
      expire: () => void ends.push("expired"),
      recheck: async () => {
        if (!(await isAllowed())) ends.push("refused");
      },
    });
  return { clock, state, asked, bound, lines, identity, isAllowed, attend, ends };
}

test("the function is asked once with what the CONNECT says, and its policies hold until they have to be refreshed", async () => {
  const { identity, asked, bound, isAllowed, clock } = openWorld();
  assert.equal(identity.principalId, undefined);
  const password = new Uint8Array([1, 2]);
  identity.present({ clientId: "dev", username: "u", password });
  password.fill(0);
  assert.deepEqual(await Promise.all([isAllowed(), isAllowed()]), [true, true]);
  assert.equal(await isAllowed(), true);
  const mqtt = { clientId: "dev", username: "u", password: new Uint8Array([1, 2]) };
  assert.deepEqual(asked, [{ serverName: "cloud", mqtt }]);
  assert.equal(identity.principalId, "me");
  assert.equal(bound[0]?.[0]?.policyName, "policyDocuments[0] of authorizer auth,");
  await clock.advance(300_000);
  assert.equal(await isAllowed(), true);
  assert.equal(asked.length, 2);
});

test("a connection is refreshed in time, ends when the function says no, and leaves no timer", async () => {
  const { state, asked, isAllowed, attend, ends, clock } = openWorld();
  await isAllowed();
  const leave = attend();
  await clock.advance(300_000);
  await clock.advance(300_000);
  assert.deepEqual([asked.length, ends], [3, []]);
  state.answer = { ...yes, principalId: "other" };
  await clock.advance(300_000);
  assert.deepEqual(ends, ["refused"]);
  leave();
  assert.equal(clock.timerCount, 0);
});

test("a connection ends when its time is over, which a later answer does not move", async () => {
  const { state, isAllowed, attend, ends, clock } = openWorld();
  await isAllowed();
  const leave = attend();
  state.answer = { ...yes, disconnectAfterInSeconds: 86_400 };
  for (let minutes = 0; minutes < 60; minutes += 5) {
    assert.deepEqual(ends, []);
    await clock.advance(300_000);
  }
  assert.deepEqual(ends, ["expired"]);
  leave();
  assert.equal(clock.timerCount, 0);
});

test("what goes wrong while the function is asked again ends the connection; a cloud that closes does not", async () => {
  const { state, isAllowed, attend, ends, lines, clock } = openWorld();
  await isAllowed();
  const leave = attend();
  state.answer = new Error("defect");
  await clock.advance(300_000);
  assert.deepEqual([ends.splice(0), lines], [["expired"], ["authorizerFailed"]]);
  leave();
  state.answer = yes;
  await isAllowed();
  const again = attend();
  state.answer = new ThinglineError("CLOSED", "the cloud is closed");
  await clock.advance(300_000);
  assert.deepEqual(ends, []);
  again();
});

test("who is refused has no rights", async () => {
  const { state, identity } = openWorld();
  state.answer = "authorizer auth: no";
  const { decision, authorizer } = await identity.authorizeConnect(request);
  assert.deepEqual(decision, { isAllowed: false, explanation: "authorizer auth: no" });
  assert.equal(authorizer.authorize("iot:Publish", "topic/a").isAllowed, false);
});
