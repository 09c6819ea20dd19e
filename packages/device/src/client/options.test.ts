import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { createVirtualRandom } from "@thingline/transport/virtual";
import { checkOptions, packetBytesMaxOf } from "./check-options.js";
import { connectDevice, createDevice } from "./create-device.js";
import { closesCleanly, FakeCloud, testPems } from "./fake-cloud.test.support.js";

const cloud = new FakeCloud();
const fine = { host: "h", clientId: "c", clock: cloud.clock, random: createVirtualRandom(1), dialer: cloud };

function check(options: Record<string, unknown>): ReturnType<typeof checkOptions> {
  return checkOptions({ ...fine, ...options });
}

describe("options of connectDevice", () => {
  const wrong: [option: string, options: Record<string, unknown>][] = [
    ["clientId", { clientId: "" }],
    ["clientId", { clientId: "x".repeat(129) }],
    ["clientId", { clientId: "ü".repeat(65) }],
    ["clientId", { clientId: "$GEN/1" }],
    ["clientId", { clientId: 7 }],
    ["host", { host: "" }],
    ["host", { host: "a b" }],
    ["host", { host: "https://a" }],
    ["port", { port: 0 }],
    ["port", { port: 65_536 }],
    ["port", { port: 1.5 }],
    ["endpoint", { endpoint: "h:1" }],
    ["endpoint", { host: undefined }],
    ["port", { host: undefined, endpoint: "h", port: 1 }],
    ["dialer", { dialer: undefined }],
    ["shadowTopics", { shadowTopics: ["get"] }],
    ["requestsShadow", { requestsShadow: 1 }],
    ["sendTimeoutMs", { sendTimeoutMs: -1 }],
    ["resendAfterMs", { resendAfterMs: 0 }],
    ["resendAfterMs", { resendAfterMs: 1000, version: 5 }],
    ["handshake", { handshake: "never" }],
    ["staticAddress", { staticAddress: "cloud.test" }],
    ["staticAddress", { staticAddress: "1.2.3" }],
    ["reconnect.baseMs", { reconnect: { baseMs: 0 } }],
    ["reconnect.capMs", { reconnect: { baseMs: 2000, capMs: 1999 } }],
    ["reconnect.attemptsMax", { reconnect: { attemptsMax: 0 } }],
    ["reconnect.firstAttempt", { reconnect: { firstAttempt: "never" } }],
    ["dialer", { secTagDialer: cloud, secTag: 1 }],
    [
      "secTagDialer.receivedRecordBytesMax",
      { dialer: undefined, secTag: 1, secTagDialer: { dial: () => undefined, receivedRecordBytesMax: "2048" } },
    ],
    [
      "secTagDialer.receivedRecordBytesMax",
      { dialer: undefined, secTag: 1, secTagDialer: { dial: () => undefined, receivedRecordBytesMax: NaN } },
    ],
    [
      "secTagDialer.receivedRecordBytesMax",
      { dialer: undefined, secTag: 1, secTagDialer: { dial: () => undefined, receivedRecordBytesMax: 0 } },
    ],
    ["secTag", { dialer: undefined, secTagDialer: cloud, secTag: -1 }],
    ["secTag", { dialer: undefined, secTagDialer: cloud, secTag: 2_147_483_648 }],
    ["secTag", { dialer: undefined, secTagDialer: cloud }],
    ["secTag", { secTag: 1 }],
    ["tls", { dialer: undefined, secTagDialer: cloud, secTag: 1, tls: { ca: testPems.ca } }],
    ["webSocket", { dialer: undefined, secTagDialer: cloud, secTag: 1, webSocket: { path: "/mqtt" } }],
    ["secTagDialer", { dialer: undefined, secTagDialer: {}, secTag: 1 }],
    ["dialer", { dialer: {} }],
    ["clock", { clock: undefined }],
    ["clock", { clock: Date }],
    ["random", { random: undefined }],
    ["random", { random: Math.random }],
    ["tls.ca", { tls: {} }],
    ["tls.ca", { tls: { ca: undefined } }],
    ["tls.ca", { tls: { ca: new URL("file:///ca.pem") } }],
    ["tls.privateKey", { tls: { ca: testPems.ca, certificate: testPems.certificate } }],
    ["tls.cert", { tls: { ca: testPems.ca, cert: testPems.certificate } }],
    ["tls.minVersion", { tls: { ca: testPems.ca, minVersion: "TLSv1" } }],
    ["tls.alpnProtocols", { tls: { ca: testPems.ca, alpnProtocols: "mqtt" } }],
    ["tlsSessions", { tlsSessions: {} }],
    ["webSocket.path", { webSocket: {} }],
    ["webSocket.path", { webSocket: { path: "mqtt" } }],
    ["webSocket.headers.a", { webSocket: { path: "/mqtt", headers: { a: 1 } } }],
    ["keepaliveSeconds", { keepaliveSeconds: 60 }],
    ["signal", { signal: AbortSignal.abort() }],
    ["reconnect", { reconnect: true }],
    ["reconnect.base", { reconnect: { base: 1 } }],
    ["applicationTopics", { applicationTopics: "a/b" }],
    ["applicationTopics", { applicationTopics: [1] }],
    ["alpnProtocols", { alpnProtocols: "mqtt" }],
    ["alpnProtocols[0]", { alpnProtocols: [1] }],
    ["family", { family: 5 }],
    ["password", { password: "secret" }],
    ["userProperties", { userProperties: { a: "b" } }],
    ["userProperties", { version: 5, userProperties: ["ab"] }],
    ["on.data", { on: { data: "x" } }],
    ["on.message", { on: { message: () => undefined } }],
    ["lastWill.payload", { lastWill: { topic: "a" } }],
    ["lastWill.payload", { lastWill: { topic: "a", payload: { a: 1 } } }],
    ["lastWill.message", { lastWill: { topic: "a", payload: "", message: "" } }],
    ["offlineQueue.folder", { offlineQueue: { folder: "x" } }],
    ["offlineQueue.storage.files", { offlineQueue: { storage: { folder: "x" } } }],
    ["offlineQueue.messagesPerSecondMax", { offlineQueue: { messagesPerSecondMax: NaN } }],
    ["reconnect.capMs", { reconnect: { capMs: "1000" } }],
    ["version", { version: 3 }],
    ["keepAliveSeconds", { keepAliveSeconds: 0 }],
    ["keepAliveSeconds", { keepAliveSeconds: 1201 }],
    ["isCleanSession", { isCleanSession: "y" }],
    ["sessionExpirySeconds", { version: 5, sessionExpirySeconds: -1 }],
    ["sessionExpirySeconds", { version: 4, sessionExpirySeconds: -1 }],
    ["applicationTopics", { applicationTopics: ["a/#/b"] }],
    ["applicationTopics", { applicationTopics: [""] }],
    ["applicationTopics", { applicationTopics: Array.from({ length: 51 }, (_, n) => `t/${n}`) }],
    ["lastWill.topic", { lastWill: { topic: "a/+", payload: "" } }],
    ["lastWill.payload", { lastWill: { topic: "a", payload: new Uint8Array(65_536) } }],
    ["lastWill.qos", { lastWill: { topic: "a", payload: "", qos: 2 } }],
    ["payloadBytesMax", { payloadBytesMax: -1 }],
    ["connectTimeoutMs", { connectTimeoutMs: 0 }],
    ["connackTimeoutMs", { connackTimeoutMs: NaN }],
    ["ackTimeoutMs", { ackTimeoutMs: 3_600_001 }],
    ["closeTimeoutMs", { closeTimeoutMs: -1 }],
    ["inflightMax", { inflightMax: 0 }],
    ["inflightMax", { inflightMax: 65_536 }],
    ["queueMax", { queueMax: -1 }],
    ["receiveMaximum", { receiveMaximum: 0 }],
    ["acknowledges", { acknowledges: "never" }],
    ["username", { username: 1 }],
  ];
  for (const [option, options] of wrong) {
    test(`${option}: ${JSON.stringify(options).slice(0, 60)} is refused by name`, () => {
      assert.throws(
        () => check(options),
        (error) => {
          assert.ok(isThinglineError(error, "OPTION_INVALID"), String(error));
          assert.equal(error.details["option"], option);
          assert.ok(error.message.startsWith(option), error.message);
          return true;
        },
      );
    });
  }

  const credentials: [option: string, tls: Record<string, unknown>, message: RegExp][] = [
    ["ca", {}, /nothing; it is the CA that vouches for the server: amazonRootCa1 for AWS IoT/],
    ["ca", { ca: "certs/ca.pem" }, /looks like the path of a file: pass what is in the file/],
    ["ca", { ca: "" }, /it is empty/],
    ["ca", { ca: Buffer.from([0x30, 0x82, 0xff, 0]) }, /binary content \(DER\?\)/],
    ["ca", { ca: Buffer.from(testPems.ca, "utf16le") }, /UTF-16 text: save it as UTF-8/],
    ["ca", { ca: testPems.privateKey }, /must be a PEM "CERTIFICATE", got "RSA PRIVATE KEY"/],
    ["certificate", { certificate: testPems.request }, /a request is what a CA makes a certificate from/],
    ["certificate", { certificate: testPems.privateKey, privateKey: testPems.certificate }, /may be swapped/],
    ["privateKey", { privateKey: testPems.certificate }, /got "CERTIFICATE": certificate and key may be swapped/],
    [
      "privateKey",
      { privateKey: testPems.privateKey.replaceAll("\n", "\\n") },
      /written as \\n instead of being line ends/,
    ],
  ];
  for (const [item, tls, message] of credentials) {
    test(`tls.${item} is explained: ${message.source}`, () => {
      const { ca, certificate, privateKey } = testPems;
      const whole = item === "ca" ? tls : { ca, certificate, privateKey, ...tls };
      assert.throws(
        () => check({ tls: whole }),
        (error) => {
          assert.ok(isThinglineError(error), String(error));
          assert.equal(error.details["option"], `tls.${item}`);
          assert.match(error.message, message);
          assert.ok(!error.message.includes("MII"), "no part of a key or certificate is quoted");
          return true;
        },
      );
    });
  }

  test("PEM is taken as text and as bytes, certificate and key from one file, and a bundle of CAs", () => {
    const { ca, certificate, privateKey, otherCa } = testPems;
    const both = Buffer.from(`${certificate}${privateKey}`);
    for (const tls of [
      { ca, certificate, privateKey },
      {
        ca: Buffer.from(`\uFEFF${ca}`),
        certificate: new TextEncoder().encode(certificate),
        privateKey: Buffer.from(privateKey),
      },
      { ca, certificate: both, privateKey: both },
      { ca: `${ca}${otherCa}`.repeat(100) },
      { ca: ca.replaceAll("BEGIN CERT", "BEGIN X509 CERT").replaceAll("END CERT", "END X509 CERT") },
    ]) {
      check({ tls });
    }
  });

  test("an endpoint is a host, with or without a port, and IPv6 goes in brackets", () => {
    for (const [endpoint, host, port] of [
      ["a.iot.test", "a.iot.test", 8883],
      ["localhost:1883", "localhost", 1883],
      ["127.0.0.1:443", "127.0.0.1", 443],
      ["[::1]:8883", "::1", 8883],
      ["[::1]", "::1", 8883],
    ] as const) {
      const { host: _, ...rest } = fine;
      const checked = checkOptions({ ...rest, endpoint });
      assert.deepEqual([checked.host, checked.port], [host, port]);
    }
    for (const endpoint of ["", ":1", "a:", "a:b", "::1", "a:0", "a:65536", "https://a", "a/b"]) {
      const { host: _, ...rest } = fine;
      assert.throws(() => checkOptions({ ...rest, endpoint }), /^ThinglineError: endpoint: expected/);
    }
  });

  test("the defaults are the original library's and AWS IoT's", () => {
    const { session, port, alpnProtocols, payloadBytesMax, applicationTopics } = check({});
    assert.deepEqual(
      [session.version, session.isCleanSession, session.keepAliveSeconds, port, alpnProtocols, payloadBytesMax],
      [4, false, 60, 8883, undefined, 131_072],
    );
    assert.deepEqual(applicationTopics, []);
  });

  test("ALPN is AWS IoT's on port 443, unless told otherwise or over WebSocket", () => {
    assert.deepEqual(check({ port: 443 }).alpnProtocols, ["x-amzn-mqtt-ca"]);
    assert.deepEqual(check({ port: 443, alpnProtocols: ["mqtt"] }).alpnProtocols, ["mqtt"]);
    assert.equal(check({ port: 443, webSocket: { path: "/mqtt" } }).alpnProtocols, undefined);
  });

  test("a topic given twice is subscribed once", () => {
    assert.deepEqual(check({ applicationTopics: new Set(["a", "b", "a"]) }).applicationTopics, ["a", "b"]);
    assert.deepEqual(check({ applicationTopics: ["a", "b", "a"] }).applicationTopics, ["a", "b"]);
  });

  test("the largest packet that is decoded is AWS IoT's at least, so that an oversize payload can be drained", () => {
    assert.equal(packetBytesMaxOf(8096), 149_504);
    assert.equal(packetBytesMaxOf(1_000_000), 1_018_432);
  });
});

