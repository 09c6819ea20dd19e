import { join, resolve } from "node:path";
import { toHex } from "@thingline/protocol";
import { parseCertificates, type DistinguishedName } from "@thingline/protocol/x509";
import { makePrivateFolder, type KeyKind } from "@thingline/transport";
import { nodeAdapters } from "../adapters.js";
import {
  authorityFileNames,
  createAuthority,
  readAuthority,
  readAuthorityCertificate,
  readRequest,
  signCertificate,
  writeAuthority,
  type Authority,
  type AuthorityTools,
} from "../authority.js";
import type { CommandContext } from "../command.js";
import { openControlPlane } from "../control-plane.js";
import { credentialFileBytesMax, credentialFileNames } from "../credentials-folder.js";
import { UsageError } from "../failure.js";
import { commandLine } from "../invocation.js";
import { shortenIds } from "../log.js";
import { roleArn } from "../templates/template-file.js";
import { readTextFile } from "../text-file.js";
import { openTemplates, placeWords, type PlaceOptions } from "./template.js";
import { assertOutIsFree, defaultThingSecTag, describeFiles, writeIssued } from "./thing.js";

interface CreateOptions extends RegisterOptions {
  commonName?: string;
  organization?: string;
  keyKind: KeyKind;
  days: number;
  register?: boolean;
}

interface RegisterOptions extends PlaceOptions {
  /** A file: the CA's key is somewhere else, and has signed it there. */
  verification?: string;
  template?: string;
  roleArn?: string;
  autoRegistration?: boolean;
  sniOnly?: boolean;
  inactive?: boolean;
}

interface IssueOptions extends PlaceOptions {
  ca: string;
  out?: string;
  secTag?: number;
  force?: boolean;
  keyKind: KeyKind;
  days: number;
  organization?: string;
  csr?: string;
}

/** Of a verification certificate: it is looked at once, when its CA is registered. */
const verificationDays = 1;

function subjectOf(commonName: string, organization: string | undefined): DistinguishedName {
  return [...(organization === undefined ? [] : [["O", organization] as const]), ["CN", commonName]];
}

/** `thingline ca create [FOLDER]` */
export async function caCreate(context: CommandContext, options: CreateOptions, folder = "ca"): Promise<void> {
  const { output } = context;
  const { register = false } = options;
  const given = (["template", "roleArn", "autoRegistration", "sniOnly", "inactive", "aws"] as const).find(
    (name) => options[name] !== undefined,
  );
  if (!register && given !== undefined) throw new UsageError(`${optionNames[given]} goes with --register`);
  const { files, keys, random, clock } = nodeAdapters();
  // Several CAs of one subject are hard to tell apart.
  const commonName = options.commonName ?? `Device CA ${toHex(random.bytes(4))}`;
  const subject = subjectOf(commonName, options.organization);
  const authority = await createAuthority({ keys, random, clock }, { ...options, subject });
  await writeAuthority(files, folder, authority);
  const [{ notAfter }] = parseCertificates(authority.certificatePem);
  const until = new Date(notAfter * 1_000).toISOString();
  output.event(
    { event: "caCreated", commonName, folder: resolve(folder), notAfter: until, files: authorityFileNames },
    [
      `${output.paint.green("created")} a CA, ${commonName}, until ${until.slice(0, 10)}`,
      `  folder       ${folder}`,
      `    ${authorityFileNames.privateKeyPem.padEnd(12)}its private key: whoever has it makes devices of yours`,
      `    ${authorityFileNames.certificatePem.padEnd(12)}its certificate`,
      "",
      ...(register
        ? []
        : [
            "Next, have a cloud know it, with a template for its devices or without:",
            `  ${commandLine(["ca", "register", folder, "--template", "NAME"])}`,
          ]),
    ].join("\n"),
  );
  if (register) await caRegister(context, options, folder);
}

const optionNames = {
  ...{ template: "--template", roleArn: "--role-arn", autoRegistration: "--auto-registration" },
  ...{ sniOnly: "--sni-only", inactive: "--inactive", aws: "--aws" },
} as const;

/** `thingline ca code`: for whoever makes the proof where the key of a CA is. */
export async function caCode(context: CommandContext, options: PlaceOptions): Promise<void> {
  const { output } = context;
  const { plane, client, sdk, send } = await openTemplates(context, options);
  const { registrationCode = "" } = await client.send(new sdk.GetRegistrationCodeCommand({}), send);
  output.event(
    { event: "registrationCode", registrationCode },
    [
      registrationCode,
      "",
      `Registration code of the ${plane.description}. Where the CA's key is, sign a certificate with this common name, then:`,
      `  ${commandLine(["ca", "register", "ca.pem", "--verification", "FILE", ...placeWords(options)])}`,
    ].join("\n"),
  );
}

