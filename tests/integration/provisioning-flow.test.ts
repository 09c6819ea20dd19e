import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile, mkdir, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type Cloud, silentLog } from "@thingline/cloud";
import { claimPolicyDocument, createCloud, createMemoryStore, originalClaimPolicyDocument } from "@thingline/cloud";
import type { Device } from "@thingline/device";
import type { ProvisionDeviceOptions, ProvisioningEvent, ProvisioningPoint } from "@thingline/device/provisioning";
import {
  connectDevice,
  createNativeCredentialStore,
  createNativeTlsDialer,
  loadNativeTlsCredentials,
} from "@thingline/device";
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
import type { ErrorCode, ThinglineError } from "@thingline/protocol";
import { isThinglineError } from "@thingline/protocol";
import type { CredentialStore, SecTagDialer } from "@thingline/transport";
import { makeTestCertificates } from "@thingline/transport/contract";
import {
  createNodeClock,
  createNodeFiles,
  createNodeKeys,
  createNodeNetwork,
  createNodeRandom,
} from "@thingline/transport/node";

const isLong = process.env["THINGLINE_TEST_LONG"] === "1";
const clock = createNodeClock();
const keys = createNodeKeys();
const random = createNodeRandom();
const files = createNodeFiles();
const network = createNodeNetwork({ clock });
const claimTag = 43;
const deviceTag = 50;
const quick = { retryMinMs: 20, retryMaxMs: 50 };

interface Claim {
  certificate: string;
  privateKey: string;
  certificateId: string;
}

