// Answers that no honest cloud sends. Each ends in a named error or is passed over with a reason, and nothing is written of it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type ErrorCode, isThinglineError, ThinglineError, toHex } from "@thingline/protocol";
import { encodeCbor } from "@thingline/protocol/cbor";
import { encodeRegisterThingAnswer } from "@thingline/protocol/fleet-provisioning";
import { makeTestCertificate } from "@thingline/transport/contract";
import { receivedTextsMax } from "./effects.js";
import { deviceConfigurationCharactersMax } from "./fleet-wire.js";
import type { FleetCertificate, FleetMessage } from "./fleet-model.test.support.js";
import { receivedCertificateCharactersMax } from "./inspect.js";
import type { ProvisioningMethod } from "./method.js";
import { claimTag, deviceTag, makeWorld, pki, type World } from "./world.test.support.js";

const isLong = process.env["THINGLINE_TEST_LONG"] === "1";

type Format = "json" | "cbor";
type Keys = "cloud" | "csr";

const fleet = (keys: Keys, format: Format): ProvisioningMethod => {
  return { kind: "fleet", template: "line-1", format, keys };
};

function makeHostileWorld(keys: Keys): World {
  const world = makeWorld();
  world.store.isWritableOnline = keys === "cloud";
  return world;
}

const write = (members: Readonly<Record<string, string | number | undefined>>, format: Format): Uint8Array =>
  format === "json" ? new TextEncoder().encode(JSON.stringify(members)) : encodeCbor(members, { isIndefinite: true });

function membersOf({ id, pem, token, privateKeyPem }: FleetCertificate): Record<string, string | number | undefined> {
  return { certificateId: id, certificatePem: pem, privateKey: privateKeyPem, certificateOwnershipToken: token };
}

type Change = (
  members: Record<string, string | number | undefined>,
  world: World,
) => Record<string, string | number | undefined> | Uint8Array | Promise<Record<string, string | number | undefined>>;

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const repeated = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value);

const both: [name: string, code: ErrorCode, change: Change][] = [
  ["no certificate", "PROVISIONING_ANSWER_INVALID", ({ certificatePem: _, ...rest }) => rest],
  ["no token", "PROVISIONING_ANSWER_INVALID", ({ certificateOwnershipToken: _, ...rest }) => rest],
  ["an id of something else", "PROVISIONING_ANSWER_INVALID", (all) => ({ ...all, certificateId: "0a".repeat(32) })],
  ["an id that is none", "PROVISIONING_ANSWER_INVALID", (all) => ({ ...all, certificateId: "../../etc" })],
  ["a number for a text", "PROVISIONING_ANSWER_INVALID", (all) => ({ ...all, certificatePem: 7 })],
  ["no PEM", "CERTIFICATE_INVALID", (all) => ({ ...all, certificatePem: "certificate" })],
  ["a key for a certificate", "CERTIFICATE_INVALID", (all) => ({ ...all, certificatePem: pki.client.privateKeyPem })],
  [
    "a certificate without end",
    "PROVISIONING_ANSWER_TOO_LARGE",
    (all) => ({ ...all, certificatePem: pki.client.certificatePem + "\n".repeat(receivedCertificateCharactersMax) }),
  ],
  [
    "a token without end",
    "PROVISIONING_ANSWER_INVALID",
    (all) => ({ ...all, certificateOwnershipToken: "t".repeat(4_097) }),
  ],
  ["128 KB of nothing", "PROVISIONING_ANSWER_INVALID", () => repeated(131_072, 0x20)],
  ["more than 128 KB", "PROVISIONING_ANSWER_INVALID", () => repeated(131_073, 0x20)],
  ["nothing", "PROVISIONING_ANSWER_INVALID", () => bytes()],
  ["lists within lists", "PROVISIONING_ANSWER_INVALID", () => repeated(100_000, 0x81)],
  ["braces within braces", "PROVISIONING_ANSWER_INVALID", () => repeated(100_000, 0x7b)],
  ["a text of 2^64 bytes", "PROVISIONING_ANSWER_INVALID", () => bytes(0x7b, ...repeated(8, 0xff))],
  ["a map of 2^32 members", "PROVISIONING_ANSWER_INVALID", () => bytes(0xba, 0xff, 0xff, 0xff, 0xff)],
  ["maps that never end", "PROVISIONING_ANSWER_INVALID", () => repeated(100_000, 0xbf)],
  [
    "a certificate of another key",
    "KEY_MISMATCH",
    async (all, world) => {
      const { id, pem, token } = await world.fleet.issue();
      return { ...all, certificateId: id, certificatePem: pem, certificateOwnershipToken: token };
    },
  ],
];
const ofCloudKeys: typeof both = [
  ["a key without a certificate", "PROVISIONING_ANSWER_INVALID", ({ privateKey }) => ({ privateKey })],
  ["a certificate without a key", "PROVISIONING_ANSWER_INVALID", ({ privateKey: _, ...rest }) => rest],
  ["a key that is none", "KEY_INVALID", (all) => ({ ...all, privateKey: "key" })],
  ["a certificate for a key", "KEY_INVALID", (all) => ({ ...all, privateKey: pki.client.certificatePem })],
  ["a key of another answer", "KEY_MISMATCH", (all) => ({ ...all, privateKey: pki.client.privateKeyPem })],
  ["a key without end", "PROVISIONING_ANSWER_INVALID", (all) => ({ ...all, privateKey: "k".repeat(16_385) })],
];

