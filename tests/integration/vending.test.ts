// The switch of the built-in vending service, and an engineer's own cloud half beside it.
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { startCloud, type StartCloudOptions } from "@thingline/cloud/node";
import { connectDevice } from "@thingline/device/node";
import { eventsOf, runCommandLine, temporaryFolder } from "./cli-process.test.support.js";
import { RecordingLog } from "./cloud-world.test.support.js";

const ports = { mqttsPort: 0, httpsPort: 0, apiPort: 0, objectsPort: 0 };
const everything = { Version: "2012-10-17", Statement: { Effect: "Allow", Action: "iot:*", Resource: "*" } };

async function open(options: StartCloudOptions) {
  const log = new RecordingLog();
  const cloud = await startCloud({ ...ports, limits: "none", keyPoolSize: 0, log, ...options });
  const connect = async (thingName: string) => {
    const thing = await cloud.createThing(thingName, { keyType: "ec-p256", policyDocument: everything });
    return connectDevice({ ...thing, reconnect: false });
  };
  return { cloud, log, connect };
}

/** What came on the answers' topics of a device that has asked, once `count` answers are there. */
async function answersTo(device: Awaited<ReturnType<typeof connectDevice>>, clientId: string, count: number) {
  const answers = await device.subscribe(`certificate/${clientId}/create/accepted/+`);
  await device.publish(`certificate/${clientId}/create`, new Uint8Array());
  const got: string[] = [];
  for await (const { topic, payload } of answers) {
    got.push(`${topic.split("/").at(-1)}=${new TextDecoder().decode(payload).slice(0, 10)}`);
    if (got.length === count) break;
  }
  return got.sort();
}

test("an engineer's own subscriber gives the only answer, and the registry has what it made", async () => {
  const { cloud, connect } = await open({ memory: true });
  await using _cloud = cloud;
  await using half = await connect("half");
  const requests = await half.subscribe("certificate/+/create");
  const serving = (async () => {
    for await (const { topic } of requests) {
      await half.publish(`${topic}/accepted/key`, "their key");
      await half.publish(`${topic}/accepted/cert`, "their certificate");
    }
  })();
  await using device = await connect("pump-7");
  assert.deepEqual(await answersTo(device, "pump-7", 2), ["cert=their certi".slice(0, 15), "key=their key"]);
  // Whatever else were to answer has answered by now: it comes before the PUBACK of the request.
  const { run, registry } = { run: cloud.cloud.run.bind(cloud.cloud), registry: cloud.cloud.registry };
  assert.equal((await run(registry.listThingPrincipals, { thingName: "pump-7" })).principals?.length, 1);
  await half.close();
  await serving;
});

test("a claim switches the built-in service on while the cloud runs, which holds over a restart", async (t) => {
  const folder = await temporaryFolder(t);
  const dataDir = join(folder, "cloud");
  {
    const { cloud, connect } = await open({ dataDir });
    await using _cloud = cloud;
    await using device = await connect("pump-7");
    const where = ["--data-dir", dataDir, "--json"];
    const [created] = eventsOf(await runCommandLine({ cwd: folder, words: ["claim", "create", ...where] }));
    assert.deepEqual([created?.["vending"], created?.["isVendingChanged"]], ["builtin", true]);
    const answers = await answersTo(device, "pump-7", 2);
    assert.deepEqual(answers, ["cert=-----BEGIN", "key=-----BEGIN"]);
    const [status] = eventsOf(await runCommandLine({ cwd: folder, words: ["cloud", "status", ...where] }));
    assert.deepEqual([status?.["vending"], status?.["decidedBy"]], ["builtin", "stored"]);
  }
  const { cloud } = await open({ dataDir });
  await using _cloud = cloud;
  const { getVending, setVending } = cloud.cloud.splitProvisioning;
  assert.deepEqual(await cloud.cloud.run(getVending, undefined), { vending: "builtin", decidedBy: "stored" });
  await cloud.cloud.run(setVending, { vending: "off" });
});

test("a function of this process is called with the event of the original's rule, and answers by itself", async () => {
  const events: unknown[] = [];
  const { cloud, connect } = await open({
    memory: true,
    vending: { function: "vending" },
    functions: {
      vending: async (event) => {
        events.push(event);
        const { deviceId } = event as { deviceId: string };
        const topic = `certificate/${deviceId}/create/accepted`;
        const send = (name: string) =>
          cloud.cloud.run(cloud.cloud.messages.publish, {
            ...{ topic: `${topic}/${name}`, qos: 1 },
            payload: new TextEncoder().encode("theirs"),
          });
        await Promise.all([send("key"), send("cert")]);
        return undefined;
      },
    },
  });
  await using _cloud = cloud;
  await using device = await connect("pump-7");
  assert.deepEqual(await answersTo(device, "pump-7", 2), ["cert=theirs", "key=theirs"]);
  assert.deepEqual(events, [{ deviceId: "pump-7" }]);
});
