import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import {
  Admission,
  claimsCountedMax,
  requestsInFlightMax,
  requestsInFlightPerClaimMax,
  requestsPerClaimBurstMax,
  requestsPerClaimPerSecondMax,
} from "./admission.js";

const never = () => new Promise<void>(() => undefined);
const isThrottled = (error: unknown) => isThinglineError(error, "THROTTLED");
const request = (client: string, claim: string, what = "") => ({ client: `${client} ${claim}`, claim, what });

test("one claim takes a part of the places, however hard its holder asks", () => {
  const admission = new Admission();
  for (let count = 0; count < requestsInFlightPerClaimMax; count++) {
    void admission.run(request(`thief-${count}`, "stolen"), 0, never);
  }
  assert.throws(() => admission.run(request("thief-x", "stolen"), 0, never), isThrottled);
  const left = requestsInFlightMax - requestsInFlightPerClaimMax;
  for (let count = 0; count < left; count++) void admission.run(request(`device-${count}`, "line-2"), 0, never);
  assert.throws(() => admission.run(request("late", "line-2"), 0, never), isThrottled, "all places are taken");
});

test("a client has one request under way: the same again is the same, another has to wait", async () => {
  const admission = new Admission();
  let finish = (): void => undefined;
  let runs = 0;
  const work = () => {
    runs++;
    return new Promise<void>((resolve) => (finish = resolve));
  };
  const first = admission.run(request("d", "c"), 0, work);
  assert.equal(admission.run(request("d", "c"), 0, work), first);
  assert.throws(() => admission.run(request("d", "c", "a request of its own"), 0, work), isThrottled);
  void admission.run(request("d", "other claim"), 0, never);
  assert.equal(runs, 1);
  finish();
  await first;
  void admission.run(request("d", "c"), 0, work);
  assert.equal(runs, 2);
});

test("a place is free again when its request has failed", async () => {
  const admission = new Admission();
  for (let count = 0; count < 3 * requestsInFlightMax; count++) {
    await assert.rejects(
      admission.run(request("d", "c"), 0, () => Promise.reject(new Error("no key"))),
      /no key/,
    );
  }
});

test("a claim has so many requests at once, and so many more every second", async () => {
  const admission = new Admission();
  const ask = (nowMs: number) => admission.run(request("d", "c"), nowMs, () => Promise.resolve());
  for (let count = 0; count < requestsPerClaimBurstMax; count++) await ask(0);
  assert.throws(() => ask(0), isThrottled);
  for (let count = 0; count < requestsPerClaimPerSecondMax; count++) await ask(1_000);
  assert.throws(() => ask(1_000), isThrottled);
  assert.throws(() => ask(500), isThrottled, "a clock that goes back gives nothing");
  await admission.run(request("d", "another"), 1_000, () => Promise.resolve());
  for (let count = 0; count < 2 * claimsCountedMax; count++) {
    await admission.run(request("d", `claim-${count}`), 1_000, () => Promise.resolve());
  }
});