for (const format of ["json", "cbor"] as const) {
  for (const keys of ["cloud", "csr"] as const) {
    test(`hostile answers to a request in ${format} with keys of ${keys}: a named error, and nothing written`, async () => {
      const method = fleet(keys, format);
      const answers = keys === "cloud" ? [...both, ...ofCloudKeys] : both;
      for (const [at, [name, code, change]] of answers.entries()) {
        const world = makeHostileWorld(keys);
        world.fleet.change = async ({ topic }, issued) => {
          const changed = await change(membersOf(issued), world);
          return [{ topic, payload: changed instanceof Uint8Array ? changed : write(changed, format) }];
        };
        const error: unknown = await world.provision({ method }).catch((reason: unknown) => reason);
        assert.ok(isThinglineError(error), `${name}: ${String(error)}`);
        assert.equal(error.code, code, `${name}: ${error.message}`);
        assert.doesNotMatch(error.message, /ttt|KEY-----|MII/u, name);
        const held = world.store.contentOf(deviceTag);
        assert.deepEqual(Object.keys(held), keys === "csr" ? ["privateKey"] : [], name);
        assert.equal(Object.keys(world.store.contentOf(claimTag)).length, 3);
        assert.equal(world.fleet.registrationCount, 0, name);
        assert.deepEqual(world.violations, []);
        assert.equal(world.clock.timerCount, 0);
        // It stops: the device is as able to provision as before. A short run looks after every fifth answer.
        if (!isLong && at % 5 !== (format === "json" ? 0 : 2)) continue;
        world.fleet.change = (message) => [message];
        await (await world.provision({ method })).device.disconnect();
      }
    });
  }

  test(`of answers in ${format} that are mixed, twice, or of two requests, one whole certificate is used`, async () => {
    for (const keys of ["cloud", "csr"] as const) {
      const method = fleet(keys, format);
      const world = makeHostileWorld(keys);
      world.fleet.change = async (message, issued) => {
        const other = await world.fleet.issue();
        const crossed = { ...membersOf(other), privateKey: keys === "cloud" ? issued.privateKeyPem : undefined };
        return [
          { topic: message.topic, payload: repeated(10, 0xff) },
          { topic: message.topic, payload: write(crossed, format) },
          message,
          message,
        ];
      };
      const { device, certificateId } = await world.provision({ method });
      const used = world.fleet.issued.find(({ id }) => id === certificateId);
      assert.equal(world.store.contentOf(deviceTag).certificate, used?.pem);
      assert.deepEqual(world.violations, []);
      assert.equal(world.fleet.orphansBut(certificateId).length, 0);
      await device.disconnect();
    }
  });

  test(`hostile answers to RegisterThing in ${format} are passed over, and the honest one is taken`, async () => {
    const topic = `$aws/provisioning-templates/line-1/provision/${format}/accepted`;
    const long = { long: "x".repeat(deviceConfigurationCharactersMax) };
    const hostile: Uint8Array[] = [
      bytes(),
      repeated(131_072, 0x81),
      encodeRegisterThingAnswer({ thingName: "a/+/#", deviceConfiguration: {} }, format),
      encodeRegisterThingAnswer({ thingName: "pump-7", deviceConfiguration: long }, format),
      write({ thingName: 7 }, format),
      write({ deviceConfiguration: "text" }, format),
    ];
    const world = makeWorld();
    const early: FleetMessage[] = hostile.map((payload) => ({ topic, payload, delayMs: 101 }));
    // Before RegisterThing is asked for, all are strangers; a good one as well.
    const good = encodeRegisterThingAnswer({ thingName: "evil", deviceConfiguration: {} }, format);
    world.fleet.change = (message) => [{ topic, payload: good, delayMs: 1 }, message, ...early];
    const { device, thingName } = await world.provision({ method: fleet("csr", format) });
    assert.equal(thingName, "pump-7");
    const codes = world.events.flatMap((event) => (event.type === "note" && event.code ? [event.code] : []));
    assert.deepEqual(
      codes,
      hostile.map(() => "PROVISIONING_ANSWER_INVALID"),
    );
    await device.disconnect();
  });
}