/** `thingline ca register [FOLDER]` */
export async function caRegister(context: CommandContext, options: RegisterOptions, folder = "ca"): Promise<void> {
  const { output } = context;
  const { template } = options;
  if (options.roleArn !== undefined && template === undefined) throw new UsageError("--role-arn goes with --template");
  if (options.verification !== undefined && options.sniOnly === true) {
    throw new UsageError("--sni-only takes no --verification");
  }
  const { certificatePem, verify } = await readProof(options, folder);
  const { plane, client, sdk, send } = await openTemplates(context, options);
  const { account, region } = plane;
  const isAuto = options.autoRegistration === true || template !== undefined;
  const command = new sdk.RegisterCACertificateCommand({
    caCertificate: certificatePem,
    certificateMode: options.sniOnly === true ? "SNI_ONLY" : "DEFAULT",
    ...{ setAsActive: options.inactive !== true, allowAutoRegistration: isAuto },
    ...(template !== undefined && {
      registrationConfig: {
        templateName: template,
        // A template that is named has a role of its own.
        ...(options.roleArn !== undefined && { roleArn: roleArn(options.roleArn, { aws: true, account, region }) }),
      },
    }),
    ...(verify !== undefined && {
      verificationCertificate: await verify(async () => {
        const { registrationCode = "" } = await client.send(new sdk.GetRegistrationCodeCommand({}), send);
        return registrationCode;
      }),
    }),
  });
  const { certificateId = "", certificateArn } = await client.send(command, send);
  const what =
    template !== undefined ? `provisioned by template ${template} (JITP)` : "registered, and wait for you (JITR)";
  output.event(
    {
      ...{ event: "caRegistered", certificateId, certificateArn, isActive: options.inactive !== true },
      ...{ autoRegistration: isAuto, templateName: template ?? null, isSniOnly: options.sniOnly === true },
    },
    [
      `${output.paint.green("registered")} CA ${shortenIds(certificateId)} in the ${plane.description}`,
      isAuto
        ? `  devices are ${what} when they connect for the first time`
        : "  devices are not registered by themselves: --auto-registration or --template has that",
      "",
      "Next, a device with a certificate of this CA:",
      `  ${commandLine(["ca", "issue", "SN-1", "--ca", folder, ...placeWords(options)])}`,
    ].join("\n"),
  );
}

/** Made elsewhere, or by the CA's key here; none where nobody asks for it. */
async function readProof({ verification, sniOnly }: RegisterOptions, folder: string) {
  const adapters = nodeAdapters();
  const { files, keys } = adapters;
  if (verification !== undefined) {
    const proof = await readTextFile(files, verification, { bytesMax: credentialFileBytesMax });
    parseCertificates(proof, verification);
    return { certificatePem: await readAuthorityCertificate(files, folder), verify: async () => proof };
  }
  if (sniOnly === true) return { certificatePem: await readAuthorityCertificate(files, folder), verify: undefined };
  const authority = await readAuthority(files, keys, folder);
  const verify = (code: () => Promise<string>) => verificationOf(adapters, authority, code);
  return { certificatePem: authority.certificatePem, verify };
}

/** Who has the CA's key signs the account's registration code. */
async function verificationOf(
  tools: AuthorityTools,
  authority: Authority,
  registrationCode: () => Promise<string>,
): Promise<string> {
  const { keys } = tools;
  const { privateKeyPem } = await keys.generate("ec-p256");
  return signCertificate(tools, authority, {
    ...{ subject: [["CN", await registrationCode()]], publicKey: keys.publicKeyOf(privateKeyPem) },
    days: verificationDays,
  });
}

