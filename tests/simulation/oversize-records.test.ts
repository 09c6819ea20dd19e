// Messages that do not fit in a TLS record of the device, as with TLS inside a modem: each ends the connection, and comes again with
// the next one. The device finds out why, gives up what it must, says so, and lives on.
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import {
  createDevice,
  type Device,
  type DeviceMessage,
  type DeviceOptions,
  filterCutsMax,
  sameRecordCutsMax,
} from "@thingline/device";
import { createAwsIot } from "@thingline/device/aws-iot";
import { createMqttBackend } from "@thingline/device/backends";
import { isThinglineError } from "@thingline/protocol";
import type { Dialer, Random, TlsClientOptions } from "@thingline/transport";
import { awsIotSettings, loadKconfig } from "@thingline/protocol/kconfig";
import {
  createVirtualClock,
  createVirtualNetwork,
  createVirtualRandom,
  type VirtualClock,
} from "@thingline/transport/virtual";
import { openPrepared, prepare } from "./fault-world.test.support.js";

const prepared = await prepare();
const recordBytesMax = 2_048;
const large = "x".repeat(3_000);

interface World {
  clock: VirtualClock;
  /** With a TLS that takes any record. */
  office: Device;
  /** With the TLS of a modem. What it gave up, and each end of a connection, is written down. */
  device: Device;
  /** What the device was made of. */
  base: { host: string; port: number; dialer: Dialer; clock: VirtualClock; random: Random; tls: TlsClientOptions };
  given: string[];
  cuts: string[];
  heard: string[];
  shows(message: DeviceMessage): void;
}

type Version = 4 | 5;

async function inWorld(t: TestContext, version: Version, settings: Partial<DeviceOptions>): Promise<World> {
  const clock = createVirtualClock();
  const random = createVirtualRandom(t.name);
  const network = createVirtualNetwork({ clock, random, latencyMs: 30 });
  const cloud = await openPrepared(prepared, clock, network);
  const common = { host: "localhost", port: 8883, dialer: network, clock, random };
  const office = createDevice({ ...common, clientId: "office", tls: prepared.tls });
  await clock.until(office.connect());
  const heard: string[] = [];
  const given: string[] = [];
  const cuts: string[] = [];
  const shows = ({ topic, payload }: DeviceMessage): void => void heard.push(`${topic} ${payload.length}`);
  const tls = { ...prepared.tls, maxVersion: "TLSv1.2" as const, receivedRecordBytesMax: recordBytesMax };
  const options: DeviceOptions = {
    ...common,
    clientId: "pump-7",
    tls,
    version,
    ...(settings as object),
    on: {
      data: shows,
      recordTooLarge: (event) => {
        given.push(event.type === "filterDropped" ? `${event.type} ${event.filter}` : event.type);
        assert.equal(event.error.code, "TLS_RECORD_TOO_LARGE");
        assert.equal(event.recordBytesMax, recordBytesMax);
        assert.ok(event.lengthBytes > recordBytesMax);
      },
      disconnected: ({ reason, error }) => {
        if (reason !== "userRequest") cuts.push(isThinglineError(error) ? error.code : reason);
        assert.doesNotMatch(error?.message ?? "", /polic/);
      },
    },
  };
  const device = createDevice(options);
  t.after(async () => {
    await clock.until(device.close());
    await clock.until(office.close());
    await clock.until(cloud.close());
    await clock.advance(1_000);
    assert.equal(clock.timerCount, 0, "a timer is left");
  });
  return { clock, office, device, base: { ...common, tls }, given, cuts, heard, shows };
}

const minutes = 60_000;
const tellsWhy = /did not answer get within \d+ ms; an answer of more than 2048 bytes does not come at all/;

