// What waits for a shared group, over a death of the cloud and a restart.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { startCloud, type StartedCloud } from "@thingline/cloud/node";
import mqtt, { type IClientOptions } from "mqtt";

const filter = "$share/pumps/orders/#";
const numbers = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, index) => String(from + index));

test("what waits for a shared group is there after kill -9 and after a restart, in order, and none comes again", async (context) => {
  const dataDir = await mkdtemp(join(tmpdir(), "thingline-group-"));
  context.after(() => rm(dataDir, { recursive: true, force: true }));

  const killed = await startChild(context, dataDir);
  for (const clientId of ["north", "south"]) {
    const member = await connect(context, killed.port, clientId);
    await member.mqtt.subscribeAsync(filter, { qos: 1 });
    await member.mqtt.endAsync();
  }
  const passing = await connect(context, killed.port, "passing", { clean: true });
  await passing.mqtt.subscribeAsync(filter, { qos: 1 });
  await passing.mqtt.endAsync();
  await publish(context, killed.port, numbers(0, 20));
  await killed.kill();

  const second = await start(dataDir);
  context.after(() => second.close());
  const north = await connect(context, portOf(second), "north");
  assert.deepEqual(await north.received(20), numbers(0, 20));
  await publish(context, portOf(second), numbers(20, 22));
  assert.deepEqual(await north.received(22), numbers(0, 22));
  await north.mqtt.unsubscribeAsync(filter);
  await north.mqtt.endAsync();
  await publish(context, portOf(second), numbers(22, 25));
  await second.close();

  const third = await start(dataDir);
  context.after(() => third.close());
  await publish(context, portOf(third), numbers(25, 27));
  const south = await connect(context, portOf(third), "south");
  assert.deepEqual(await south.received(5), numbers(22, 27));
});

class Member {
  readonly mqtt: mqtt.MqttClient;
  readonly #texts: string[] = [];
  #wake = (): void => undefined;

  constructor(client: mqtt.MqttClient) {
    this.mqtt = client;
    client.on("message", (_topic, payload) => {
      this.#texts.push(payload.toString());
      this.#wake();
    });
  }

  async received(count: number): Promise<string[]> {
    while (this.#texts.length < count) await new Promise<void>((resolve) => (this.#wake = resolve));
    return this.#texts;
  }
}

async function connect(context: TestContext, port: number, clientId: string, options: IClientOptions = {}) {
  const persistent = { clean: false, protocolVersion: 5, properties: { sessionExpiryInterval: 600 } } as const;
  const isClean = options.clean === true;
  const client = mqtt.connect({
    host: "127.0.0.1",
    port,
    clientId,
    reconnectPeriod: 0,
    ...(!isClean && persistent),
    ...options,
  });
  context.after(() => client.endAsync(true).catch(() => undefined));
  // What a session still has comes right behind CONNACK.
  const member = new Member(client);
  await new Promise<void>((resolve) => client.once("connect", () => resolve()));
  return member;
}

async function publish(context: TestContext, port: number, texts: readonly string[]): Promise<void> {
  const { mqtt: sender } = await connect(context, port, "sender", { clean: true });
  for (const text of texts) await sender.publishAsync("orders/new", text, { qos: 1 });
  await sender.endAsync();
}

const start = (dataDir: string): Promise<StartedCloud> =>
  startCloud({ dataDir, mqttsPort: 0, httpsPort: 0, apiPort: 0, mqttPort: 0, limits: "none", keyPoolSize: 0 });

const portOf = ({ addresses }: { addresses: { mqtt: string | undefined } }): number =>
  Number(addresses.mqtt?.split(":").at(-1));

async function startChild(context: TestContext, dataDir: string) {
  const script = new URL("cloud-child.test.support.js", import.meta.url).pathname;
  const child = spawn(process.execPath, [script, dataDir], { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  const kill = async (): Promise<void> => {
    child.kill("SIGKILL");
    await exited;
  };
  context.after(kill);
  const [bytes] = (await once(child.stdout, "data")) as [Buffer];
  return { port: portOf({ addresses: JSON.parse(bytes.toString()) as { mqtt: string } }), kill };
}
