import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import type { Device } from "../device.js";
import { createDevice } from "./create-device.js";
import { FakeCloud } from "./fake-cloud.test.support.js";

/** A device as a caller without types sees it. */
type Untyped = Record<keyof Device, (...values: unknown[]) => unknown>;
type Shadow = Record<
  "report" | "update" | "get" | "modify" | "deltas" | "sync" | "delete" | "decline",
  (...values: unknown[]) => unknown
>;

const cases: [name: string, option: string, call: (device: Untyped, shadow: Shadow) => unknown][] = [
  ["publish without a topic", "topic", (device) => device.publish()],
  ["publish to a symbol", "topic", (device) => device.publish(Symbol("a"), "x")],
  ["publish without a payload", "payload", (device) => device.publish("a")],
  ["publish of an object", "payload", (device) => device.publish("a", { a: 1 })],
  ["publish with options of null", "options", (device) => device.publish("a", "x", null)],
  ["publish with a Map as options", "options", (device) => device.publish("a", "x", new Map([["qos", 0]]))],
  ["subscribe with a promise as options", "options", (device) => device.subscribe("a", Promise.resolve({}))],
  ["get with a signal as options", "options", (_, shadow) => shadow.get(AbortSignal.abort())],
  ["publish with another name", "retain", (device) => device.publish("a", "x", { retain: true })],
  ["publish with a QoS as text", "qos", (device) => device.publish("a", "x", { qos: "1" })],
  ["publish with a flag as number", "isRetained", (device) => device.publish("a", "x", { isRetained: 1 })],
  ["publish until something else", "until", (device) => device.publish("a", "x", { until: "sent" })],
  ["publish with an expiry as text", "expiresAfterMs", (device) => device.publish("a", "x", { expiresAfterMs: "5" })],
  [
    "publish with a property of another name",
    "properties.ttl",
    (device) => device.publish("a", "x", { properties: { ttl: 1 } }),
  ],
  [
    "publish with a user property that is no pair",
    "properties.userProperties",
    (device) => device.publish("a", "x", { properties: { userProperties: ["ab"] } }),
  ],
  [
    "publish with a user property that is a number",
    "properties.userProperties",
    (device) => device.publish("a", "x", { properties: { userProperties: [["a", 1]] } }),
  ],
  [
    "publish of what a message was received with",
    "properties.subscriptionIdentifiers",
    (device) => device.publish("a", "x", { properties: { subscriptionIdentifiers: [1] } }),
  ],
  ["publish with no signal", "signal", (device) => device.publish("a", "x", { signal: {} })],
  ["subscribe without a filter", "filters", (device) => device.subscribe()],
  ["subscribe to numbers", "filters", (device) => device.subscribe([1])],
  ["subscribe with another name", "qoS", (device) => device.subscribe("a", { qoS: 1 })],
  ["subscribe with QoS 2", "qos", (device) => device.subscribe("a", { qos: 2 })],
  ["unsubscribe with another name", "signals", (device) => device.unsubscribe("a", { signals: [] })],
  ["connect with another name", "topics", (device) => device.connect({ topics: [] })],
  ["connect with a text as list", "applicationTopics", (device) => device.connect({ applicationTopics: "abc" })],
  ["on without a listener", "on.data", (device) => device.on("data")],
  ["on with another event", "on", (device) => device.on("dat", () => undefined)],
  ["shadow of a number", "shadowName", (device) => device.shadow(7)],
  ["shadow of null", "shadowName", (device) => device.shadow(null)],
  ["report of nothing", "reported", (_, shadow) => shadow.report()],
  ["report with another name", "timeout", (_, shadow) => shadow.report({}, { timeout: 1 })],
  ["update of a whole document", "state", (_, shadow) => shadow.update({ state: {} })],
  ["get with a time-out as text", "timeoutMs", (_, shadow) => shadow.get({ timeoutMs: "1" })],
  ["modify without a function", "change", (_, shadow) => shadow.modify()],
  ["deltas with another name", "abort", (_, shadow) => shadow.deltas({ abort: 1 })],
  ["delete with options of null", "options", (_, shadow) => shadow.delete(null)],
  ["decline of a list", "wishes", (_, shadow) => shadow.decline([1])],
  ["publish with a QoS that throws", "qos", (device) => device.publish("a", "x", throwing("qos"))],
  ["publish with a signal that throws", "signal", (device) => device.publish("a", "x", throwing("signal"))],
  [
    "publish with a signal that throws later",
    "signal",
    (device) => device.publish("a", "x", throwing("signal", { afterReads: 2, value: new AbortController().signal })),
  ],
  [
    "publish with a property that throws",
    "properties.contentType",
    (device) => device.publish("a", "x", { properties: throwing("contentType") }),
  ],
  [
    "publish with a pair that throws",
    "properties.userProperties",
    (device) => device.publish("a", "x", { properties: { userProperties: throwing("0", {}, ["x"]) } }),
  ],
  ["subscribe with a length that throws", "queueMax", (device) => device.subscribe("a", throwing("queueMax"))],
  ["unsubscribe with a signal that throws", "signal", (device) => device.unsubscribe("a", throwing("signal"))],
  ["connect with a tag that throws", "secTag", (device) => device.connect(throwing("secTag"))],
  [
    "connect with a list that throws",
    "applicationTopics",
    (device) => device.connect({ applicationTopics: endless() }),
  ],
  ["get with a time-out that throws", "timeoutMs", (_, shadow) => shadow.get(throwing("timeoutMs"))],
  ["update with a state that throws", "reported", (_, shadow) => shadow.update(throwing("reported"))],
];

/** An object whose member throws when it is read. */
function throwing(
  name: string,
  { afterReads = 0, value }: { afterReads?: number; value?: unknown } = {},
  on: object = {},
) {
  let reads = 0;
  const get = (): unknown => {
    reads += 1;
    if (reads > afterReads) throw new TypeError("boom");
    return value;
  };
  return Object.defineProperty(on, name, { enumerable: true, get });
}

function* endless(): Generator<string> {
  yield "a";
  throw new TypeError("boom");
}

describe("arguments and options of a device's calls", () => {
  for (const [name, option, call] of cases) {
    test(`${name}: ${option} is refused by name, connected or not`, async () => {
      await using device = createDevice(new FakeCloud().options({}));
      await assert.rejects(
        (async () => call(device as unknown as Untyped, device.shadow() as unknown as Shadow))(),
        (error) => {
          assert.ok(isThinglineError(error, "OPTION_INVALID"), String(error));
          assert.equal(error.details["option"], option);
          return true;
        },
      );
    });
  }
});
