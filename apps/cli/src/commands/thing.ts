import { resolve } from "node:path";
import { issueClaim, issueThing, type IssuedCredentials, type IssuedThing } from "@thingline/cloud/issue";
import { isThinglineError, ThinglineError } from "@thingline/protocol";
import { createNodeFiles } from "@thingline/transport/node";
import type { CommandContext } from "../command.js";
import type { Vending } from "@thingline/cloud";
import { claimClientIdPrefix } from "@thingline/protocol/provisioning";
import { describeVending, readVending, switchVending } from "../administration.js";
import { openControlPlane, type ControlPlane } from "../control-plane.js";
import { writeCredentialsFolder, type CredentialsFolder } from "../credentials-folder.js";
import { commandLine, shellWord } from "../invocation.js";
import { shortenIds } from "../log.js";
import { defaultClaimSecTag } from "../option-values.js";
import type { Output } from "../output.js";
import { issuingPlane } from "../registry.js";
import { writeClaimFacts } from "../claim-folder.js";

export interface CreateOptions {
  dataDir: string;
  aws?: boolean;
  out?: string;
  secTag?: number;
  force?: boolean;
  policy?: string;
  type?: string;
  billingGroup?: string;
}

/** Security tag of the original aws_iot sample. */
export const defaultThingSecTag = 201;
/** The claim is shared by many devices; this one stands in its `prj.conf`. */
export const exampleClientId = "my-device";

/** `thingline thing create NAME` */
export async function thingCreate(context: CommandContext, options: CreateOptions, name = ""): Promise<void> {
  const { output, signal } = context;
  const secTag = options.secTag ?? defaultThingSecTag;
  const plane = await openControlPlane({ aws: options.aws === true, dataDir: options.dataDir, signal });
  await assertOutIsFree(options, name);
  const [issued, written] = await withProgress(output, `creating thing ${name} in the ${plane.description}`, async () =>
    issueThing(await issuingPlane(plane.client), name, {
      policyName: options.policy,
      thingTypeName: options.type,
      billingGroupName: options.billingGroup,
      signal,
      onLeftOver: (message) => warn(output, message),
      keep: async (made) =>
        [made, await writeIssued(plane, options, { name, clientId: name, issued: made, secTag })] as const,
    }),
  );
  const { host, port } = plane.device;
  output.event(
    {
      event: "thingCreated",
      thingName: name,
      thingArn: issued.thingArn,
      isNew: issued.isNew,
      certificateId: issued.certificateId,
      certificateArn: issued.certificateArn,
      policyName: issued.policyName,
      endpoint: `${host}:${port}`,
      secTag,
      folder: resolve(written.folder),
      files: written.files,
    },
    describeThing(output, { plane, name, issued, written, secTag }),
  );
}

interface ClaimOptions extends CreateOptions {
  policies?: "narrow" | "original";
  template?: string;
  /** commander: `--no-vending` makes it false. */
  vending: boolean;
}

/** `thingline claim create [NAME]` */
export async function claimCreate(context: CommandContext, options: ClaimOptions, name = "claim"): Promise<void> {
  const { output, signal } = context;
  const { template, policies = "narrow" } = options;
  const secTag = options.secTag ?? defaultClaimSecTag;
  const plane = await openControlPlane({ aws: options.aws === true, dataDir: options.dataDir, signal });
  await assertOutIsFree(options, name);
  const [issued, written] = await withProgress(output, `creating a claim in the ${plane.description}`, async () =>
    issueClaim(await issuingPlane(plane.client), {
      policies: template === undefined ? policies : { fleetTemplate: template },
      signal,
      onLeftOver: (message) => warn(output, message),
      keep: async (made) =>
        [made, await writeIssued(plane, options, { name, clientId: exampleClientId, issued: made, secTag })] as const,
    }),
  );
  const { certificateId, certificateArn, policyName, isPolicyEdited } = issued;
  // `provision --claim` knows the template by it.
  if (template !== undefined)
    await writeClaimFacts(createNodeFiles(), written.folder, { templateName: template, certificateId });
  const isOriginal = template === undefined && policies === "original";
  // Fleet provisioning is answered by its templates, and a real account by what was deployed there.
  const isVended = template === undefined && options.aws !== true;
  const vending = isVended ? await vendingForClaim(context, options) : undefined;
  output.event(
    {
      event: "claimCreated",
      certificateId,
      certificateArn,
      policyName,
      endpoint: `${plane.device.host}:${plane.device.port}`,
      secTag,
      folder: resolve(written.folder),
      files: written.files,
      ...(vending !== undefined && { vending: vending.vending, isVendingChanged: vending.isChanged }),
    },
    [
      `${output.paint.green("created")} a claim certificate in the ${plane.description}`,
      `  certificate  ${shortenIds(certificateId)}, policy ${policyName}`,
      ...(isOriginal ? [] : [`  connects     only as ${claimClientIdPrefix}NAME, for the device NAME`]),
      ...(vending === undefined ? [] : [`  vending      ${vendingLine(vending)}`]),
      ...describeFiles(written, secTag),
      "",
      ...(template === undefined
        ? [
            "Next, put it into a simulated modem and provision a device with it:",
            `  ${commandLine(["modem", "write", "--sec-tag", String(secTag), "--from", written.folder])}`,
            `  ${commandLine(["provision", "--conf", written.files.conf])}`,
          ]
        : ["Next, provision a simulated device with it:", `  ${commandLine(byClaimWords(written))}`]),
    ].join("\n"),
  );
  if (isPolicyEdited) {
    warn(output, `policy ${policyName} was there already and says something else than it was made with: look at it`);
  }
  if (isOriginal) warn(output, originalGivesAway);
}