describe("options that throw when they are read", () => {
  /** An object with one more member, which throws from the given read on. */
  function throwing(on: object, name: string, fromRead: number, value: unknown): object {
    let reads = 0;
    const get = (): unknown => {
      reads += 1;
      if (reads >= fromRead) throw new TypeError("boom");
      return value;
    };
    return Object.defineProperty({ ...on }, name, { enumerable: true, configurable: true, get });
  }
  const cases: [option: string, options: (fromRead: number) => object][] = [
    ["host", (from) => throwing(fine, "host", from, "h")],
    ["clientId", (from) => throwing(fine, "clientId", from, "c")],
    ["clock", (from) => throwing(fine, "clock", from, cloud.clock)],
    ["dialer", (from) => throwing(fine, "dialer", from, cloud)],
    ["on", (from) => throwing(fine, "on", from, {})],
    ["on.data", (from) => ({ ...fine, on: throwing({}, "data", from, () => undefined) })],
    ["tls.ca", (from) => ({ ...fine, tls: throwing({}, "ca", from, testPems.ca) })],
    ["webSocket.path", (from) => ({ ...fine, webSocket: throwing({}, "path", from, "/mqtt") })],
    ["lastWill.topic", (from) => ({ ...fine, lastWill: throwing({ payload: "x" }, "topic", from, "a") })],
    ["offlineQueue.overflow", (from) => ({ ...fine, offlineQueue: throwing({}, "overflow", from, "dropOldest") })],
    ["reconnect.capMs", (from) => ({ ...fine, reconnect: throwing({}, "capMs", from, 5_000) })],
    ["quotas.topicBytesMax", (from) => ({ ...fine, quotas: throwing({}, "topicBytesMax", from, 100) })],
  ];
  const makers = { createDevice, connectDevice };
  for (const [option, options] of cases) {
    test(`${option} is refused by name, by createDevice() and connectDevice()`, async () => {
      for (const make of Object.values(makers)) {
        await assert.rejects(
          async () => make(options(1) as never),
          (error) => {
            assert.ok(isThinglineError(error, "OPTION_INVALID"), String(error));
            assert.equal(error.details["option"], option);
            assert.ok(error.cause instanceof TypeError);
            return true;
          },
        );
      }
    });

    test(`${option} that throws when it is read again makes a device, or is refused by name`, async () => {
      try {
        await createDevice(options(2) as never).close();
      } catch (error) {
        assert.ok(isThinglineError(error, "OPTION_INVALID"), String(error));
        assert.equal(error.details["option"], option);
      }
    });
  }

  test("a list that throws is refused by name", () => {
    function* topics(): Generator<string> {
      yield "a";
      throw new TypeError("boom");
    }
    for (const option of ["applicationTopics", "shadowTopics"]) {
      assert.throws(
        () => check({ [option]: topics() }),
        (error) => isThinglineError(error, "OPTION_INVALID") && error.details["option"] === option,
      );
    }
  });
});

