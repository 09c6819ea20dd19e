// The identity clients of AWS's device SDK, unmodified, provision devices by a claim and by a request for a key of their own, over mutual TLS.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import {
  CreatePolicyCommand,
  CreateProvisioningClaimCommand,
  CreateProvisioningTemplateCommand,
  ListThingPrincipalsCommand,
} from "@aws-sdk/client-iot";
import { createCertificateRequest } from "@thingline/protocol/x509";
import { createNodeKeys } from "@thingline/transport/node";
import { connectClient, createDevice, openWorld, portOf, type World } from "../integration/cloud-world.test.support.js";
import type { IdentityTask, Provisioned } from "./identity-sdk-process.test.support.js";

const sdk = await import("./identity-sdk-process.test.support.js").catch(() => undefined);
const skip = sdk === undefined ? "needs aws-iot-device-sdk-v2" : false;
const templateName = "line";
const arn = (rest: string) => `arn:aws:iot:*:*:${rest}`;

/** As AWS's guide has it for a claim. */
const claimStatements = [
  { Effect: "Allow", Action: "iot:Connect", Resource: "*" },
  {
    ...{ Effect: "Allow", Action: ["iot:Publish", "iot:Receive"] },
    Resource: ["certificates/create*", `provisioning-templates/${templateName}/provision/*`].map((topic) =>
      arn(`topic/$aws/${topic}`),
    ),
  },
  {
    ...{ Effect: "Allow", Action: "iot:Subscribe" },
    Resource: ["certificates/create*", `provisioning-templates/${templateName}/provision/*`].map((topic) =>
      arn(`topicfilter/$aws/${topic}`),
    ),
  },
];

const templateBody = JSON.stringify({
  Parameters: { SerialNumber: { Type: "String" }, "AWS::IoT::Certificate::Id": { Type: "String" } },
  Resources: {
    thing: {
      Type: "AWS::IoT::Thing",
      Properties: {
        ThingName: { "Fn::Sub": "pump-${SerialNumber}" },
        AttributePayload: { serial: { Ref: "SerialNumber" } },
      },
    },
    certificate: {
      Type: "AWS::IoT::Certificate",
      Properties: { CertificateId: { Ref: "AWS::IoT::Certificate::Id" }, Status: "Active" },
    },
    policy: { Type: "AWS::IoT::Policy", Properties: { PolicyName: "device" } },
  },
  DeviceConfiguration: { FallbackUrl: "https://example.com/pump" },
});

async function openFactory(t: TestContext) {
  const world = await openWorld(t, {
    ...{ memory: true, limits: "none" },
    functions: {
      hook: ({ parameters }) => ({
        allowProvisioning: (parameters as { SerialNumber?: string }).SerialNumber !== "stolen",
      }),
    },
  });
  const Statement = [{ Effect: "Allow", Action: "iot:*", Resource: "*" }];
  const policyDocument = JSON.stringify({ Version: "2012-10-17", Statement });
  await world.iot.send(new CreatePolicyCommand({ policyName: "device", policyDocument }));
  await world.iot.send(
    new CreateProvisioningTemplateCommand({
      ...{ templateName, templateBody, enabled: true },
      provisioningRoleArn: "arn:aws:iam::123456789012:role/provisioning",
      preProvisioningHook: { targetArn: "arn:aws:lambda:us-east-1:123456789012:function:hook" },
    }),
  );
  return world;
}

