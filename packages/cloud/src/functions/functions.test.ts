import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { isThinglineError, ThinglineError, type JsonObject } from "@thingline/protocol";
import type { HttpRequest, HttpResponse } from "@thingline/transport";
import { createVirtualClock, createVirtualHttp } from "@thingline/transport/virtual";
import { silentLog } from "../log.js";
import {
  functionAnswerBytesMax,
  functionCallsInFlightMax,
  functionCallsQueuedMax,
  functionEventBytesMax,
  functionNameCharactersMax,
  functionsMax,
  type CloudFunction,
} from "./cloud-function.js";
import { createFunctions } from "./functions.js";
import { functionRetriesMax, functionRetryDelayMs } from "./http-function.js";

const arn = "arn:aws:lambda:us-east-1:123456789012:function:hook";
const timeoutMs = 5_000;

function makeWorld(given: Record<string, CloudFunction>) {
  const clock = createVirtualClock();
  const http = createVirtualHttp({ clock });
  return { clock, http, functions: createFunctions(given, { clock, http, log: silentLog }) };
}

const hasCode = (code: Parameters<typeof isThinglineError>[1], says?: RegExp) => (error: unknown) =>
  isThinglineError(error, code) && (says === undefined || says.test(error.message));

test("a function is found by its name and by its ARN, with a version or without", async () => {
  const { functions } = makeWorld({ hook: () => "name", [`${arn}:live`]: () => "live" });
  for (const name of ["hook", arn, `${arn}:7`]) assert.equal(await functions.invoke(name, {}, { timeoutMs }), "name");
  assert.equal(await functions.invoke(`${arn}:live`, {}, { timeoutMs }), "live");
  assert.deepEqual([functions.has(arn), functions.has("other"), functions.has("toString")], [true, false, false]);
  const unknown = hasCode("FUNCTION_UNKNOWN", /"other".*--function NAME=URL/);
  await assert.rejects(functions.invoke("other", {}, { timeoutMs }), unknown);
  await assert.rejects(functions.invoke("x".repeat(9_999), {}, { timeoutMs }), hasCode("FUNCTION_UNKNOWN"));
});

test("a function gets a copy of its event, and what it answers is JSON or refused in words", async () => {
  const event = { a: { b: 1 } };
  const answers: [CloudFunction, RegExp][] = [
    [() => 1n, /cannot be written as JSON/],
    [() => () => 1, /cannot be written as JSON/],
    [() => "x".repeat(functionAnswerBytesMax), /more than 262144 bytes/],
    [() => Promise.reject(new RangeError("no\nroom")), /it threw RangeError: no room/],
  ];
  for (const [given, says] of answers) {
    const { functions } = makeWorld({ hook: given });
    await assert.rejects(functions.invoke("hook", event, { timeoutMs }), hasCode("FUNCTION_FAILED", says));
  }
  const { functions } = makeWorld({
    change: (given: JsonObject) => Object.assign(given, { a: 2, at: new Date(0) }),
    nothing: () => undefined,
    most: () => "x".repeat(functionAnswerBytesMax - 2),
  });
  const changed = await functions.invoke("change", event, { timeoutMs });
  assert.deepEqual(changed, { a: 2, at: "1970-01-01T00:00:00.000Z" });
  assert.deepEqual(event, { a: { b: 1 } });
  assert.equal(await functions.invoke("nothing", {}, { timeoutMs }), null);
  assert.equal(typeof (await functions.invoke("most", {}, { timeoutMs })), "string");
  const room = functionEventBytesMax - '{"a":""}'.length;
  await functions.invoke("nothing", { a: "x".repeat(room) }, { timeoutMs });
  const tooLong = functions.invoke("nothing", { a: "x".repeat(room + 1) }, { timeoutMs });
  await assert.rejects(tooLong, hasCode("LIMIT_EXCEEDED"));
});

