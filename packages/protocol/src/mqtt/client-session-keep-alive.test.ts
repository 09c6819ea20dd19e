import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isThinglineError } from "../errors.js";
import { RecordedSession } from "./client-session.test.support.js";

function pings(client: RecordedSession): number {
  return client.take().filter((packet) => packet === "pingreq").length;
}

describe("keep alive of the client", () => {
  for (const keepAliveSeconds of [1, 5, 30, 60, 1200, 65535]) {
    test(`a half-open link is noticed within 1.5 keep-alives of ${keepAliveSeconds} s, after one ping`, () => {
      const client = new RecordedSession({ keepAliveSeconds }).connect();
      const limitMs = keepAliveSeconds * 1500;
      client.pass(keepAliveSeconds * 1000);
      assert.equal(pings(client), 1);
      client.pass(limitMs - keepAliveSeconds * 1000);
      assert.equal(client.closed?.error?.code, "CONNECTION_LOST");
      assert.equal(client.session.wakeAtMs, Infinity);
    });
  }

  test("publishing all day over a dead link does not hide its death", () => {
    const client = new RecordedSession({ keepAliveSeconds: 10, inflightMax: 1000 }).connect();
    for (let second = 0; second < 15 && client.closed === undefined; second++) {
      client.publish("t", { qos: 0 });
      client.publish("t");
      client.pass(1000);
    }
    assert.equal(client.closed?.error?.code, "CONNECTION_LOST");
    assert.equal(pings(client), 1);
  });

  test("a client that only listens still sends something in every keep alive [MQTT-3.1.2-23]", () => {
    const client = new RecordedSession({ keepAliveSeconds: 10 }).connect();
    let sentMs = 0;
    for (let second = 0; second < 100; second++) {
      client.message(0, { qos: 0 }).pass(1000);
      if (client.take().includes("pingreq")) {
        assert.ok(client.nowMs - sentMs <= 10_000);
        sentMs = client.nowMs;
      }
    }
    assert.ok(client.nowMs - sentMs <= 10_000);
    assert.equal(client.closed, undefined);
  });

  test("PINGRESP, or any other packet, answers a ping", () => {
    const client = new RecordedSession({ keepAliveSeconds: 10 }).connect();
    for (let round = 0; round < 20; round++) {
      client.pass(9000);
      assert.equal(pings(client), 1);
      client.receive({ type: "pingresp" });
    }
    assert.equal(client.pongs, 20);
    client.pass(9000);
    client.message(0, { qos: 0 });
    client.pass(5000);
    assert.equal(client.closed, undefined);
    assert.equal(client.warnings.length, 0);
  });

  test("a client that acknowledged publishes keep busy never pings", () => {
    const client = new RecordedSession({ keepAliveSeconds: 10 }).connect();
    for (let second = 1; second < 100; second++) {
      client.publish().toFixed();
      client.puback(second).pass(1000);
    }
    assert.equal(pings(client), 0);
  });

  test("the Server Keep Alive of MQTT 5 overrules ours", () => {
    const client = new RecordedSession({ version: 5, keepAliveSeconds: 1200 });
    client.connect({ properties: { serverKeepAliveSeconds: 10 } });
    client.pass(9000);
    assert.equal(pings(client), 1);
    client.pass(5000);
    assert.equal(client.closed?.error?.code, "CONNECTION_LOST");
  });

  test("keep alive 0 never pings and never gives up", () => {
    const client = new RecordedSession({ keepAliveSeconds: 0 }).connect();
    assert.equal(client.session.wakeAtMs, Infinity);
    assert.equal(client.session.keepAliveTimeLeftMs(0), Infinity);
  });

  test("polled: silence does nothing, the application pings; an unanswered ping before means a dead link", () => {
    const client = new RecordedSession({ keepAliveSeconds: 10, isKeepAliveAutomatic: false }).connect();
    client.pass(8000);
    assert.equal(client.session.keepAliveTimeLeftMs(client.nowMs), 1000);
    client.session.ping(client.nowMs);
    assert.equal(client.session.keepAliveTimeLeftMs(client.nowMs), 9000);
    assert.throws(
      () => client.session.ping(client.nowMs),
      (error) => isThinglineError(error, "CONNECTION_LOST"),
    );
    assert.equal(client.closed?.error?.code, "CONNECTION_LOST");
    assert.equal(pings(client), 1);
  });

  test("polled: a ping that was answered may be followed by another", () => {
    const client = new RecordedSession({ isKeepAliveAutomatic: false }).connect();
    client.session.ping(0);
    client.receive({ type: "pingresp" });
    client.session.ping(0);
    assert.equal(client.closed, undefined);
  });
});