/** Files of a claim, and what all devices of a process have in common. */
async function claimFiles(
  t: TestContext,
  { started }: World,
  claim: { certificatePem: string; privateKey: string },
): Promise<Pick<IdentityTask, "port" | "caFile" | "certificateFile" | "keyFile" | "templateName">> {
  const folder = await mkdtemp(join(tmpdir(), "thingline-identity-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const [certificateFile, keyFile] = [join(folder, "claim.pem"), join(folder, "claim-key.pem")];
  await writeFile(certificateFile, claim.certificatePem);
  await writeFile(keyFile, claim.privateKey);
  return { port: portOf(started.addresses.mqtts), caFile: started.caFile, certificateFile, keyFile, templateName };
}

async function runDevices(t: TestContext, tasks: readonly IdentityTask[]): Promise<Provisioned[]> {
  const program = fileURLToPath(new URL("identity-sdk-process.test.support.js", import.meta.url));
  const child = spawn(process.execPath, [program, JSON.stringify(tasks)], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => child.kill("SIGKILL"));
  let text = "";
  child.stdout.on("data", (bytes: Buffer) => (text += bytes.toString()));
  const code = await new Promise((resolve) => child.once("close", resolve));
  assert.equal(code, 0);
  return JSON.parse(text) as Provisioned[];
}

async function makeRequest(): Promise<{ privateKeyPem: string; pem: string }> {
  const keys = createNodeKeys();
  const { privateKeyPem } = await keys.generate("ec-p256");
  const subject = [["CN", "pump"]] as const;
  const sign = (data: Uint8Array) => keys.sign(privateKeyPem, data);
  const { pem } = await createCertificateRequest({ subject, publicKey: keys.publicKeyOf(privateKeyPem), sign });
  return { privateKeyPem, pem };
}

test(
  "devices are provisioned by a claim with keys of the cloud and with keys of their own, and connect as their things",
  { skip },
  async (t) => {
    const world = await openFactory(t);
    const files = await claimFiles(t, world, await createDevice(world.iot, { statements: claimStatements }));
    const kinds = sdk?.kinds ?? [];
    const requests = await Promise.all(kinds.map(makeRequest));
    const tasks: IdentityTask[] = kinds.flatMap((kind, at) => [
      { ...files, kind, clientId: `keys-${at}`, parameters: { SerialNumber: `k${at}` } },
      {
        ...{ ...files, kind, clientId: `csr-${at}`, parameters: { SerialNumber: `c${at}` } },
        certificateSigningRequest: requests[at]?.pem ?? "",
      },
      { ...files, kind, clientId: `stolen-${at}`, parameters: { SerialNumber: "stolen" } },
    ]);
    const provisioned = new Map((await runDevices(t, tasks)).map((one) => [one.clientId, one]));
    for (const [at, kind] of kinds.entries()) {
      const denied = provisioned.get(`stolen-${at}`)?.rejected;
      assert.deepEqual(
        { ...denied },
        { statusCode: 403, errorCode: "AccessDenied", errorMessage: "Access denied" },
        kind,
      );
      for (const way of ["keys", "csr"] as const) {
        const told = `${kind}, by ${way}`;
        const one = provisioned.get(`${way}-${at}`);
        const thingName = `pump-${way === "keys" ? "k" : "c"}${at}`;
        assert.equal(one?.thingName, thingName, told);
        assert.deepEqual({ ...one.deviceConfiguration }, { FallbackUrl: "https://example.com/pump" }, told);
        const certificatePem = one.certificatePem ?? "";
        const privateKey = (way === "keys" ? one.privateKey : requests[at]?.privateKeyPem) ?? "";
        assert.ok(new X509Certificate(certificatePem).checkPrivateKey(createPrivateKey(privateKey)), told);
        const device = await connectClient(t, world.started, { certificatePem, privateKey }, { clientId: thingName });
        await device.endAsync();
        const { principals = [] } = await world.iot.send(new ListThingPrincipalsCommand({ thingName }));
        assert.equal(principals.length, 1, told);
      }
    }
  },
);

test("a device is provisioned by the claim that a trusted user asked for", { skip }, async (t) => {
  const world = await openFactory(t);
  const { certificatePem = "", keyPair } = await world.iot.send(new CreateProvisioningClaimCommand({ templateName }));
  const files = await claimFiles(t, world, { certificatePem, privateKey: keyPair?.PrivateKey ?? "" });
  const task: IdentityTask = {
    ...{ ...files, kind: "IotIdentityClientv2 5", clientId: "trusted", parameters: { SerialNumber: "9" } },
  };
  const [one] = await runDevices(t, [task]);
  assert.equal(one?.thingName, "pump-9");
});
