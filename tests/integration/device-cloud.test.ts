import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Cloud } from "@thingline/cloud";
import {
  connectDevice,
  connectResultOf,
  type ConnectDeviceOptions,
  type Device,
  TlsSessionCache,
} from "@thingline/device";
import { ThinglineError } from "@thingline/protocol";
import type { MqttVersion } from "@thingline/protocol/mqtt";
import { makeTestCertificates, type TestCertificate } from "@thingline/transport/contract";
import { createNodeClock, createNodeKeys, createNodeNetwork, createNodeRandom } from "@thingline/transport/node";
import { openRegisteredCloud } from "./registered-cloud.test.support.js";

const policyDocument = JSON.stringify({
  Version: "2012-10-17",
  Statement: [
    { Effect: "Allow", Action: "iot:Connect", Resource: "*" },
    { Effect: "Allow", Action: "iot:Publish", Resource: "arn:aws:iot:*:*:topic/open/*" },
    { Effect: "Allow", Action: "iot:Subscribe", Resource: "arn:aws:iot:*:*:topicfilter/open/*" },
    { Effect: "Allow", Action: "iot:Receive", Resource: "*" },
    { Effect: "Deny", Action: "iot:Connect", Resource: "arn:aws:iot:*:*:client/banned" },
  ],
});

async function failureOf(promise: Promise<unknown>): Promise<ThinglineError> {
  const error = await promise.then(
    () => assert.fail("it should have failed"),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof ThinglineError, String(error));
  return error;
}