/** By a request of the device's own: what works through every TLS. */
export function byClaimWords({ folder, files }: CredentialsFolder): string[] {
  const parameter = ["--parameter", "SerialNumber={name}"];
  return ["provision", "--conf", files.conf, "--claim", folder, "--method", "csr", ...parameter];
}

const originalGivesAway =
  "the original's claim policy gives much away: whoever has this claim connects as any device, throws that device off, hears every topic, " +
  "and can ask for credentials of any device or read them when others ask. Use it for the original's firmware only, and revoke it soon.";

/** A claim is of use where somebody answers it. What somebody has decided stays. */
async function vendingForClaim({ signal }: CommandContext, { dataDir, vending }: ClaimOptions) {
  const where = { dataDir, signal };
  if (!vending) return { ...(await readVending(where)), isChanged: false };
  return switchVending(where, { vending: "builtin", whereUndecided: true });
}

function vendingLine({ vending, isChanged }: { vending: Vending; isChanged: boolean }): string {
  if (isChanged) return "the built-in service is on now: it answers devices (cloud vending off ends that)";
  return describeVending(vending);
}

export async function withProgress<Result>(output: Output, text: string, run: () => Promise<Result>): Promise<Result> {
  using _step = output.begin(text);
  return await run();
}

function warn(output: Output, message: string): void {
  output.event({ event: "warning", message });
  output.complain({ kind: "warning", message });
}

function describeThing(
  output: Output,
  facts: { plane: ControlPlane; name: string; issued: IssuedThing; written: CredentialsFolder; secTag: number },
): string {
  const { plane, name, issued, written, secTag } = facts;
  const { host, port } = plane.device;
  const { caPem, certificatePem, privateKeyPem, conf } = written.files;
  // A client id of its own for each: the broker ends a connection when another one comes with the same id.
  const client = (program: string, id: string, ...rest: string[]) => [
    `  ${program} -h ${host} -p ${port} --cafile ${shellWord(caPem)} \\`,
    `    --cert ${shellWord(certificatePem)} --key ${shellWord(privateKeyPem)} \\`,
    `    -i ${shellWord(id)} -q 1 ${rest.map(shellWord).join(" ")}`,
  ];
  return [
    issued.isNew
      ? `${output.paint.green("created")} thing ${name} in the ${plane.description}`
      : `thing ${name} was there already in the ${plane.description}: ${output.paint.green("created")} one certificate more`,
    `  certificate  ${shortenIds(issued.certificateId)}, policy ${issued.policyName}`,
    ...describeFiles(written, secTag),
    "",
    "Try it, in two terminals, in this folder:",
    ...client("mosquitto_sub", `${name}.sub`, "-t", `${name}/#`),
    ...client("mosquitto_pub", `${name}.pub`, "-t", `${name}/hello`, "-m", "world"),
    "",
    "Or as a device that stays connected:",
    `  ${commandLine(["device", "run", "--conf", conf, "--native-tls"])}`,
  ].join("\n");
}

export function describeFiles({ folder, files }: CredentialsFolder, secTag: number): string[] {
  const fileName = (path: string) => path.slice(path.lastIndexOf("/") + 1).padEnd(18);
  return [
    `  folder       ${folder}`,
    `    ${fileName(files.privateKeyPem)}private key: only you may read it; nobody has a copy`,
    `    ${fileName(files.certificatePem)}certificate`,
    `    ${fileName(files.caPem)}CA of the server`,
    `    ${fileName(files.nordic)}all of them, for Nordic's certificate managers`,
    `    ${fileName(files.conf)}Kconfig lines, security tag ${secTag}`,
  ];
}

/** Before anything is created: a certificate whose key cannot be written would be lost. */
export async function assertOutIsFree(options: CreateOptions, name: string): Promise<void> {
  const folder = options.out ?? name;
  const names = await createNodeFiles()
    .list(folder)
    .catch((error: unknown) => {
      if (!isThinglineError(error) || error.details["systemCode"] !== "ENOTDIR") throw error;
      const message = `${folder} is a file; choose another folder with --out`;
      throw new ThinglineError("FILE_EXISTS", message, { details: { folder }, cause: error });
    });
  // What a command leaves that failed before it had anything to keep.
  if (options.force === true || names.every((each) => each === ".gitignore")) return;
  const message = `${folder} is already there and not empty; choose another folder with --out, or --force to write into it`;
  throw new ThinglineError("FILE_EXISTS", message, { details: { folder } });
}

export async function writeIssued(
  plane: ControlPlane,
  options: CreateOptions,
  made: { name: string; clientId: string; issued: IssuedCredentials; secTag: number },
): Promise<CredentialsFolder> {
  const { name, clientId, issued, secTag } = made;
  const set = {
    // Only a real account needs it, and the device library takes a tenth of a second to load.
    caPem: plane.caPem ?? (await import("@thingline/device")).amazonRootCa1,
    certificatePem: issued.certificatePem,
    // Empty where it was made in a modem, and stays there.
    privateKeyPem: issued.privateKeyPem === "" ? undefined : issued.privateKeyPem,
  };
  const { host, port } = plane.device;
  const force = options.force === true;
  return writeCredentialsFolder(createNodeFiles(), options.out ?? name, set, { secTag, host, port, clientId, force });
}