describe("the provisioning sample against the local cloud, with real sockets", () => {
  let folder = "";
  let cloud: Cloud;
  let claim: Claim;
  let operator: Claim;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "thingline-provisioning-"));
    const listen = { host: "127.0.0.1", port: 0, optionName: "port" };
    cloud = await createCloud(
      { network, clock, random, files, keys, store: createMemoryStore(), log: silentLog },
      // Power comes back within milliseconds here; AWS's one CONNECT a second would be a second of waiting for each of them.
      { folder: join(folder, "cloud"), mqtts: listen, https: listen, limits: "none", vending: "builtin" },
    );
    claim = await createCertificate("claim", claimPolicyDocument);
    const everything = { Effect: "Allow", Action: "iot:*", Resource: "*" };
    operator = await createCertificate("all", JSON.stringify({ Version: "2012-10-17", Statement: [everything] }));
  });

  after(async () => {
    await cloud.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function createCertificate(policyName: string, policyDocument: string): Promise<Claim> {
    const { registry } = cloud;
    const created = await cloud.run(registry.createKeysAndCertificate, { setAsActive: true });
    await cloud.run(registry.createPolicy, { policyName, policyDocument });
    await cloud.run(registry.attachPolicy, { policyName, target: created.certificateArn });
    const { certificatePem: certificate, certificateId } = created;
    return { certificate, certificateId, privateKey: created.keyPair.PrivateKey };
  }

  async function openModem(name: string) {
    const modem = await createSimulatedModem({
      network,
      clock,
      random,
      keys,
      files,
      folder: join(folder, name, "modem"),
      lte: { searchMs: 1, attachMs: 1, detachMs: 1 },
    });
    const session = openModemSession(modem.openPort(), { clock });
    const store = createModemCredentialStore(session, { keys });
    const link = createLinkControl(session, { clock });
    return {
      modem,
      store,
      link,
      async close() {
        link.close();
        await session.close();
        await modem.close();
      },
    };
  }

  type Board = Pick<Awaited<ReturnType<typeof openModem>>, "store" | "link"> & {
    modem: { secTagDialer: SecTagDialer };
  };

  /** The same through a serial line: TLS inside the modem, by AT commands. */
  async function openSerialBoard(dialect: SerialModemDialect) {
    const lte = { searchMs: 1, attachMs: 1, detachMs: 1 };
    const modem = await createSimulatedModem({ network, clock, random, keys, lte });
    const application = await createSerialModemApplication(modem, { clock, random, dialect, baudRate: 1_000_000 });
    const session = openModemSession(application.openPort(), { clock });
    const sockets = await openSerialModemSockets(session, { clock });
    const link = createLinkControl(session, { clock });
    return {
      modem: sockets,
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

  async function writeTag(store: CredentialStore, secTag: number, { certificate, privateKey }: Claim): Promise<void> {
    await store.write(secTag, "ca", cloud.caPem);
    await store.write(secTag, "certificate", certificate);
    await store.write(secTag, "privateKey", privateKey);
  }

  function optionsFor(name: string, { store, link, modem }: Board): ProvisionDeviceOptions {
    const { port } = cloud.addresses.mqtts;
    return {
      host: "localhost",
      port,
      clientId: name,
      claimTag,
      store,
      link,
      dialer: modem.secTagDialer,
      files,
      progressPath: join(folder, name, "provisioning.json"),
      keys,
      clock,
      random,
      settings: { family: 4 },
      limits: quick,
    };
  }

  async function failureOf(run: Promise<unknown>, code: ErrorCode): Promise<ThinglineError> {
    const error: unknown = await run.then(
      () => assert.fail(`expected ${code}`),
      (thrown: unknown) => thrown,
    );
    assert.ok(isThinglineError(error, code), String(error));
    return error;
  }

  test("a simulated nRF91 goes from the claim to its own certificate, and knows it at the next start", async () => {
    const name = "pump-1";
    const board = await openModem(name);
    await writeTag(board.store, claimTag, claim);
    const events: ProvisioningEvent[] = [];
    const options = optionsFor(name, board);
    const { device, certificateId, isNew, caSource } = await provisionDevice({
      ...options,
      onEvent: (event) => void events.push(event),
    });
    assert.deepEqual(
      events
        .flatMap((event) => (event.type === "stepFinished" && event.result === "done" ? [event.step] : []))
        .sort((a, b) => a - b),
      [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
    );
    assert.equal(isNew, true);
    assert.equal(caSource, "claimTag");
    const secure = device.connection?.secure;
    assert.equal(secure?.protocol, "TLSv1.2");
    assert.equal(secure?.isResumed, false);
    // What its policy allows it to do as the thing that it has become.
    await device.publish(`$aws/things/${name}/shadow/get`, "");
    await device.disconnect();

    const { status } = (await cloud.run(cloud.registry.describeCertificate, { certificateId })).certificateDescription;
    assert.equal(status, "ACTIVE");
    await cloud.run(cloud.registry.describeThing, { thingName: name });
    assert.doesNotMatch(await readFile(options.progressPath, "utf8"), /BEGIN/);

    const again = await provisionDevice(options);
    assert.deepEqual([again.isNew, again.certificateId], [false, certificateId]);
    await again.device.disconnect();
    await board.close();
  });

  test("without the claim certificate, with one that is inactive or without a policy it fails with the reason", async () => {
    const name = "pump-2";
    const board = await openModem(name);
    const options = optionsFor(name, board);
    const missing = await failureOf(provisionDevice(options), "CREDENTIAL_MISSING");
    assert.match(missing.message, /security tag 43 lacks the claim's private key, client certificate and CA/);

    await board.link.offline();
    const elsewhere = { Effect: "Allow", Action: "iot:Connect", Resource: "arn:aws:iot:*:*:client/somebody-else" };
    const document = JSON.stringify({ Version: "2012-10-17", Statement: [elsewhere] });
    const useless = await createCertificate("elsewhere", document);
    await writeTag(board.store, claimTag, useless);
    const denied = await failureOf(provisionDevice(options), "CONNECTION_LOST");
    assert.match(denied.message, /iot:Connect for client id "claim-pump-2"/);

    const { certificateId } = useless;
    await cloud.run(cloud.registry.updateCertificate, { certificateId, newStatus: "INACTIVE" });
    const inactive: unknown = await provisionDevice(options).catch((error: unknown) => error);
    assert.ok(isThinglineError(inactive), String(inactive));
    assert.match(inactive.message, /ACTIVE/);
    await board.close();
  });

  test("a power cut of board and modem at the steps that matter is recovered from", async () => {
    const points: ProvisioningPoint[] = [];
    const rehearsal = await openModem("rehearsal");
    await writeTag(rehearsal.store, claimTag, claim);
    const onStep = (point: ProvisioningPoint): void => void points.push(point);
    await (await provisionDevice({ ...optionsFor("rehearsal", rehearsal), onStep })).device.disconnect();
    await rehearsal.close();

    // All of them in memory, in the unit tests; here those that leave the most behind.
    const first = (fits: (point: ProvisioningPoint) => boolean) =>
      points.find((point) => point.when === "after" && fits(point));
    const matter = [
      first(({ effect }) => effect === "publishRequest"),
      first(({ effect, item }) => effect === "writeCredential" && item === "privateKey"),
      first(({ effect, item }) => effect === "readDigest" && item === "certificate"),
      first(({ effect, item }) => effect === "readDigest" && item === "ca"),
      first(({ effect }) => effect === "prove"),
    ];
    const chosen = isLong ? points : matter.filter((point) => point !== undefined);
    assert.ok(chosen.length >= matter.length);
    for (const cut of chosen) {
      const replay = `cut ${cut.when} effect ${cut.index} (${cut.effect})`;
      const name = `cut-${cut.index}-${cut.when}`;
      const board = await openModem(name);
      await writeTag(board.store, claimTag, claim);
      const powerLost = new Error("the power was cut");
      const run = provisionDevice({
        ...optionsFor(name, board),
        onStep: ({ index, when }) => {
          if (index !== cut.index || when !== cut.when) return;
          board.modem.cutPower();
          throw powerLost;
        },
      });
      await assert.rejects(run, powerLost, replay);
      await board.close();

      const restarted = await openModem(name);
      const { device, history } = await provisionDevice(optionsFor(name, restarted));
      assert.equal(device.connection?.secure?.isResumed, false, replay);
      await device.disconnect();
      const { principals } = await cloud.run(cloud.registry.listThingPrincipals, { thingName: name });
      for (const principal of principals) {
        const id = principal.slice(principal.lastIndexOf("/") + 1);
        const isExplained = history.some(({ certificateId }) => certificateId === id || certificateId === undefined);
        assert.ok(isExplained, `${replay}: the certificate ${id}`);
      }
      await restarted.close();
    }
  });

  test("a resumed session of the claim is not taken for proof of the new credentials", async () => {
    const name = "pump-3";
    const board = await openModem(name);
    // The narrow policy would refuse it before: it lets nobody in under the device's name.
    await writeTag(board.store, claimTag, await createCertificate("wide", originalClaimPolicyDocument));
    const { secTagDialer } = board.modem;
    const dialled: string[] = [];
    let forged = 0;
    const forging: SecTagDialer = {
      name: "resuming TLS",
      dial: async (target, options) => {
        if (target.secTag === claimTag || forged >= 2) {
          dialled.push(`${target.secTag} ${target.handshake}`);
          return secTagDialer.dial(target, options);
        }
        // A cache that is not keyed by the credentials: what the design warns of.
        forged++;
        const session = { ...target, secTag: claimTag, handshake: "resume" } as const;
        const first = await secTagDialer.dial(session, options);
        if (!first.secure?.isResumed) await first.close();
        const connection = first.secure?.isResumed ? first : await secTagDialer.dial(session, options);
        dialled.push(`resumed: ${connection.secure?.isResumed}`);
        return connection;
      },
    };
    const notes: string[] = [];
    const { device, certificateId } = await provisionDevice({
      ...optionsFor(name, board),
      dialer: forging,
      onEvent: (event) => void (event.type === "note" && notes.push(event.message)),
    });
    assert.deepEqual(dialled, ["43 full", "resumed: true", "resumed: true", "50 full"]);
    assert.equal(notes.filter((note) => note.includes("proves nothing")).length, 2);
    const { thingName } = await cloud.run(cloud.registry.describeThing, { thingName: name });
    assert.equal(thingName, name);
    assert.equal(certificateId.length, 64);
    await device.disconnect();
    await board.close();
  });

  test("native TLS keeps the new credentials in the application's store and not in the modem", async () => {
    const name = "pump-4";
    const board = await openModem(name);
    const certs = join(folder, name, "certs");
    await mkdir(certs, { recursive: true });
    await writeFile(join(certs, "ca-cert.pem"), cloud.caPem);
    await writeFile(join(certs, "client-cert.pem"), claim.certificate);
    await writeFile(join(certs, "private-key.pem"), claim.privateKey);
    const store = createNativeCredentialStore({ keys, files, folder: join(folder, name, "credentials") });
    await loadNativeTlsCredentials({ files, folder: certs, store, secTag: claimTag, keys });
    const dialer = createNativeTlsDialer({ dialer: board.modem.dialer, store });
    const { device } = await provisionDevice({ ...optionsFor(name, board), store, dialer });
    assert.equal(device.connection?.secure?.protocol, "TLSv1.3");
    await device.disconnect();
    assert.deepEqual(
      (await store.list()).map(({ secTag, type }) => `${secTag} ${type}`),
      ["43 ca", "43 certificate", "43 privateKey", "50 ca", "50 certificate", "50 privateKey"],
    );
    assert.deepEqual(
      (await board.store.list()).filter(({ secTag }) => secTag === deviceTag || secTag === claimTag),
      [],
    );
    await board.close();
  });

  test("a message of 4.5 KB kills a modem's socket and passes native TLS", async () => {
    const board = await openModem("pump-5");
    await writeTag(board.store, claimTag, operator);
    await board.link.connect();
    const store = createNativeCredentialStore({ keys });
    await writeTag(store, claimTag, operator);
    const native = createNativeTlsDialer({ dialer: board.modem.dialer, store, receivedRecordBytesMax: 5120 });
    const connect = (clientId: string, secTagDialer: SecTagDialer): Promise<Device> => {
      const { port } = cloud.addresses.mqtts;
      return connectDevice({
        host: "localhost",
        port,
        family: 4,
        clientId,
        clock,
        random,
        secTagDialer,
        secTag: claimTag,
        reconnect: false,
      });
    };
    const sender = await connect("sender", native);
    const payload = new Uint8Array(4500).fill(0x2e);

    const overNative = await connect("native", native);
    const received = new Promise<number>((resolve) => {
      void overNative
        .subscribe("big/native", (message) => resolve(message.payload.length))
        .then(() => sender.publish("big/native", payload));
    });
    assert.equal(await received, 4500);

    const overModem = await connect("modem", board.modem.secTagDialer);
    const ended = new Promise<ThinglineError | undefined>((resolve) => {
      overModem.on("disconnected", ({ error }) => resolve(error));
    });
    await overModem.subscribe("big/modem", () => assert.fail("a modem cannot take this"));
    await sender.publish("big/modem", payload);
    assert.equal((await ended)?.code, "TLS_RECORD_TOO_LARGE");
    await Promise.all([sender.disconnect(), overNative.disconnect()]);
    await board.close();
  });

  for (const dialect of isLong ? (["slm-1.x", "slm-2.x", "serialModem"] as const) : (["serialModem"] as const)) {
    test(`behind a serial modem (${dialect}) a device gets its own certificate for a key that the modem made, and then publishes, receives and has a shadow`, async () => {
      await using board = await openSerialBoard(dialect);
      await writeTag(board.store, claimTag, claim);
      const clientId = `serial-${dialect.replace(/\W/g, "")}`;
      const { device, secTag, isNew } = await provisionDevice({
        ...optionsFor(clientId, board),
        keyMaker: board.keyMaker,
        method: { kind: "split", keys: "modem" },
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

  test("what keeps a device behind a serial modem from connecting is told by name", async () => {
    await using board = await openSerialBoard("serialModem");
    const { port } = cloud.addresses.mqtts;
    const codeOf = async (secTag: number, at = port) => {
      const error: unknown = await board.modem.secTagDialer
        .dial({ host: "localhost", port: at, secTag, family: 4 })
        .then(
          () => undefined,
          (reason: unknown) => reason,
        );
      assert.ok(isThinglineError(error), String(error));
      return error.code;
    };
    await writeTag(board.store, claimTag, claim);
    assert.equal(await codeOf(claimTag), "LINK_FAILED");
    await board.link.connect();
    assert.equal(await codeOf(44), "CREDENTIAL_MISSING");
    assert.equal(await codeOf(claimTag, 1), "CONNECTION_REFUSED");
    await board.link.offline();
    const { client } = await makeTestCertificates(keys);
    await board.store.write(claimTag, "certificate", client.certificatePem);
    await board.store.write(claimTag, "privateKey", client.privateKeyPem);
    await board.link.connect();
    assert.equal(await codeOf(claimTag), "TLS_HANDSHAKE_FAILED");
  });
});
