// What the tests of provisioning share: a registry, objects, and the service, in virtual time.
import { createCertificateRequest } from "@thingline/protocol/x509";
import type { Keys } from "@thingline/transport";
import { createNodeKeys } from "@thingline/transport/node";
import { createObjectsService } from "../objects/index.js";
import type { WakeHandler } from "../wake-ups.js";
import { openServiceWorld, scope } from "../world.test.support.js";
import { createThingProvisioningService } from "./index.js";
import { thingProvisioningName } from "./model.js";
import { createThingProvisioning } from "./service.js";

/** A PKCS#10 request by a key of its own. */
export async function signingRequest(): Promise<string> {
  const keys = createNodeKeys();
  const { privateKeyPem } = await keys.generate("ec-p256");
  const publicKey = keys.publicKeyOf(privateKeyPem);
  const sign = (data: Uint8Array) => keys.sign(privateKeyPem, data);
  return (await createCertificateRequest({ subject: [["CN", "device"]], publicKey, sign })).pem;
}

export const arnOf = (resource: string) => `arn:aws:iot:${scope.region}:${scope.account}:${resource}`;

export const policyDocument = '{"Version":"2012-10-17","Statement":[]}';

/** A template that takes the name of a thing, and of a certificate that exists. */
export const templateOf = (
  thing: object = {},
  { certificate = {}, policy = {} }: { certificate?: object; policy?: object } = {},
) => ({
  Parameters: { Name: { Type: "String" }, CertificateId: { Type: "String", Default: "" } },
  Resources: {
    thing: { Type: "AWS::IoT::Thing", Properties: { ThingName: { Ref: "Name" }, ...thing } },
    certificate: {
      Type: "AWS::IoT::Certificate",
      Properties: { CertificateId: { Ref: "CertificateId" } },
      ...certificate,
    },
    policy: { Type: "AWS::IoT::Policy", Properties: { PolicyName: "p" }, ...policy },
  },
});

export const openObjects = (keys: Keys) =>
  createObjectsService({
    keys,
    endpoint: () => ({ scheme: "https", host: "localhost", port: 9_000 }),
    signingKey: () => ({ accessKeyId: "test", secretAccessKey: "test" }),
  });

export interface ProvisioningWorldOptions {
  /** Nothing goes on by itself: the test runs each step of a task. */
  isStepped?: boolean;
}

export async function openProvisioningWorld({ isStepped = false }: ProvisioningWorldOptions = {}) {
  const wakeHandlers = new Map<string, WakeHandler>();
  const world = await openServiceWorld({ wakeHandlers });
  const { keys, registry, issuer, log, run } = world;
  const objects = openObjects(keys);
  const deps = { registry, issuer, objects, log };
  const service = createThingProvisioningService(deps);
  if (service.wake !== undefined && !isStepped) wakeHandlers.set(thingProvisioningName, service.wake);
  const { runStep } = createThingProvisioning(deps);
  // The handlers are known from the second runner on.
  await world.runner.close();
  await world.restart();
  await run(registry.createPolicy, { policyName: "p", policyDocument });
  return {
    ...world,
    run: ((operation, input) => world.run(operation, input)) as typeof run,
    objects: objects.operations,
    provisioning: service.operations,
    runStep: (taskId: string) => world.run(runStep, { taskId }),
    /** Of an ACTIVE certificate, or one that waits. */
    createCertificate: async (setAsActive = true) => {
      const { certificateId } = await world.run(registry.createKeysAndCertificate, { setAsActive });
      return certificateId;
    },
    putInput: async (lines: readonly (string | object)[], key = "input.json") => {
      await world.run(objects.operations.createBucket, { bucket: "factory" });
      const text = lines.map((line) => `${typeof line === "string" ? line : JSON.stringify(line)}\n`).join("");
      await world.run(objects.operations.putObject, {
        bucket: "factory",
        key,
        chunks: [new TextEncoder().encode(text)],
      });
    },
  };
}