describe("options from a class of the application's", () => {
  const { ca, certificate, privateKey } = testPems;

  test("TLS, WebSocket and listeners are used as they were checked", async () => {
    class Tls {
      get ca(): string {
        return ca;
      }
      get certificate(): Uint8Array {
        return Buffer.from(certificate);
      }
      get privateKey(): string {
        return privateKey;
      }
    }
    class WebSocket {
      get path(): string {
        return "/mqtt";
      }
    }
    class Listeners {
      ready(): void {
        heard.push("ready");
      }
    }
    const heard: string[] = [];
    const world = new FakeCloud();
    const options = { ...fine, clock: world.clock, dialer: world, tls: new Tls(), webSocket: new WebSocket() };
    const device = createDevice({ ...options, on: new Listeners() });
    const connecting = device.connect();
    await world.clock.settle();
    await connecting;
    assert.deepEqual(heard, ["ready"]);
    assert.deepEqual(world.target?.tls, { ca, certificate, privateKey });
    assert.equal(world.target?.webSocket?.path, "/mqtt");
    await closesCleanly(world, device);
  });
});

test("a PEM whose bytes were changed in place is looked at again", () => {
  const tls = { ca: new TextEncoder().encode(testPems.ca) };
  check({ tls });
  tls.ca.fill(0x20);
  assert.throws(() => check({ tls }), /^ThinglineError: tls\.ca is not a PEM: it is empty/);
});
