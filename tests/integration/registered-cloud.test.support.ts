// A local cloud in this process, in memory, in which certificates are registered, all with one policy.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type CertificateIssuer,
  type Cloud,
  createCloud,
  createMemoryStore,
  createRegistry,
  silentLog,
} from "@thingline/cloud";
import type { Clock, Keys, Network, Random } from "@thingline/transport";
import type { TestCertificate } from "@thingline/transport/contract";
import { createNodeFiles } from "@thingline/transport/node";

export interface RegisteredCloudOptions {
  clock: Clock;
  keys: Keys;
  network: Network;
  random: Random;
  policyDocument: string;
  certificates: readonly (readonly [TestCertificate, "ACTIVE" | "INACTIVE"])[];
}

export interface RegisteredCloud {
  cloud: Cloud;
  /** Ends it, and takes its files away. */
  close: () => Promise<void>;
}

export async function openRegisteredCloud(options: RegisteredCloudOptions): Promise<RegisteredCloud> {
  const { clock, keys, network, random, policyDocument, certificates } = options;
  const folder = await mkdtemp(join(tmpdir(), "thingline-registered-"));
  const listen = { host: "127.0.0.1", port: 0, optionName: "port" };
  const cloud = await createCloud(
    { network, clock, random, files: createNodeFiles(), keys, store: createMemoryStore(), log: silentLog },
    { folder, mqtts: listen, https: listen, limits: "none" },
  );
  const registry = createRegistry({
    issuer: {} as CertificateIssuer,
    parsePolicyDocument: () => undefined,
    endpointAddress: () => undefined,
  });
  await cloud.run(registry.createPolicy, { policyName: "device", policyDocument });
  for (const [{ certificatePem }, status] of certificates) {
    const { certificateArn } = await cloud.run(registry.registerCertificateWithoutCa, { certificatePem, status });
    await cloud.run(registry.attachPolicy, { policyName: "device", target: certificateArn });
  }
  const close = async () => {
    await cloud.close();
    await rm(folder, { recursive: true, force: true });
  };
  return { cloud, close };
}
