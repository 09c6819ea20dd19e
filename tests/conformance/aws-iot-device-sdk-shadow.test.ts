// The shadow clients of AWS's device SDK for JavaScript (v2), both generations, unmodified, over MQTT 3.1.1 and 5 with mutual TLS:
// they see the same, classic shadow and named.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { runProgram } from "../integration/cli-process.test.support.js";
import { startLocalCloud, subtests } from "./local-cloud.test.support.js";
import type { Task, Transcript } from "./shadow-sdk-process.test.support.js";

const sdk = await import("aws-iot-device-sdk-v2").catch(() => undefined);
const skip = sdk === undefined && "needs the native library of aws-crt for this platform";

const kinds: readonly Task["kind"][] = [
  "IotShadowClient 3.1.1",
  "IotShadowClient 5",
  "IotShadowClientv2 3.1.1",
  "IotShadowClientv2 5",
];
const program = fileURLToPath(new URL("shadow-sdk-process.test.support.js", import.meta.url));

const time = "a time";
const at = { timestamp: time };

test("AWS IoT Device SDK v2: the shadow clients", { skip }, async (t) => {
  const check = subtests(t);
  const cloud = await startLocalCloud(t);
  let count = 0;
  for (const kind of kinds) {
    for (const shadowName of [undefined, "settings"]) {
      await check(`${kind}, ${shadowName === undefined ? "the classic shadow" : "a named shadow"}`, async (t) => {
        const thing = await cloud.createThing(`lamp-${++count}`);
        const { thingName, caFile, certificateFile, keyFile } = thing;
        const { port } = cloud;
        const task: Task = { kind, clientId: thingName, thingName, shadowName, port, caFile, certificateFile, keyFile };
        const { code, stdout, stderr } = await runProgram(t, process.execPath, [program, JSON.stringify(task)]);
        assert.equal(code, 0, stderr);
        const seen = JSON.parse(stdout) as Transcript;
        const expected = transcriptOf(thingName, shadowName, kind.includes("v2"));
        for (const [step, facts] of expected.entries()) assert.deepEqual(seen[step], facts, `step ${step}`);
        assert.equal(seen.length, expected.length);
      });
    }
  }
});

/** What the documentation of the Device Shadow service says they see. */
function transcriptOf(thingName: string, shadowName: string | undefined, hasOwnTokens: boolean): Transcript {
  // The second generation replaces the caller's token by one of its own.
  const tokenOf = (token: string): string => (hasOwnTokens ? "a token" : token);
  const missing = `No shadow exists with name: '${shadowName === undefined ? thingName : `${thingName}~${shadowName}`}'`;
  const desired = { color: "red", lamp: { on: true } };
  const desiredTimes = { color: at, lamp: { on: at } };
  const first = { desired, reported: { color: "blue" } };
  const firstTimes = { desired: desiredTimes, reported: { color: at } };
  const second = { desired, reported: desired };
  const secondTimes = { desired: desiredTimes, reported: desiredTimes };
  return [
    { rejected: { clientToken: tokenOf("get-missing"), code: 404, message: missing } },
    { accepted: { clientToken: tokenOf("first"), state: first, metadata: firstTimes, version: 1, timestamp: time } },
    { clientToken: tokenOf("first"), state: desired, metadata: desiredTimes, version: 1, timestamp: time },
    {
      clientToken: tokenOf("first"),
      previous: null,
      current: { state: first, metadata: firstTimes, version: 1 },
      timestamp: time,
    },
    {
      accepted: {
        clientToken: tokenOf("get-one"),
        state: { ...first, delta: desired },
        metadata: { ...firstTimes, delta: desiredTimes },
        version: 1,
        timestamp: time,
      },
    },
    { rejected: { clientToken: tokenOf("stale"), code: 409, message: "Version conflict", timestamp: time } },
    {
      rejected: {
        clientToken: tokenOf("no-state"),
        code: 400,
        message: "Missing required node: state",
        timestamp: time,
      },
    },
    {
      accepted: {
        clientToken: tokenOf("second"),
        state: { reported: desired },
        metadata: { reported: desiredTimes },
        version: 2,
        timestamp: time,
      },
    },
    {
      clientToken: tokenOf("second"),
      previous: { state: first, metadata: firstTimes, version: 1 },
      current: { state: second, metadata: secondTimes, version: 2 },
      timestamp: time,
    },
    {
      accepted: { clientToken: tokenOf("get-two"), state: second, metadata: secondTimes, version: 2, timestamp: time },
    },
    { accepted: { clientToken: tokenOf("delete"), version: 2, timestamp: time } },
    { rejected: { clientToken: tokenOf("delete-again"), code: 404, message: missing } },
    // Deleting does not reset the version.
    {
      accepted: {
        clientToken: tokenOf("again"),
        state: { reported: { color: "green" } },
        metadata: { reported: { color: at } },
        version: 4,
        timestamp: time,
      },
    },
    {
      clientToken: tokenOf("again"),
      previous: null,
      current: { state: { reported: { color: "green" } }, metadata: { reported: { color: at } }, version: 4 },
      timestamp: time,
    },
    { accepted: { clientToken: tokenOf("delete-last"), version: 4, timestamp: time } },
  ];
}
