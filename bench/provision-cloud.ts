// The local cloud with quotas off and a claim, for `npm run bench -- provision`.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { claimPolicyDocument, fleetClaimPolicyDocument, provisionedPolicyDocument } from "@thingline/cloud";
import { startCloud } from "@thingline/cloud/node";
import type { KeyKind } from "@thingline/transport";
import {
  type ProcessorFacts,
  type ProvisionCloudFacts,
  type ProvisionCloudTask,
  templateName,
  type TlsPems,
} from "./provision-kinds.js";

const quiet = (): void => undefined;
const say = (event: string, facts?: unknown): void => {
  process.stderr.write(`thingline: ${event} ${JSON.stringify(facts ?? {})}\n`);
};
const folder = mkdtempSync(join(tmpdir(), "thingline-bench-"));
const started = await startCloud({
  dataDir: folder,
  ...{ mqttsPort: 0, httpsPort: 0, apiPort: 0, objectsPort: 0 },
  // Keys that were made before the clock ran would be none of the time that is measured.
  keyPoolSize: 0,
  limits: "none",
  vending: "builtin",
  // A thousand at once meet bounds on purpose; the devices count how often they tried again.
  log: { debug: quiet, info: quiet, warn: quiet, error: say },
});
const { cloud } = started;
const { registry } = cloud;

/** A thing of the serial number's name, its certificate, and the policy of devices. */
async function makeTemplate(): Promise<void> {
  const policyName = "devices";
  await cloud.run(registry.createPolicy, { policyName, policyDocument: provisionedPolicyDocument });
  const Resources = {
    thing: { Type: "AWS::IoT::Thing", Properties: { ThingName: { Ref: "SerialNumber" } } },
    certificate: {
      Type: "AWS::IoT::Certificate",
      Properties: { CertificateId: { Ref: "AWS::IoT::Certificate::Id" }, Status: "ACTIVE" },
    },
    policy: { Type: "AWS::IoT::Policy", Properties: { PolicyName: policyName } },
  };
  const Parameters = { SerialNumber: { Type: "String" }, "AWS::IoT::Certificate::Id": { Type: "String" } };
  await cloud.run(cloud.fleetProvisioning.createProvisioningTemplate, {
    templateName,
    templateBody: JSON.stringify({ Parameters, Resources }),
    provisioningRoleArn: "arn:aws:iam::123456789012:role/bench",
    enabled: true,
  });
}

async function open(): Promise<ProvisionCloudFacts> {
  const {
    certificateArn: target,
    certificatePem,
    keyPair,
  } = await cloud.run(registry.createKeysAndCertificate, {
    setAsActive: true,
  });
  const policies = { claim: claimPolicyDocument, fleet: fleetClaimPolicyDocument(templateName) };
  for (const [policyName, policyDocument] of Object.entries(policies)) {
    await cloud.run(registry.createPolicy, { policyName, policyDocument });
    await cloud.run(registry.attachPolicy, { policyName, target });
  }
  await makeTemplate();
  const read = (name: string): string => readFileSync(join(folder, name), "utf8");
  const ca = started.caPem;
  const own = async (keyType: KeyKind): Promise<TlsPems> => ({
    ...(await started.createThing(keyType, { keyType })).tls,
  });
  return {
    own: { "rsa-2048": await own("rsa-2048"), "ec-p256": await own("ec-p256") },
    port: cloud.addresses.mqtts.port,
    claim: { ca, certificate: certificatePem, privateKey: keyPair.PrivateKey },
    server: { ca, certificate: read("server.pem"), privateKey: read("server-key.pem") },
  };
}

function processorSeconds(): ProcessorFacts {
  const { user, system } = process.cpuUsage();
  return { cpuSeconds: (user + system) / 1e6 };
}

async function perform(task: ProvisionCloudTask): Promise<object> {
  if (task.do === "open") return open();
  if (task.do === "askProcessor") return processorSeconds();
  await started.close();
  rmSync(folder, { recursive: true });
  return {};
}

process.on("message", (task: ProvisionCloudTask) => {
  perform(task).then(
    (answer) => process.send!(answer),
    (error: unknown) => {
      process.stderr.write(`bench: ${error instanceof Error ? error.stack : String(error)}\n`);
      process.exit(1);
    },
  );
});

// Whoever ends the bench ends this.
process.on("disconnect", () => process.exit());
