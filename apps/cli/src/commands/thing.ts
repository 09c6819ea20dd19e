import { basename, resolve } from "node:path";
import type { IoTClient } from "@aws-sdk/client-iot";
import { claimPolicyDocument } from "@thingline/cloud";
import { amazonRootCa1 } from "@thingline/device";
import { ThinglineError } from "@thingline/protocol";
import { createNodeFiles } from "@thingline/transport/node";
import { openControlPlane, type ControlPlane } from "../control-plane.js";
import { writeCredentialsFolder, type CredentialSet } from "../credentials-folder.js";
import type { Output } from "../output.js";

interface CreateOptions {
  dataDir: string;
  aws?: boolean;
  out?: string;
  secTag?: number;
  force?: boolean;
  policy?: string;
}

/** Security tags of the original samples: 201 for aws_iot, 43 for the provisioning sample's claim. */
export const defaultThingSecTag = 201;
export const defaultClaimSecTag = 43;

const thingPolicyName = "thingline-thing";
const claimPolicyName = "thingline-claim";

/**
 * A thing may connect under its own name (and `name-something`, for tools beside it) and use its own topics.
 * Variables, so that one policy serves all things; the certificate is attached to its thing exclusively.
 */
export const thingPolicyDocument = JSON.stringify({
  Version: "2012-10-17",
  Statement: [
    {
      Sid: "ConnectAsItself",
      Effect: "Allow",
      Action: "iot:Connect",
      Resource: [
        "arn:aws:iot:*:*:client/${iot:Connection.Thing.ThingName}",
        "arn:aws:iot:*:*:client/${iot:Connection.Thing.ThingName}-*",
      ],
    },
    {
      Sid: "UseOwnTopics",
      Effect: "Allow",
      Action: ["iot:Publish", "iot:RetainPublish", "iot:Receive"],
      Resource: [
        "arn:aws:iot:*:*:topic/${iot:Connection.Thing.ThingName}/*",
        "arn:aws:iot:*:*:topic/$aws/things/${iot:Connection.Thing.ThingName}/*",
      ],
    },
    {
      Sid: "SubscribeToOwnTopics",
      Effect: "Allow",
      Action: "iot:Subscribe",
      Resource: [
        "arn:aws:iot:*:*:topicfilter/${iot:Connection.Thing.ThingName}/*",
        "arn:aws:iot:*:*:topicfilter/$aws/things/${iot:Connection.Thing.ThingName}/*",
      ],
    },
  ],
});

/** `thingline thing create NAME` */
export async function thingCreate(output: Output, options: CreateOptions, name = ""): Promise<void> {
  const plane = await openControlPlane({ aws: options.aws === true, dataDir: options.dataDir });
  output.say(`Creating thing ${name} in the ${plane.description}`);
  await assertOutIsFree(options, name);
  const { policyName, thingArn, ...issued } = await createThing(plane.client, name, options.policy);
  const secTag = options.secTag ?? defaultThingSecTag;
  const written = await writeIssued(plane, options, name, issued, secTag);
  const { host, port } = plane.device;
  output.event(
    {
      event: "thingCreated",
      thingName: name,
      thingArn,
      certificateId: issued.certificateId,
      certificateArn: issued.certificateArn,
      policyName,
      endpoint: `${host}:${port}`,
      secTag,
      folder: resolve(written.folder),
      files: written.files,
    },
    [
      `${output.paint.green("created")} thing ${name}, certificate ${issued.certificateId.slice(0, 12)}…, policy ${policyName}`,
      `  ${written.files.privateKeyPem}   private key (mode 0600)`,
      `  ${written.files.certificatePem}   certificate`,
      `  ${written.files.caPem}       CA to trust`,
      `  ${written.files.nordic}  for Nordic's certificate managers`,
      `  ${written.files.conf}          Kconfig lines (security tag ${secTag})`,
      "",
      "Try it:",
      `  mosquitto_sub -h ${host} -p ${port} --cafile ${written.files.caPem} --cert ${written.files.certificatePem} --key ${written.files.privateKeyPem} -i ${name}-sub -q 1 -t '${name}/#'`,
      `  mosquitto_pub -h ${host} -p ${port} --cafile ${written.files.caPem} --cert ${written.files.certificatePem} --key ${written.files.privateKeyPem} -i ${name} -q 1 -t ${name}/hello -m world`,
    ].join("\n"),
  );
}

