// The commands of docs/aws.md, as they stand, from top to bottom, by the unmodified AWS CLI: those on AWS IoT against a local cloud that has what
// the stacks make; those on services that a local cloud has not are held against the templates.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { createLocalVending } from "@thingline/certificate-vending";
import { startCloud } from "@thingline/cloud/node";
import { createNativeCredentialStore, createNativeTlsDialer } from "@thingline/device";
import { provisionDevice } from "@thingline/device/provisioning";
import { createNodeClock, createNodeKeys, createNodeNetwork, createNodeRandom } from "@thingline/transport/node";
import { createVirtualFiles } from "@thingline/transport/virtual";
import { runProgram, temporaryFolder } from "../integration/cli-process.test.support.js";
import { resolveStack, type Template } from "../integration/cloudformation.test.support.js";
import { missing } from "./local-cloud.test.support.js";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const bundler = new URL("../../../scripts/vending-bundle.mjs", import.meta.url).href;
const skip = missing("aws", "awscli");
const policyNames = { ClaimPolicy: "thingline-claim", DevicePolicy: "thingline-device" };

test("docs/aws.md: claim, provision, rotate and clean up", { skip, timeout: 240_000 }, async (t) => {
  const folder = await temporaryFolder(t);
  const text = await readFile(join(root, "docs/aws.md"), "utf8");
  const blocks = [...text.matchAll(/^```sh aws\n([^]*?)^```$/gm)].map(([, block = ""]) => block);
  assert.ok(blocks.length >= 9, `${blocks.length} blocks of commands`);

  const { bundleVending } = (await import(bundler)) as {
    bundleVending: () => Promise<{ name: string; text: string }[]>;
  };
  const templates = new Map((await bundleVending()).map(({ name, text }) => [name, JSON.parse(text) as Template]));
  const [split, fleet] = ["vending", "fleet"].map((name) => resolveStack(templates.get(name)!));

  const vending = createLocalVending({
    endpoint: () => started.addresses.api,
    region: "us-east-1",
    credentials: { accessKeyId: "test", secretAccessKey: "test" },
    policy: { policyName: policyNames.DevicePolicy, policyDocument: "" },
    settings: { clients: "bound", provisionedThings: "refuse", keys: "device" },
    log: { info: () => undefined, error: () => undefined },
  });
  t.after(() => vending.close());
  const started = await startCloud({
    ...{ memory: true, mqttsPort: 0, httpsPort: 0, apiPort: 0, objectsPort: 0 },
    vending: { function: "aws" },
    functions: { aws: (event, context) => vending.handler(event, context) },
  });
  t.after(() => started.close());
  const { cloud } = started;
  for (const [resource, policyName] of Object.entries(policyNames)) {
    const { PolicyDocument } = split!.resources[resource]!.Properties;
    await cloud.run(cloud.registry.createPolicy, { policyName, policyDocument: JSON.stringify(PolicyDocument) });
  }
  const { TemplateName, TemplateBody, ProvisioningRoleArn } = fleet!.resources["ProvisioningTemplate"]!.Properties;
  await cloud.run(cloud.fleetProvisioning.createProvisioningTemplate, {
    templateName: TemplateName as string,
    templateBody: TemplateBody as string,
    provisioningRoleArn: ProvisioningRoleArn as string,
    enabled: true,
  });

  const tools = join(folder, "tools");
  await mkdir(tools);
  const realAws = spawnSync("sh", ["-c", "command -v aws"], { encoding: "utf8" }).stdout.trim();
  const wrapper = `#!/bin/sh
if [ "$1" = iot ]; then exec "${realAws}" --endpoint-url "${started.addresses.api}" "$@"; fi
printf '%s\\n' "$*" >> "${folder}/calls"
`;
  await writeFile(join(tools, "aws"), wrapper);
  await chmod(join(tools, "aws"), 0o755);
  const keys = { AWS_ACCESS_KEY_ID: "test", AWS_SECRET_ACCESS_KEY: "test", AWS_REGION: "us-east-1" };
  const env = {
    ...keys,
    AWS_DEFAULT_REGION: "us-east-1",
    AWS_PAGER: "",
    HOME: folder,
    PATH: `${tools}:${process.env["PATH"]}`,
  };
  /** Each of the blocks that have these words. */
  const run = async (words: RegExp): Promise<void> => {
    const chosen = blocks.filter((block) => words.test(block));
    assert.notEqual(chosen.length, 0, String(words));
    for (const block of chosen) {
      blocks.splice(blocks.indexOf(block), 1);
      const { code, stderr } = await runProgram(t, "bash", ["-euo", "pipefail", "-c", block], "", { cwd: folder, env });
      assert.equal(code, 0, `${block}\n${stderr}`);
    }
  };

  await run(/cloudformation deploy/);
  await run(/create-keys-and-certificate/);
  await run(/create-provisioning-claim/);
  const claim = {
    certificatePem: await readFile(join(folder, "claim/certificate.pem"), "utf8"),
    privateKeyPem: await readFile(join(folder, "claim/private-key.pem"), "utf8"),
    caPem: started.caPem,
  };
  const port = cloud.addresses.mqtts.port;
  await provision({ port, claim, method: { kind: "split", keys: "csr" } });
  await run(/logs tail/);
  await run(/^aws iot list-thing-principals/);
  await run(/^for principal in/);
  await provision({ port, claim, method: { kind: "split", keys: "csr" } });
  await run(/^for policy in/);
  await run(/delete-stack/);
  assert.deepEqual(blocks, [], "every block was run");

  const { things } = await cloud.run(cloud.registry.listThings, {});
  const { certificates } = await cloud.run(cloud.registry.listCertificates, {});
  assert.deepEqual([things?.length, certificates?.length], [0, 0]);
  checkCalls(await readFile(join(folder, "calls"), "utf8"), templates);
});

type ProvisionOptions = Parameters<typeof provisionDevice>[0];

async function provision(options: Required<Pick<ProvisionOptions, "port" | "claim" | "method">>): Promise<void> {
  const keys = createNodeKeys();
  const store = createNativeCredentialStore({ keys });
  const { device } = await provisionDevice({
    ...options,
    ...{ host: "localhost", clientId: "pump-7", claimClientId: "prefix", store, keys },
    ...{ clock: createNodeClock(), random: createNodeRandom() },
    dialer: createNativeTlsDialer({ dialer: createNodeNetwork(), store }),
    ...{ files: createVirtualFiles(), progressPath: "/progress.json" },
  });
  await device.close();
}

/** What cannot be run here names files, parameters and outputs that there are. */
function checkCalls(calls: string, templates: ReadonlyMap<string, Template>): void {
  const outputs = new Set([...templates.values()].flatMap(({ Outputs }) => Object.keys(Outputs)));
  for (const [, output = ""] of calls.matchAll(/OutputKey=='(\w+)'/g)) assert.ok(outputs.has(output), output);
  const deployments = calls.split("\n").filter((call) => call.startsWith("cloudformation deploy"));
  assert.equal(deployments.length, templates.size);
  for (const call of deployments) {
    const [, file = "", values = ""] = /--template-file (\S+) --parameter-overrides (.*)$/.exec(call) ?? [];
    const template = templates.get(/\/bundle\/(\w+)\.template\.json$/.exec(file)?.[1] ?? "");
    assert.ok(template, call);
    const given = Object.fromEntries(values.split(" ").map((word) => word.split("=") as [string, string]));
    for (const name of Object.keys(given)) assert.ok(name in template.Parameters, `${file} has no parameter ${name}`);
    resolveStack(template, given);
  }
}
