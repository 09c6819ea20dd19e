// The device library through a board that runs the serial modem application: real TLS between the simulated nRF91 and a whole local cloud.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type Cloud, claimPolicyDocument, createCloud, createMemoryStore, silentLog } from "@thingline/cloud";
import { provisionDevice } from "@thingline/device/provisioning";
import {
  createLinkControl,
  createModemCredentialStore,
  createModemKeyMaker,
  openModemSession,
  openSerialModemSockets,
  type SerialModemDialect,
} from "@thingline/modem";
import { createSerialModemApplication, createSimulatedModem } from "@thingline/modem/simulator";
import { isThinglineError } from "@thingline/protocol";
import {
  createNodeClock,
  createNodeFiles,
  createNodeKeys,
  createNodeNetwork,
  createNodeRandom,
} from "@thingline/transport/node";

const isLong = process.env["THINGLINE_TEST_LONG"] === "1";
const dialects: readonly SerialModemDialect[] = isLong ? ["slm-1.x", "slm-2.x", "serialModem"] : ["serialModem"];
const clock = createNodeClock();
const keys = createNodeKeys();
const random = createNodeRandom();
const files = createNodeFiles();
const network = createNodeNetwork({ clock });
const claimTag = 43;
const deviceTag = 50;

describe("a device behind a serial modem", () => {
  let folder = "";
  let cloud: Cloud;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "thingline-serial-modem-"));
    const listen = { host: "127.0.0.1", port: 0, optionName: "port" };
    cloud = await createCloud(
      { network, clock, random, files, keys, store: createMemoryStore(), log: silentLog },
      { folder: join(folder, "cloud"), mqtts: listen, https: listen, limits: "none", vending: "builtin" },
    );
  });

  after(async () => {
    await cloud.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function openBoard(dialect: SerialModemDialect) {
    const lte = { searchMs: 1, attachMs: 1, detachMs: 1 };
    const modem = await createSimulatedModem({ network, clock, random, keys, lte });
    const application = await createSerialModemApplication(modem, { clock, random, dialect, baudRate: 1_000_000 });
    const session = openModemSession(application.openPort(), { clock });
    const sockets = await openSerialModemSockets(session, { clock });
    const link = createLinkControl(session, { clock });
    return {
      modem,
      session,
      sockets,
      link,
      store: createModemCredentialStore(session, { keys }),
      keyMaker: createModemKeyMaker(session, { keys }),
      async [Symbol.asyncDispose]() {
        await sockets.close();
        assert.equal(sockets.socketCount, 0);
        link.close();
        await session.close();
        await application.close();
        await modem.close();
      },
    };
  }

  type Board = Awaited<ReturnType<typeof openBoard>>;

  /** What every device of a batch has. */
  async function writeClaim({ store }: Board): Promise<void> {
    const { registry } = cloud;
    const made = await cloud.run(registry.createKeysAndCertificate, { setAsActive: true });
    const policyName = `policy-${made.certificateId.slice(0, 12)}`;
    await cloud.run(registry.createPolicy, { policyName, policyDocument: claimPolicyDocument });
    await cloud.run(registry.attachPolicy, { policyName, target: made.certificateArn });
    await store.write(claimTag, "ca", cloud.caPem);
    await store.write(claimTag, "certificate", made.certificatePem);
    await store.write(claimTag, "privateKey", made.keyPair.PrivateKey);
  }

  for (const dialect of dialects) {
    test(`${dialect}: gets its own certificate for a key that the modem made, and then publishes, receives and has a shadow`, async () => {
      await using board = await openBoard(dialect);
      await writeClaim(board);
      const clientId = `serial-${dialect.replace(/\W/g, "")}`;
      const { device, secTag, isNew } = await provisionDevice({
        ...{ host: "localhost", port: cloud.addresses.mqtts.port, clientId, claimTag, deviceTag },
        ...{ clock, random, files, keys, store: board.store, link: board.link, keyMaker: board.keyMaker },
        dialer: board.sockets.secTagDialer,
        progressPath: join(folder, `${clientId}.json`),
        method: { kind: "split", keys: "modem" },
        settings: { family: 4 },
        limits: { retryMinMs: 20, retryMaxMs: 50 },
      });
      assert.deepEqual([secTag, isNew], [deviceTag, true]);
      assert.equal(device.connection?.secure?.protocol, "TLSv1.2");
      assert.equal(device.connection?.secure?.serverName, "localhost");
      assert.match(device.connection?.secure?.cipher ?? "", /^0xC0/);

      const topic = `things/${clientId}/echo`;
      await allow(clientId, topic);
      const echoes = await device.subscribe(topic);
      // More than a burst of the line, more than the modem reads at once, and what an end marker would cut.
      const payloads = ["a", "+++", "x".repeat(1_500), `${"y".repeat(1_800)}+++`];
      for (const payload of payloads) await device.publish(topic, payload, { qos: 1 });
      const got: string[] = [];
      for await (const { payload } of echoes) {
        got.push(new TextDecoder().decode(payload));
        if (got.length === payloads.length) break;
      }
      assert.deepEqual(got.sort(), [...payloads].sort());

      const shadow = device.shadow();
      await shadow.update({ reported: { temperature: 21.5 } });
      const { state } = await shadow.get();
      assert.deepEqual(state.reported, { temperature: 21.5 });
      await device.close();
    });
  }

  /** Beyond what the vended policy is for. */
  async function allow(clientId: string, topic: string): Promise<void> {
    const { registry } = cloud;
    const arn = (resource: string) => `arn:aws:iot:us-east-1:123456789012:${resource}`;
    const policyDocument = JSON.stringify({
      Version: "2012-10-17",
      Statement: [
        { Effect: "Allow", Action: ["iot:Publish", "iot:Receive"], Resource: arn(`topic/${topic}`) },
        { Effect: "Allow", Action: "iot:Subscribe", Resource: arn(`topicfilter/${topic}`) },
      ],
    });
    await cloud.run(registry.createPolicy, { policyName: clientId, policyDocument });
    const { principals = [] } = await cloud.run(registry.listThingPrincipals, { thingName: clientId });
    for (const target of principals) await cloud.run(registry.attachPolicy, { policyName: clientId, target });
  }

  test("what keeps it from connecting is told by name", async () => {
    await using board = await openBoard("serialModem");
    const { port } = cloud.addresses.mqtts;
    const codeOf = async (secTag: number, at = port) => {
      const error: unknown = await board.sockets.secTagDialer
        .dial({ host: "localhost", port: at, secTag, family: 4 })
        .then(
          () => undefined,
          (reason: unknown) => reason,
        );
      assert.ok(isThinglineError(error), String(error));
      return error.code;
    };
    await writeClaim(board);
    assert.equal(await codeOf(claimTag), "LINK_FAILED");
    await board.link.connect();
    assert.equal(await codeOf(44), "CREDENTIAL_MISSING");
    assert.equal(await codeOf(claimTag, 1), "CONNECTION_REFUSED");
    await board.link.offline();
    const { certificatePem, privateKeyPem } = await strangerOf();
    await board.store.write(claimTag, "certificate", certificatePem);
    await board.store.write(claimTag, "privateKey", privateKeyPem);
    await board.link.connect();
    assert.equal(await codeOf(claimTag), "TLS_HANDSHAKE_FAILED");
  });

  /** A certificate that the cloud does not know. */
  async function strangerOf() {
    const { makeTestCertificates } = await import("@thingline/transport/contract");
    const { client } = await makeTestCertificates(keys);
    return client;
  }
});