describe("the device library against the local cloud over mutual TLS", () => {
  const clock = createNodeClock();
  const keys = createNodeKeys();
  const network = createNodeNetwork({ clock });
  const random = createNodeRandom();
  let cloud: Cloud;
  let close: () => Promise<void>;
  let known: TestCertificate;
  let inactive: TestCertificate;
  let unknown: TestCertificate;

  before(async () => {
    const certificates = await makeTestCertificates(keys);
    ({ client: known, otherClient: inactive, selfSigned: unknown } = certificates);
    ({ cloud, close } = await openRegisteredCloud({
      ...{ clock, keys, network, random, policyDocument },
      certificates: [
        [known, "ACTIVE"],
        [inactive, "INACTIVE"],
      ],
    }));
  });

  after(() => close());

  function connect(
    clientId: string,
    options: Partial<ConnectDeviceOptions> = {},
    { certificate = known, maxVersion }: { certificate?: TestCertificate; maxVersion?: "TLSv1.2" | "TLSv1.3" } = {},
  ): Promise<Device> {
    const { certificatePem, privateKeyPem } = certificate;
    const credentials = { ca: cloud.caPem, certificate: certificatePem, privateKey: privateKeyPem };
    return connectDevice({
      ...cloud.addresses.mqtts,
      clientId,
      clock,
      random,
      dialer: network,
      reconnect: false,
      tls: { ...credentials, ...(maxVersion === undefined ? {} : { maxVersion }) },
      serverName: "localhost",
      ...options,
    });
  }

  for (const version of [4, 5] as MqttVersion[]) {
    for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
      test(`MQTT ${version} over ${maxVersion}: QoS 0 and 1 go round, and the session tells how`, async () => {
        const clientId = `round-${version}-${maxVersion}`;
        const topic = `open/${clientId}`;
        await using device = await connect(clientId, { version, applicationTopics: [topic] }, { maxVersion });
        assert.equal(device.connection?.secure?.protocol, maxVersion);
        assert.equal(device.connection?.secure?.isResumed, false);
        const payloads: string[] = [];
        const three = new Promise<void>((resolve) => {
          device.on("data", ({ payload }) => {
            payloads.push(`${payload.length}`);
            if (payloads.length === 3) resolve();
          });
        });
        await device.publish(topic, "zero", { qos: 0 });
        await device.publish(topic, new Uint8Array(4500));
        await device.publish(topic, new Uint8Array(100_000));
        await three;
        assert.deepEqual(payloads.sort(), ["100000", "4", "4500"]);
      });

      test(`MQTT ${version} over ${maxVersion}: an inactive and an unknown certificate are refused with advice`, async () => {
        for (const certificate of [inactive, unknown]) {
          const error = await failureOf(connect("nobody", { version }, { certificate, maxVersion }));
          assert.ok(["certificate", "closedByRemote"].includes(connectResultOf(error)), error.message);
          assert.match(error.message, /registered and ACTIVE.*iot:Connect.*"nobody"/);
        }
      });
    }

    test(`MQTT ${version}: a client id that the policy denies`, async () => {
      const error = await failureOf(connect("banned", { version }));
      assert.equal(connectResultOf(error), version === 4 ? "closedByRemote" : "refused");
      assert.match(error.message, /allows iot:Connect for client id "banned"/);
    });

    test(`MQTT ${version}: a denied filter is told and the device works on`, async () => {
      const clientId = `filters-${version}`;
      await using device = await connect(clientId, { version, applicationTopics: ["open/a", "secret/a"] });
      assert.deepEqual(
        device.refusedFilters.map(({ filter }) => filter),
        ["secret/a"],
      );
      await device.publish("open/a", "x");
    });

    test(`MQTT ${version}: a persistent session keeps messages for its device`, async () => {
      const clientId = `persistent-${version}`;
      const topic = `open/${clientId}`;
      const first = await connect(clientId, { version, applicationTopics: [topic] });
      assert.equal(first.isPersistentSession, false);
      await first.disconnect();
      await using other = await connect(`${clientId}-other`, { version });
      await other.publish(topic, "while you were away");
      await using second = await connect(clientId, { version, applicationTopics: [topic] });
      assert.equal(second.isPersistentSession, true);
      const text = await new Promise<string>((resolve) => {
        second.on("data", ({ payload }) => resolve(new TextDecoder().decode(payload)));
      });
      assert.equal(text, "while you were away");
    });

    test(`MQTT ${version}: the same client id elsewhere ends this connection`, async () => {
      const first = await connect(`twice-${version}`, { version });
      const reason = new Promise<string>((resolve) => {
        first.on("disconnected", ({ reason: why, error }) => {
          resolve(`${why} ${error instanceof ThinglineError ? error.code : ""}`);
          // The end in order that a device under 3.1.1 can take for a takeover.
          if (version === 4) assert.match(error?.message ?? "", /^the server closed the connection/);
        });
      });
      await using _second = await connect(`twice-${version}`, { version });
      assert.equal(await reason, `closedByRemote ${version === 4 ? "CONNECTION_LOST" : "MQTT_SESSION_TAKEN_OVER"}`);
      assert.equal(first.state, "idle");
    });
  }

  test("MQTT 4: a denied publish ends the connection, and the error says that AWS does so", async () => {
    const device = await connect("denied-4");
    const error = await failureOf(device.publish("secret/x", "x"));
    assert.equal(error.code, "CONNECTION_LOST");
    assert.match(error.message, /policy denies a publish/);
    assert.equal(device.state, "idle");
  });

  test("MQTT 5: a denied publish is refused by PUBACK and the connection stays", async () => {
    await using device = await connect("denied-5", { version: 5 });
    const error = await failureOf(device.publish("secret/x", "x"));
    assert.deepEqual([error.code, error.details["reasonCode"]], ["MQTT_PUBLISH_REFUSED", 0x87]);
    await device.publish("open/x", "x");
  });

  for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
    test(`a device resumes its own ${maxVersion} session when asked to, and never one of other credentials`, async () => {
      const tlsSessions = new TlsSessionCache();
      const options = { handshake: "resume", tlsSessions } as Partial<ConnectDeviceOptions>;
      await using device = await connect("resumes", options, { maxVersion });
      // A session of TLS 1.3 comes after the handshake: with the first answers at the latest.
      await device.publish("open/x", "x");
      await device.disconnect();
      await device.connect();
      assert.equal(device.connection?.secure?.isResumed, true);
      await device.publish("open/x", "x");
      const error = await failureOf(connect("resumes", options, { certificate: inactive, maxVersion }));
      assert.match(error.message, /registered and ACTIVE/);
    });
  }

  test("a device comes back to a cloud that ended its connection, with its subscription and its message", async () => {
    await using device = await connect("stays", { version: 5, quotas: "none", reconnect: { baseMs: 1, capMs: 1 } });
    const got: string[] = [];
    const both = new Promise<void>((resolve) => {
      void device.subscribe("open/stays", ({ payload }) => {
        got.push(new TextDecoder().decode(payload));
        if (got.length === 2) resolve();
      });
    });
    await device.publish("open/stays", "before");
    const back = new Promise<void>((resolve) => device.on("ready", () => resolve()));
    // A topic of too many levels: AWS IoT ends the connection.
    await device.publish("a/b/c/d/e/f/g/h/i/j", "x", { qos: 0 });
    await new Promise<void>((resolve) => device.on("disconnected", () => resolve()));
    const between = device.publish("open/stays", "between");
    await back;
    await between;
    await both;
    assert.deepEqual(got, ["before", "between"]);
  });

  test("a thousand QoS 1 messages arrive in order", async () => {
    await using device = await connect("many", { applicationTopics: ["open/many"], inflightMax: 50 });
    const got: number[] = [];
    const all = new Promise<void>((resolve) => {
      device.on("data", ({ payload }) => {
        got.push(Number(new TextDecoder().decode(payload)));
        if (got.length === 1000) resolve();
      });
    });
    await Promise.all(Array.from({ length: 1000 }, (_, index) => device.publish("open/many", String(index))));
    await all;
    assert.deepEqual(
      got,
      Array.from({ length: 1000 }, (_, index) => index),
    );
  });
});