test("a function that does not answer in time is told so, and keeps its place until it ends", async () => {
  const ends: (() => void)[] = [];
  const aborted: boolean[] = [];
  const { functions, clock } = makeWorld({
    slow: (_event, { signal }) =>
      new Promise<void>((resolve) => ends.push(() => (aborted.push(signal.aborted), resolve()))),
  });
  const calls = Array.from({ length: functionCallsInFlightMax }, () => functions.invoke("slow", {}, { timeoutMs }));
  const refused = Promise.all(calls.map((call) => assert.rejects(call, hasCode("TIMEOUT", /within 5000 ms/))));
  await clock.advance(timeoutMs);
  await refused;
  assert.equal(ends.length, functionCallsInFlightMax);
  const late = functions.invoke("slow", {}, { timeoutMs });
  await setImmediate();
  assert.equal(ends.length, functionCallsInFlightMax, "all places are taken");
  ends[0]?.();
  await setImmediate();
  assert.equal(ends.length, functionCallsInFlightMax + 1);
  ends.at(-1)?.();
  assert.equal(await late, null);
  assert.deepEqual(aborted, [true, false]);
});

test("so many calls wait for their turn, in order, and one more is refused", async () => {
  const begun: unknown[] = [];
  const ends: (() => void)[] = [];
  const { functions, clock } = makeWorld({
    slow: ({ at }) => {
      begun.push(at);
      return new Promise<void>((resolve) => ends.push(resolve));
    },
  });
  const room = functionCallsInFlightMax + functionCallsQueuedMax;
  const calls = Array.from({ length: room }, (_, at) => functions.invoke("slow", { at }, { timeoutMs }));
  const settled = Promise.allSettled(calls);
  await setImmediate();
  assert.equal(begun.length, functionCallsInFlightMax);
  await assert.rejects(functions.invoke("slow", {}, { timeoutMs }), hasCode("LIMIT_EXCEEDED"));
  ends[3]?.();
  await setImmediate();
  assert.deepEqual(begun.slice(functionCallsInFlightMax), [functionCallsInFlightMax]);
  await clock.advance(timeoutMs);
  const failures = (await settled).filter(({ status }) => status === "rejected");
  assert.equal(failures.length, room - 1);
  // Those that waited in vain are begun no more.
  for (const end of ends.splice(0)) end();
  await setImmediate();
  assert.equal(begun.length, functionCallsInFlightMax + 1);
  const fresh = functions.invoke("slow", {}, { timeoutMs });
  await setImmediate();
  ends.at(-1)?.();
  await fresh;
});

test("a call whose turn comes in the moment in which its time is over is not begun", async () => {
  let begun = 0;
  const { functions, clock } = makeWorld({
    slow: (_event, { signal }) => {
      begun++;
      return new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("heard"))));
    },
  });
  const room = 3 * functionCallsInFlightMax;
  const calls = Array.from({ length: room }, () => functions.invoke("slow", {}, { timeoutMs }));
  const refused = Promise.all(calls.map((call) => assert.rejects(call, hasCode("TIMEOUT", /"slow".* within 5000 ms/))));
  await clock.advance(timeoutMs);
  await refused;
  assert.equal(begun, functionCallsInFlightMax);
});

test("a caller that gives up, and a cloud that closes, end the call", async () => {
  const { functions, clock } = makeWorld({
    slow: (_event, { signal }) =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("heard")))),
  });
  const abort = new AbortController();
  const given = functions.invoke("slow", {}, { timeoutMs, signal: abort.signal });
  const open = functions.invoke("slow", {}, { timeoutMs });
  const ends = Promise.all([
    assert.rejects(given, hasCode("ABORTED")),
    assert.rejects(open, hasCode("CLOSED")),
    assert.rejects(functions.invoke("slow", {}, { timeoutMs, signal: AbortSignal.abort() }), hasCode("ABORTED")),
  ]);
  abort.abort();
  await setImmediate();
  await functions.close();
  await functions.close();
  await ends;
  await assert.rejects(functions.invoke("slow", {}, { timeoutMs }), hasCode("CLOSED"));
  assert.equal(clock.timerCount, 0);
});