/** `thingline ca list` */
export async function caList(context: CommandContext, options: PlaceOptions): Promise<void> {
  const { output } = context;
  const { plane, client, sdk, send } = await openTemplates(context, options);
  let count = 0;
  for await (const page of sdk.paginateListCACertificates({ client, pageSize: 250 }, {}, send)) {
    for (const { certificateId = "" } of page.certificates ?? []) {
      count++;
      const command = new sdk.DescribeCACertificateCommand({ certificateId });
      const { certificateDescription: ca, registrationConfig } = await client.send(command, send);
      const [{ subject }] = parseCertificates(ca?.certificatePem ?? "", `CA ${certificateId}`);
      const auto = ca?.autoRegistrationStatus === "ENABLE";
      const templateName = registrationConfig?.templateName ?? null;
      const how = auto
        ? registrationConfig === undefined
          ? "JITR"
          : `JITP${templateName === null ? "" : `, template ${templateName}`}`
        : "no registration";
      output.event(
        {
          ...{ event: "ca", certificateId, subject, status: ca?.status ?? null, templateName },
          ...{ autoRegistration: auto, certificateMode: ca?.certificateMode ?? null },
          notAfter: ca?.validity?.notAfter?.toISOString() ?? null,
        },
        `${shortenIds(certificateId)}  ${(ca?.status ?? "").padEnd(8)}  ${output.wrap(`${subject}, ${how}`, 23)}`,
      );
    }
    await output.drained();
  }
  if (count === 0) output.say(`no CAs of your own in the ${plane.description}`);
}

/** `thingline ca issue NAME --ca FOLDER`: what a production line does to a device. */
export async function caIssue(context: CommandContext, options: IssueOptions, name = ""): Promise<void> {
  const { output, signal } = context;
  const tools = nodeAdapters();
  const { files, keys } = tools;
  const authority = await readAuthority(files, keys, options.ca);
  if (options.csr !== undefined) return issueForRequest(context, { tools, authority, csr: options.csr }, options, name);
  const plane = await openControlPlane({ aws: options.aws === true, dataDir: options.dataDir, signal });
  await assertOutIsFree(options, name);
  const { privateKeyPem } = await keys.generate(options.keyKind);
  const subject = subjectOf(name, options.organization);
  const publicKey = keys.publicKeyOf(privateKeyPem);
  const leafPem = await signCertificate(tools, authority, { subject, publicKey, days: options.days });
  const [leaf] = parseCertificates(leafPem);
  const certificateId = toHex(keys.sha256(leaf.der));
  // AWS wants the CA in the chain the first time.
  const issued = {
    certificateArn: "",
    certificateId,
    certificatePem: leafPem + authority.certificatePem,
    privateKeyPem,
  };
  const secTag = options.secTag ?? defaultThingSecTag;
  const written = await writeIssued(plane, options, { name, clientId: name, issued, secTag });
  const { conf } = written.files;
  output.event(
    {
      event: "certificateIssued",
      commonName: name,
      certificateId,
      folder: resolve(written.folder),
      files: written.files,
      secTag,
    },
    [
      `${output.paint.green("issued")} a certificate for ${name}; no cloud knows it yet`,
      `  certificate  ${shortenIds(certificateId)}`,
      ...describeFiles(written, secTag),
      "",
      "Next, its first connection, by which it gets known:",
      `  ${commandLine(["provision", "--conf", conf, "--method", "own-certificate", "--native-tls"])}`,
    ].join("\n"),
  );
}

/** The key stays where it was made: what is written is the certificate and the CA behind it. */
async function issueForRequest(
  { output }: CommandContext,
  { tools, authority, csr }: { tools: ReturnType<typeof nodeAdapters>; authority: Authority; csr: string },
  options: IssueOptions,
  name: string,
): Promise<void> {
  if (options.organization !== undefined) throw new UsageError("--csr keeps the subject of the request");
  const { files, keys } = tools;
  const request = readRequest(keys, await readTextFile(files, csr, { bytesMax: credentialFileBytesMax }), csr);
  await assertOutIsFree(options, name);
  const leafPem = await signCertificate(tools, authority, { ...request, days: options.days });
  const [leaf] = parseCertificates(leafPem);
  const certificateId = toHex(keys.sha256(leaf.der));
  const folder = options.out ?? name;
  const file = join(folder, credentialFileNames.certificatePem);
  await makePrivateFolder(files, folder);
  await files.replace(file, new TextEncoder().encode(leafPem + authority.certificatePem), { mode: 0o644 });
  const { subject } = leaf;
  output.event(
    {
      event: "certificateIssued",
      commonName: name,
      subject,
      certificateId,
      folder: resolve(folder),
      files: { certificatePem: file },
    },
    [
      `${output.paint.green("issued")} a certificate for the request in ${csr}; no cloud knows it yet`,
      `  certificate  ${shortenIds(certificateId)}, of ${subject}`,
      `  file         ${file}`,
    ].join("\n"),
  );
}