for (const version of [4, 5] as const) {
  const isTold = version === 5;
  const name = isTold ? "MQTT 5" : "MQTT 3.1.1";

  test(`${name}: one queued message that is too large costs three connections, and no more`, async (t) => {
    const world = await inWorld(t, version, { applicationTopics: ["in/#"] });
    const { clock, device, office, given, cuts, heard } = world;
    await clock.until(device.connect());
    await clock.until(device.disconnect());
    for (const payload of ["small", large, "behind"]) await clock.until(office.publish("in/a", payload));
    await clock.until(device.connect());
    const outcome = device.publish("out/a", "survives").then(
      () => "acknowledged",
      (error: unknown) => String(error),
    );
    await clock.advance(2 * minutes);
    assert.equal(await outcome, "acknowledged");
    // The broker drops what a client said it cannot take [MQTT-3.1.2-25]; in 3.1.1 nobody can tell it.
    assert.deepEqual(given, isTold ? [] : ["sessionDiscarded"]);
    // Three, and the connection that was there to discard the session.
    assert.equal(cuts.length, isTold ? 0 : sameRecordCutsMax + 1);
    assert.ok(heard.includes("in/a 5"));
    assert.equal(heard.includes("in/a 6"), isTold, "what was queued behind is the price");
    assert.equal(device.state, "ready");
    heard.length = 0;
    await clock.until(office.publish("in/a", "again"));
    await clock.advance(1_000);
    assert.deepEqual(heard, ["in/a 5"], "subscribed anew");
    await clock.until(device.disconnect());
    await clock.until(office.publish("in/a", "queued"));
    await clock.until(device.connect());
    await clock.advance(1_000);
    assert.deepEqual(heard, ["in/a 5", "in/a 6"], "and the new session is kept");
  });

  test(`${name}: a filter with a retained message that is too large stays unsubscribed, the others do not`, async (t) => {
    const topics = ["in/1", "in/2", "in/3", "in/4"];
    const { clock, device, office, given, cuts, heard } = await inWorld(t, version, { applicationTopics: topics });
    await clock.until(office.publish("in/3", large, { isRetained: true }));
    // Its first attempt may fail: the device knows what to do.
    await clock.until(device.connect());
    await clock.advance(2 * minutes);
    assert.deepEqual(
      given.filter((what) => what !== "sessionDiscarded"),
      isTold ? [] : ["filterDropped in/3"],
    );
    assert.equal(cuts.filter((code) => code !== "TLS_RECORD_TOO_LARGE").length, 0, cuts.join());
    assert.ok(cuts.length <= (isTold ? 0 : 2 * (filterCutsMax + 1) + sameRecordCutsMax), cuts.join());
    for (const topic of topics) await clock.until(office.publish(topic, "small"));
    await clock.advance(1_000);
    assert.deepEqual(
      heard,
      topics.filter((topic) => isTold || topic !== "in/3").map((topic) => `${topic} 5`),
    );
    if (isTold) return;
    const refused = device.subscribe("in/3");
    await assert.rejects(clock.until(refused), (error) => isThinglineError(error, "TLS_RECORD_TOO_LARGE"));
    await clock.until(office.publish("in/3", "", { isRetained: true }));
    await clock.until(device.unsubscribe("in/3"));
    const subscription = await clock.until(device.subscribe("in/3"));
    assert.equal(subscription.isClosed, false, "forgotten");
    await clock.until(subscription.close());
  });

  test(`${name}: a shadow that is too large is told to those who ask for it, and to nobody for ever`, async (t) => {
    const { clock, device, office, given, cuts } = await inWorld(t, version, {});
    const wish = { $schema: large };
    await clock.until(office.publish("$aws/things/pump-7/shadow/update", JSON.stringify({ state: { desired: wish } })));
    const errors: string[] = [];
    device.on("error", ({ error }) => void errors.push(error.message));
    await clock.until(device.connect());
    const loop = (async () => {
      for await (const delta of device.shadow().deltas()) return Object.keys(delta.state).join();
      return "ended";
    })().catch((error: unknown) => (isThinglineError(error) ? error.code : String(error)));
    await clock.advance(5 * minutes);
    if (isTold) {
      // The broker drops the answer, and no answer is a time-out, which says what it may come of.
      assert.deepEqual([given, cuts], [[], []]);
      assert.match(errors[0] ?? "", tellsWhy);
    } else {
      assert.equal(await loop, "TLS_RECORD_TOO_LARGE");
      const dropped = given.filter((what) => what !== "sessionDiscarded");
      assert.deepEqual(dropped, ["filterDropped $aws/things/pump-7/shadow/get/accepted"]);
      assert.ok(cuts.length <= 12, cuts.join());
    }
    assert.equal(device.state, "ready");
    const get = device.shadow().get({ timeoutMs: 1_000 });
    const code = isTold ? "TIMEOUT" : "TLS_RECORD_TOO_LARGE";
    await assert.rejects(
      clock.until(get),
      (error) => isThinglineError(error, code) && (!isTold || tellsWhy.test(error.message)),
    );
    const cutCount = cuts.length;
    await clock.until(device.publish("out/a", "still here"));
    await clock.advance(5 * minutes);
    assert.equal(cuts.length, cutCount, "and nothing comes again");
  });
}