test("an endpoint gets the event with POST and answers with JSON; all else is a failure in words, and is followed nowhere", async () => {
  const { functions, http, clock } = makeWorld({ hook: { url: "http://hooks:9000/run?x=1" } });
  const requests: HttpRequest[] = [];
  let answer: Partial<HttpResponse> & { text?: string } = {};
  http.serve("http://hooks:9000", (request) => {
    requests.push(request);
    const { status = 200, headers = {}, text = "" } = answer;
    return { status, headers, body: new TextEncoder().encode(text) };
  });
  const call = (given: typeof answer) => {
    answer = given;
    return clock.until(functions.invoke(arn, { deviceId: "a" }, { timeoutMs }));
  };
  assert.deepEqual(await call({ text: '{"allowProvisioning":true}' }), { allowProvisioning: true });
  assert.equal(await call({ status: 204 }), null);
  const [request] = requests;
  assert.deepEqual([request?.method, request?.url], ["POST", "http://hooks:9000/run?x=1"]);
  assert.deepEqual(JSON.parse(new TextDecoder().decode(request?.body)), { deviceId: "a" });
  const failures: [typeof answer, RegExp][] = [
    [{ status: 302, headers: { location: "http://elsewhere/" } }, /status 302/],
    [{ status: 500, text: "{}" }, /status 500/],
    [{ text: "<html>" }, /something else than JSON/],
    [{ text: '{"errorMessage":"bad","errorType":"Error"}' }, /it threw Error: bad/],
    [{ text: "{}", headers: { "x-amz-function-error": "Unhandled" } }, /it threw/],
    [{ text: " ".repeat(functionAnswerBytesMax + 1) }, /longer than 262144 bytes/],
  ];
  for (const [given, says] of failures) await assert.rejects(call(given), hasCode("FUNCTION_FAILED", says));
  assert.equal(requests.length, 2 + failures.length, "each was sent once");
});

test("only what cannot have been heard is sent again", async () => {
  const clock = createVirtualClock();
  const attempts: number[] = [];
  const failures: (Error | undefined)[] = [];
  const http = {
    request: () => {
      attempts.push(clock.monotonicMs());
      const failure = failures.shift();
      if (failure !== undefined) return Promise.reject(failure);
      return Promise.resolve({ status: 200, headers: {}, body: new TextEncoder().encode("1") });
    },
  };
  const functions = createFunctions({ hook: { url: "http://hooks/" } }, { clock, http, log: silentLog });
  const begin = clock.monotonicMs();
  const invoke = () => clock.until(functions.invoke("hook", {}, { timeoutMs }));
  const refused = new ThinglineError("CONNECTION_REFUSED", "hooks refused the connection");
  failures.push(refused, refused);
  assert.equal(await invoke(), 1);
  assert.deepEqual(
    attempts.map((at) => at - begin),
    [0, functionRetryDelayMs, 3 * functionRetryDelayMs],
  );
  for (const [failure, count] of [
    [refused, functionRetriesMax + 1],
    [new ThinglineError("CONNECTION_LOST", "hooks went away"), 1],
    [new ThinglineError("HOST_NOT_FOUND", "no hooks"), 1],
  ] as const) {
    attempts.length = 0;
    failures.splice(0, 9, failure, failure, failure, failure);
    await assert.rejects(invoke(), hasCode("FUNCTION_FAILED"));
    assert.equal(attempts.length, count, failure.code);
  }
});

test("what is no function is refused when the cloud is made", () => {
  const clock = createVirtualClock();
  const make = (given: Record<string, unknown>, http = createVirtualHttp({ clock })) =>
    createFunctions(given as Record<string, CloudFunction>, { clock, http, log: silentLog });
  const none = () => null;
  for (const given of [
    { "a b": none },
    { ["x".repeat(functionNameCharactersMax + 1)]: none },
    { hook: "http://x/" },
    { hook: null },
    { hook: { url: "ftp://x/" } },
    { hook: { url: "http://user@x/" } },
    { hook: { url: "http://x/#a" } },
    Object.fromEntries(Array.from({ length: functionsMax + 1 }, (_, at) => [`f${at}`, none])),
  ])
    assert.throws(() => make(given), hasCode("OPTION_INVALID", /functions: /));
  make(Object.fromEntries(Array.from({ length: functionsMax }, (_, at) => [`f${at}`, none])));
  const endpoint = { hook: { url: "https://[::1]:9/" } };
  make(endpoint);
  assert.throws(() => createFunctions(endpoint, { clock, log: silentLog }), hasCode("OPTION_INVALID", /no http/));
});
