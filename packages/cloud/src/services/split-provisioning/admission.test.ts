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
  requestsWaitingMax,
  requestsWaitingPerClaimMax,
} from "./admission.js";

const never = () => new Promise<void>(() => undefined);
const isThrottled = (error: unknown) => isThinglineError(error, "THROTTLED");
const request = (client: string, claim: string, what = "") => ({ client: `${client} ${claim}`, claim, what });

/** Requests of a claim that end when they are told to. */
function openClaim(admission: Admission, claim: string) {
  const ends: (() => void)[] = [];
  const work = () => new Promise<void>((resolve) => ends.push(resolve));
  return {
    ends,
    ask(count: number, first = 0): Promise<void>[] {
      return Array.from({ length: count }, (_none, at) => admission.run(request(`d${first + at}`, claim), 0, work));
    },
  };
}

test("one claim takes a part of the places, however hard its holder asks; what is left waits, and each claim has its turn", async () => {
  const admission = new Admission();
  const [stolen, line] = [openClaim(admission, "stolen"), openClaim(admission, "line-2")];
  const asked = stolen.ask(100);
  assert.equal(stolen.ends.length, requestsInFlightPerClaimMax);
  const left = requestsInFlightMax - requestsInFlightPerClaimMax;
  const others = line.ask(left + 10);
  assert.equal(line.ends.length, left, "all places are taken");
  // As one place after the other is free, those that wait have it in turn.
  for (let count = 0; count < 6; count++) {
    stolen.ends[count]!();
    await asked[count];
    await Promise.resolve();
  }
  assert.deepEqual([stolen.ends.length - requestsInFlightPerClaimMax, line.ends.length - left], [3, 3]);
  for (let at = 6; at < 100; at++) {
    stolen.ends[at]?.();
    line.ends[at - 6]?.();
    await Promise.race([asked[at], others[at - 6]]);
    await Promise.resolve();
  }
  await Promise.all([...asked, ...others]);
});

test("a place that is free again is for one who waits, not for another who comes in that moment", async () => {
  const admission = new Admission();
  const [one, other, late] = [openClaim(admission, "one"), openClaim(admission, "other"), openClaim(admission, "late")];
  void one.ask(requestsInFlightPerClaimMax);
  const places = requestsInFlightMax - requestsInFlightPerClaimMax;
  void other.ask(places + 1);
  other.ends[0]!();
  for (let tick = 0; tick < 20; tick++) {
    void late.ask(1, tick);
    await Promise.resolve();
  }
  assert.deepEqual([other.ends.length, late.ends.length], [places + 1, 0]);
});

test("so many wait with one claim, and so many with all", () => {
  const flood = new Admission({ isLimited: false });
  const one = openClaim(flood, "one");
  void one.ask(requestsInFlightPerClaimMax + requestsWaitingPerClaimMax);
  assert.throws(() => one.ask(1, 10_000), isThrottled);
  const claims = requestsWaitingMax / requestsWaitingPerClaimMax;
  for (let at = 1; at < claims; at++) void openClaim(flood, `more-${at}`).ask(requestsWaitingPerClaimMax);
  const last = openClaim(flood, "last");
  void last.ask(requestsInFlightMax - requestsInFlightPerClaimMax);
  assert.throws(() => last.ask(1, 10_000), isThrottled, "all waiting places are taken");
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
