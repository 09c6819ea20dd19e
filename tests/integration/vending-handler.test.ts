// The handler of the AWS account in the local cloud: the same code as in Lambda, on the AWS SDK, behind the functions that a cloud is given.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { IoTClient } from "@aws-sdk/client-iot";
import { IoTDataPlaneClient } from "@aws-sdk/client-iot-data-plane";
import {
  createAwsVendingCloud,
  createFleetHook,
  createLocalVending,
  type LocalVending,
} from "@thingline/certificate-vending";
import { provisionedPolicyDocument, provisionedPolicyName } from "@thingline/cloud";
import { startCloud, type StartedCloud } from "@thingline/cloud/node";
import { createNativeCredentialStore, createNativeTlsDialer } from "@thingline/device";
import { provisionDevice, type ProvisioningEvent, type ProvisioningMethod } from "@thingline/device/provisioning";
import { isThinglineError } from "@thingline/protocol";
import { createNodeClock, createNodeKeys, createNodeNetwork, createNodeRandom } from "@thingline/transport/node";
import { createVirtualFiles } from "@thingline/transport/virtual";
import { resolveStack, stackFaults, type Template } from "./cloudformation.test.support.js";

const [clock, random, network, keys] = [createNodeClock(), createNodeRandom(), createNodeNetwork(), createNodeKeys()];
const bundler = new URL("../../../scripts/vending-bundle.mjs", import.meta.url).href;