/** `thingline claim create [NAME]` */
export async function claimCreate(output: Output, options: CreateOptions, name = "claim"): Promise<void> {
  const plane = await openControlPlane({ aws: options.aws === true, dataDir: options.dataDir });
  output.say(`Creating a claim certificate in the ${plane.description}`);
  await assertOutIsFree(options, name);
  const { policyName, ...issued } = await createClaim(plane.client);
  const secTag = options.secTag ?? defaultClaimSecTag;
  const written = await writeIssued(plane, options, name, issued, secTag);
  output.event(
    {
      event: "claimCreated",
      certificateId: issued.certificateId,
      certificateArn: issued.certificateArn,
      policyName,
      endpoint: `${plane.device.host}:${plane.device.port}`,
      secTag,
      folder: resolve(written.folder),
      files: written.files,
    },
    [
      `${output.paint.green("created")} claim certificate ${issued.certificateId.slice(0, 12)}… with policy ${policyName} in ${written.folder}`,
      "",
      "Next, put it into a (simulated) modem and provision the device:",
      `  thingline modem write --sec-tag ${secTag} --from ${written.folder}`,
      `  thingline provision --conf ${written.files.conf}`,
    ].join("\n"),
  );
}

export interface IssuedCertificate {
  certificateArn: string;
  certificateId: string;
  certificatePem: string;
  privateKeyPem: string;
}

async function issueCertificate(client: IoTClient, policyName: string): Promise<IssuedCertificate> {
  const { AttachPolicyCommand, CreateKeysAndCertificateCommand } = await import("@aws-sdk/client-iot");
  const issued = await client.send(new CreateKeysAndCertificateCommand({ setAsActive: true }));
  const { certificateArn = "", certificateId = "", certificatePem = "", keyPair } = issued;
  await client.send(new AttachPolicyCommand({ policyName, target: certificateArn }));
  return { certificateArn, certificateId, certificatePem, privateKeyPem: keyPair?.PrivateKey ?? "" };
}

/** A thing with a certificate of its own, attached to nothing else. */
export async function createThing(
  client: IoTClient,
  thingName: string,
  existingPolicy?: string,
): Promise<IssuedCertificate & { policyName: string; thingArn: string | undefined }> {
  const { AttachThingPrincipalCommand, CreateThingCommand } = await import("@aws-sdk/client-iot");
  const { thingArn } = await client.send(new CreateThingCommand({ thingName }));
  const policyName = existingPolicy ?? (await ensurePolicy(client, thingPolicyName, thingPolicyDocument));
  const issued = await issueCertificate(client, policyName);
  const principal = issued.certificateArn;
  await client.send(new AttachThingPrincipalCommand({ thingName, principal, thingPrincipalType: "EXCLUSIVE_THING" }));
  return { ...issued, policyName, thingArn };
}

/** A claim certificate with the original's claim policy. */
export async function createClaim(client: IoTClient): Promise<IssuedCertificate & { policyName: string }> {
  const policyName = await ensurePolicy(client, claimPolicyName, claimPolicyDocument);
  return { ...(await issueCertificate(client, policyName)), policyName };
}

function outFolder(options: CreateOptions, name: string): string {
  return options.out ?? name;
}

/** Before anything is created: a certificate whose key cannot be written would be lost. */
async function assertOutIsFree(options: CreateOptions, name: string): Promise<void> {
  const folder = outFolder(options, name);
  if (options.force !== true && (await createNodeFiles().list(folder)).length > 0) {
    throw new ThinglineError(
      "FILE_EXISTS",
      `${folder} is already there and not empty; choose another --out, or --force`,
      {
        details: { folder },
      },
    );
  }
}

async function writeIssued(
  plane: ControlPlane,
  options: CreateOptions,
  name: string,
  issued: IssuedCertificate,
  secTag: number,
): Promise<Awaited<ReturnType<typeof writeCredentialsFolder>>> {
  const folder = outFolder(options, name);
  const set: CredentialSet = {
    caPem: plane.caPem ?? amazonRootCa1,
    certificatePem: issued.certificatePem,
    privateKeyPem: issued.privateKeyPem,
  };
  const { host, port } = plane.device;
  const clientId = name === "claim" ? "my-thing" : basename(name);
  return writeCredentialsFolder(createNodeFiles(), folder, set, {
    secTag,
    host,
    port,
    clientId,
    force: options.force === true,
  });
}

/** Makes the policy unless it is there already. One that is there is left as it is: it may have been edited. */
async function ensurePolicy(client: IoTClient, policyName: string, policyDocument: string): Promise<string> {
  const { CreatePolicyCommand } = await import("@aws-sdk/client-iot");
  try {
    await client.send(new CreatePolicyCommand({ policyName, policyDocument }));
  } catch (error) {
    if (!(error instanceof Error) || error.name !== "ResourceAlreadyExistsException") throw error;
  }
  return policyName;
}
