// What the worlds of power cuts share: a cloud with jobs and objects, and what is updated to.
import { type Cloud, createCloud, createMemoryStore, silentLog } from "@thingline/cloud";
import type { ImagePublicKey, SwapMode } from "@thingline/protocol/image";
import { makeSimulatedFirmware } from "@thingline/sim";
import { createNodeImageCrypto } from "@thingline/transport/node/firmware";
import {
  createVirtualClock,
  createVirtualFiles,
  createVirtualKeys,
  createVirtualNetwork,
  createVirtualRandom,
  type VirtualClock,
  type VirtualNetwork,
} from "@thingline/transport/virtual";
import { serveHttp } from "./http-front.test.support.js";

export const host = "localhost";
export const mqttPort = 1883;
export const objectsPort = 8081;
export const bucket = "firmware";
const imageBytes = 4_000;

export const crypto = createNodeImageCrypto();

/** What is updated to, and what should become of it. */
export interface UpdateScenario {
  name: string;
  mode: SwapMode;
  image: Uint8Array;
  /** `fwversion` of the job document. */
  versionWanted: string;
  /** The image that runs when the update succeeded. Undefined: it never does. */
  newVersion: string | undefined;
  /** Whether the device knows the bootloader's keys. */
  deviceHasKeys: boolean;
}

/** The cloud of all worlds: each has a thing and a job of its own. */
export interface UpdateHouse {
  clock: VirtualClock;
  network: VirtualNetwork;
  cloud: Cloud;
  factoryImage: Uint8Array;
  keys: readonly ImagePublicKey[];
  scenarios: readonly UpdateScenario[];
  close(): Promise<void>;
}

export async function openUpdateHouse(): Promise<UpdateHouse> {
  const clock = createVirtualClock();
  const random = createVirtualRandom("house");
  const network = createVirtualNetwork({ clock, random: random.fork("network"), latencyMs: 5 });
  const at = (port: number) => ({ host, port, optionName: "port" });
  const dependencies = { network, clock, random, files: createVirtualFiles(), keys: createVirtualKeys({ random }) };
  const cloud = await clock.untilSettled(
    createCloud(
      { ...dependencies, store: createMemoryStore(), log: silentLog },
      {
        ...{ folder: "/cloud", mqtts: at(8883), https: at(8443), mqtt: at(mqttPort), limits: "none" },
        objectsEndpoint: () => ({ scheme: "http", host, port: objectsPort }),
      },
    ),
  );
  await clock.untilSettled(serveHttp(network, { host, port: objectsPort }, (request) => cloud.handleRest(request)));
  await clock.untilSettled(cloud.run(cloud.objects.createBucket, { bucket }));
  const { factoryImage, keys, scenarios } = await makeScenarios();
  for (const { name, image } of scenarios) {
    await clock.untilSettled(cloud.run(cloud.objects.putObject, { bucket, key: name, chunks: [image] }));
  }
  // What is loaded with the first request for an object is loaded now: virtual time does not wait for a module.
  await cloud.handleRest({ method: "GET", url: `http://${host}:${objectsPort}/${bucket}/none`, headers: {} });
  return { clock, network, cloud, factoryImage, keys, scenarios, close: () => clock.until(cloud.close()) };
}

async function makeScenarios(): Promise<Pick<UpdateHouse, "factoryImage" | "keys" | "scenarios">> {
  const { privateKeyPem, publicKeyPem } = await crypto.generateKey("ed25519");
  const stranger = await crypto.generateKey("ed25519");
  const make = (version: string, isHealthy: boolean, key = privateKeyPem): Promise<Uint8Array> =>
    makeSimulatedFirmware({ crypto, privateKeyPem: key, version, sizeBytes: imageBytes, program: { isHealthy } });
  const factoryImage = await make("1.0.0", true);
  const good = await make("2.0.0", true);
  const ill = await make("2.0.0", false);
  const foreign = await make("2.0.0", true, stranger.privateKeyPem);
  const base = { versionWanted: "2.0.0", deviceHasKeys: true };
  const succeeds = { ...base, image: good, newVersion: "2.0.0+0" };
  const fails = { ...base, mode: "move" as const, newVersion: undefined };
  const modes: readonly SwapMode[] = ["move", "scratch", "offset"];
  return {
    factoryImage,
    keys: [crypto.publicKeyOf(publicKeyPem)],
    scenarios: [
      ...modes.map((mode) => ({ ...succeeds, name: `good-${mode}`, mode })),
      ...modes.map((mode) => ({ ...fails, name: `unhealthy-${mode}`, mode, image: ill })),
      { ...fails, name: "signature", image: foreign },
      { ...fails, name: "signature-bootloader", image: foreign, deviceHasKeys: false },
      { ...fails, name: "truncated", image: good.subarray(0, 3_000) },
      { ...fails, name: "version", image: await make("1.9.0", true) },
    ],
  };
}