describe("split provisioning that is answered by the handler of an AWS account", () => {
  let started: StartedCloud;
  let vending: LocalVending;
  let hook: ReturnType<typeof createFleetHook>;
  const credentials = { accessKeyId: "test", secretAccessKey: "test" };
  const lines: string[] = [];

  before(async () => {
    const write = (event: string, details: object): void => void lines.push(JSON.stringify({ event, ...details }));
    vending = createLocalVending({
      endpoint: () => started.addresses.api,
      region: "us-east-1",
      credentials,
      policy: { policyName: provisionedPolicyName, policyDocument: provisionedPolicyDocument },
      settings: { clients: "bound", provisionedThings: "refuse", names: ["pump-*"] },
      log: { info: write, error: write },
    });
    started = await startCloud({
      ...{ memory: true, mqttsPort: 0, httpsPort: 0, apiPort: 0, objectsPort: 0 },
      vending: { function: "aws-handler" },
      functions: {
        "aws-handler": (event, context) => vending.handler(event, context),
        "fleet-Hook": (event) => hook(event),
      },
    });
    const client = { endpoint: started.addresses.api, region: "us-east-1", credentials };
    const registry = createAwsVendingCloud({
      ...{ iot: new IoTClient(client), iotData: new IoTDataPlaneClient(client) },
      ...{ wait: () => Promise.resolve(), random: () => 0 },
    });
    hook = createFleetHook({ registry, log: { info: write, error: write }, unixMs: Date.now }, { names: ["pump-*"] });
  });

  after(async () => {
    vending.close();
    await started.close();
  });

  /** The policies of a stack, and a claim with its own. */
  async function deploy(name: string, parameters: Record<string, string> = {}) {
    const { bundleVending } = (await import(bundler)) as {
      bundleVending: () => Promise<{ name: string; text: string }[]>;
    };
    const { text = "" } = (await bundleVending()).find((each) => each.name === name) ?? {};
    const stack = resolveStack(JSON.parse(text) as Template, parameters, name);
    assert.deepEqual(stackFaults(stack), []);
    const { cloud } = started;
    const { registry } = cloud;
    for (const resource of ["ClaimPolicy", "DevicePolicy"]) {
      const { PolicyName, PolicyDocument } = stack.resources[resource]!.Properties;
      const policyName = PolicyName as string;
      await cloud.run(registry.createPolicy, { policyName, policyDocument: JSON.stringify(PolicyDocument) });
    }
    const made = await cloud.run(registry.createKeysAndCertificate, { setAsActive: true });
    await cloud.run(registry.attachPolicy, { policyName: `${name}-claim`, target: made.certificateArn });
    const { certificatePem, keyPair } = made;
    return { stack, claim: { certificatePem, privateKeyPem: keyPair.PrivateKey, caPem: started.caPem } };
  }

  let split: Awaited<ReturnType<typeof deploy>>;
  let fleet: Awaited<ReturnType<typeof deploy>>;
  before(async () => {
    split = await deploy("vending");
    fleet = await deploy("fleet", { Keys: "any" });
    const { TemplateName, TemplateBody, ProvisioningRoleArn, PreProvisioningHook } =
      fleet.stack.resources["ProvisioningTemplate"]!.Properties;
    const { TargetArn, PayloadVersion } = PreProvisioningHook as { TargetArn: string; PayloadVersion: string };
    await started.cloud.run(started.cloud.fleetProvisioning.createProvisioningTemplate, {
      templateName: TemplateName as string,
      templateBody: TemplateBody as string,
      provisioningRoleArn: ProvisioningRoleArn as string,
      preProvisioningHook: { targetArn: TargetArn, payloadVersion: PayloadVersion },
      enabled: true,
    });
  });

  async function provision(clientId: string, method: ProvisioningMethod, { claim } = split) {
    const events: ProvisioningEvent[] = [];
    const store = createNativeCredentialStore({ keys });
    const result = await provisionDevice({
      ...{
        host: "localhost",
        port: started.cloud.addresses.mqtts.port,
        clientId,
        method,
        claim,
        claimClientId: "prefix",
      },
      ...{ store, keys, clock, random, dialer: createNativeTlsDialer({ dialer: network, store }) },
      ...{ files: createVirtualFiles(), progressPath: "/progress.json" },
      onEvent: (event) => void events.push(event),
    });
    await result.device.close();
    return { ...result, events };
  }

  for (const method of [{ kind: "split" }, { kind: "split", keys: "csr" }] as const) {
    test(`a device gets one answer: ${JSON.stringify(method)}`, async () => {
      const name = "keys" in method ? "pump-csr" : "pump-keys";
      const { certificateId, isNew, history, events } = await provision(name, method);
      assert.equal(isNew, true);
      assert.equal(history.length, 1, "it asked once");
      assert.deepEqual(
        events.filter(({ type }) => type === "note"),
        [],
        "nothing came that it had not asked for",
      );
      const { registry } = started.cloud;
      const { principals } = await started.cloud.run(registry.listThingPrincipals, { thingName: name });
      assert.deepEqual(
        principals?.map((principal) => principal.split("/")[1]),
        [certificateId],
        "and no other certificate was made for it",
      );
      const { policies } = await started.cloud.run(registry.listAttachedPolicies, { target: principals?.[0] ?? "" });
      assert.deepEqual(
        policies?.map(({ policyName }) => policyName),
        [provisionedPolicyName],
      );
      const vended = lines.filter((line) => line.includes("certificateVended") && line.includes(certificateId));
      assert.equal(vended.length, 1);
    });
  }

  test("a device that may not hears why, and nothing is made for it", async () => {
    await assert.rejects(
      provision("meter-1", { kind: "split" }),
      (error) => isThinglineError(error, "PROVISIONING_REJECTED") && error.details["cloudCode"] === "REQUEST_FORBIDDEN",
    );
    const { things } = await started.cloud.run(started.cloud.registry.listThings, {});
    assert.ok(things?.every(({ thingName }) => thingName !== "meter-1"));
    assert.doesNotMatch(lines.join("\n"), /BEGIN|PRIVATE/);
  });

  for (const keys of ["csr", "cloud"] as const) {
    test(`fleet provisioning under the template, the policies and the hook of its stack: keys of ${keys}`, async () => {
      const clientId = `pump-fleet-${keys}`;
      const asked = (name: string) =>
        ({ kind: "fleet", template: "thingline", parameters: { SerialNumber: name }, keys }) as const;
      const { thingName, certificateId } = await provision(clientId, asked(clientId), fleet);
      assert.equal(thingName, clientId);
      const { registry } = started.cloud;
      const { policies } = await started.cloud.run(registry.listAttachedPolicies, {
        target: `arn:aws:iot:us-east-1:123456789012:cert/${certificateId}`,
      });
      assert.deepEqual(
        policies?.map(({ policyName }) => policyName),
        ["fleet-device"],
      );
      // The claim asks for another device than the one that it is connected for.
      await assert.rejects(provision("pump-thief", asked("pump-other"), fleet), (error) =>
        isThinglineError(error, "PROVISIONING_REJECTED"),
      );
      const { things } = await started.cloud.run(registry.listThings, {});
      assert.ok(things?.every(({ thingName }) => thingName !== "pump-other" && thingName !== "pump-thief"));
    });
  }
});