test("with keepTrying nothing is given up", async (t) => {
  const world = await inWorld(t, 4, { applicationTopics: ["in/#"], oversizeRecords: "keepTrying" });
  const { clock, device, office, given, cuts } = world;
  await clock.until(device.connect());
  await clock.until(device.disconnect());
  await clock.until(office.publish("in/a", large));
  await clock.until(device.connect());
  await clock.advance(5 * minutes);
  assert.deepEqual(given, []);
  assert.ok(cuts.length > 2 * sameRecordCutsMax, cuts.join());
});

test("an application that connects by itself gets out as well, with one call more", async (t) => {
  const { clock, device, office, given } = await inWorld(t, 4, { applicationTopics: ["in/#"], reconnect: false });
  await clock.until(device.connect());
  await clock.until(device.disconnect());
  await clock.until(office.publish("in/a", large));
  const outcomes: string[] = [];
  for (let call = 0; call < 6; call++) {
    const connecting = device.connect().then(
      () => "ready",
      (error: unknown) => (isThinglineError(error) ? error.code : String(error)),
    );
    outcomes.push(await clock.until(connecting));
    await clock.advance(10_000);
    if (device.state !== "idle") break;
  }
  assert.equal(device.state, "ready", outcomes.join());
  assert.deepEqual(given, ["sessionDiscarded"]);
});

test("a backend and the original's library tell what was given up as an error", async (t) => {
  const { clock, office, base } = await inWorld(t, 4, {});
  const told: string[] = [];
  const tell = (event: { type: string; error?: Error }): void => {
    if (event.type === "error" && isThinglineError(event.error)) told.push(event.error.code);
  };
  const backend = createMqttBackend({ ...base, clientId: "pump-7", applicationTopics: ["in/#"] });
  await clock.until(backend.init(tell));
  const config = [
    ...["CONFIG_AWS_IOT=y", 'CONFIG_AWS_IOT_BROKER_HOST_NAME="localhost"', "CONFIG_AWS_IOT_SEC_TAG=43"],
    ...['CONFIG_AWS_IOT_CLIENT_ID_STATIC="pump-8"', "CONFIG_MQTT_CLEAN_SESSION=n", ""],
  ].join("\n");
  const settings = awsIotSettings(loadKconfig([{ file: "prj.conf", text: config }]).config);
  const { dialer, tls, random } = base;
  const library = createAwsIot(
    settings,
    { clock, random, secTagDialer: { name: "modem TLS", dial: ({ host, port }) => dialer.dial({ host, port, tls }) } },
    { reconnect: {}, checksTopicCount: false },
  );
  library.init({}, tell);
  library.subscriptionTopicsAdd(["in/#"]);
  for (const face of [backend, library]) {
    await clock.until(face.connect());
    await clock.until(face.disconnect());
  }
  await clock.until(office.publish("in/a", large));
  for (const face of [backend, library]) await clock.until(face.connect());
  await clock.advance(2 * minutes);
  assert.deepEqual(told, ["TLS_RECORD_TOO_LARGE", "TLS_RECORD_TOO_LARGE"]);
  await clock.until(backend.uninit());
  await clock.until(library.close());
});