test("a certificate that comes when none is waited for is ignored with a reason, and its id is kept", async () => {
  const world = makeWorld();
  const other = await world.fleet.issue();
  const topic = "$aws/certificates/create-from-csr/cbor/accepted";
  // While the thing is registered: the connection is still open.
  world.fleet.change = (message) => [message, { topic, payload: world.fleet.encode(other, "cbor"), delayMs: 101 }];
  const { device, history } = await world.provision({ method: fleet("csr", "cbor") });
  assert.ok(world.notes().some((note) => note.includes("came when none was waited for")));
  const late = history.find(({ certificateId }) => certificateId === other.id);
  assert.deepEqual([late?.outcome, late?.reason], ["discarded", "it came when none was waited for"]);
  assert.ok(world.progressText().includes(other.id), "in the file as well");
  await device.disconnect();
});

test("a flood of certificates fills no memory: those that are too many are passed over by name", async () => {
  const world = makeWorld();
  const topic = "$aws/certificates/create-from-csr/cbor/accepted";
  const flood: Uint8Array[] = [];
  for (let serial = 1; serial <= receivedTextsMax + 10; serial++) {
    const issued = { commonName: "flood", issuer: pki.ca, keyPair: pki.otherClient, serial };
    const { certificatePem, certificateDer } = await makeTestCertificate(world.keys, issued);
    const certificateId = toHex(world.keys.sha256(certificateDer));
    flood.push(write({ certificateId, certificatePem, certificateOwnershipToken: "t" }, "cbor"));
  }
  world.fleet.change = (message) => [...flood.map((payload) => ({ topic, payload })), message];
  const error: unknown = await world.provision({ method: fleet("csr", "cbor") }).catch((reason: unknown) => reason);
  assert.ok(isThinglineError(error, "LIMIT_EXCEEDED"), String(error));
  assert.deepEqual(Object.keys(world.store.contentOf(deviceTag)), ["privateKey"]);
  assert.deepEqual(world.violations, []);
});

test("errors of the device hold no key, no token and no PEM", async () => {
  const world = makeHostileWorld("cloud");
  world.fleet.refuseThing = () => ({ statusCode: 500, errorCode: "InternalFailure", errorMessage: "x" });
  const error: unknown = await world.provision({ method: fleet("cloud", "json") }).catch((reason: unknown) => reason);
  assert.ok(error instanceof ThinglineError);
  const told = JSON.stringify([error.message, error.details, world.events]);
  assert.doesNotMatch(told, /token-|PRIVATE KEY|BEGIN/u);
});
