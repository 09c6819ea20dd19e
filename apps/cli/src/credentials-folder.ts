import { dirname, join } from "node:path";
import { isThinglineError, ThinglineError } from "@thingline/protocol";
import { encodeKconfigString } from "@thingline/protocol/kconfig";
import { parseCertificates, parsePrivateKey } from "@thingline/protocol/x509";
import { type Files, makePrivateFolder } from "@thingline/transport";
import { type CredentialSource, nordicFileInvalid, readNordicJson, type SourceText } from "./nordic-json.js";
import { readTextFile } from "./text-file.js";

/** PEM texts of one identity. File names are those of the sample's native TLS overlay. */
export interface CredentialSet {
  caPem: string;
  certificatePem: string;
  /** Undefined for a key that stays in a modem. */
  privateKeyPem: string | undefined;
}

export const credentialFileNames = {
  caPem: "ca-cert.pem",
  certificatePem: "client-cert.pem",
  privateKeyPem: "private-key.pem",
} as const;

/** The file that Nordic's LTE Link Monitor and Cellular Monitor read (certificate manager). */
export const nordicFileName = "certificate.json";

export interface CredentialsFolder {
  folder: string;
  files: Record<keyof CredentialSet, string> & { nordic: string; conf: string };
}

const encoder = new TextEncoder();

/**
 * Writes the PEM files, Nordic's certificate JSON and the `prj.conf` lines. Keys and the JSON have mode 0600.
 *
 * @throws {ThinglineError} FILE_EXISTS when the folder already holds a private key and `force` is not set: an
 * existing key would be lost for ever.
 */
export async function writeCredentialsFolder(
  files: Files,
  folder: string,
  set: CredentialSet,
  options: { secTag: number; host: string; port: number; clientId: string; force: boolean },
): Promise<CredentialsFolder> {
  const keyFile = join(folder, credentialFileNames.privateKeyPem);
  if (!options.force && (await files.exists(keyFile))) {
    throw new ThinglineError(
      "FILE_EXISTS",
      `${keyFile} is already there; choose another --out, or --force to replace it`,
      {
        details: { file: keyFile },
      },
    );
  }
  const paths = {
    caPem: join(folder, credentialFileNames.caPem),
    certificatePem: join(folder, credentialFileNames.certificatePem),
    privateKeyPem: keyFile,
    nordic: join(folder, nordicFileName),
    conf: join(folder, "prj.conf"),
  };
  const nordic = {
    caCert: set.caPem,
    clientCert: set.certificatePem,
    ...(set.privateKeyPem !== undefined && { privateKey: set.privateKeyPem }),
    secTag: options.secTag,
  };
  await makePrivateFolder(files, folder);
  if (set.privateKeyPem !== undefined) await files.replace(paths.privateKeyPem, encoder.encode(set.privateKeyPem));
  await files.replace(paths.certificatePem, encoder.encode(set.certificatePem), { mode: 0o644 });
  await files.replace(paths.caPem, encoder.encode(set.caPem), { mode: 0o644 });
  await files.replace(paths.nordic, encoder.encode(`${JSON.stringify(nordic, null, 2)}\n`));
  await files.replace(paths.conf, encoder.encode(kconfigLines(options)), { mode: 0o644 });
  return { folder, files: paths };
}

/** The `prj.conf` of a device that uses the credentials; also right for Nordic's own samples. */
export function kconfigLines(options: { secTag: number; host: string; port: number; clientId: string }): string {
  return `${[
    "CONFIG_AWS_IOT=y",
    `CONFIG_AWS_IOT_BROKER_HOST_NAME=${encodeKconfigString(options.host)}`,
    `CONFIG_AWS_IOT_PORT=${options.port}`,
    `CONFIG_AWS_IOT_SEC_TAG=${options.secTag}`,
    `CONFIG_AWS_IOT_CLIENT_ID_STATIC=${encodeKconfigString(options.clientId)}`,
    `CONFIG_AWS_IOT_CLIENT_ID_MAX_LEN=${Math.max(30, new TextEncoder().encode(options.clientId).length)}`,
  ].join("\n")}\n`;
}

/** What may be written under one security tag. */
export interface CredentialTexts {
  ca?: string;
  certificate?: string;
  privateKey?: string;
}

/** Of a PEM file, or of a JSON file with three of them. */
export const credentialFileBytesMax = 64 * 1024;

interface SourceOptions {
  from?: string;
  ca?: string;
  cert?: string;
  key?: string;
}

/**
 * Reads credentials from a folder (PEM files under the names above, else Nordic's certificate JSON), or a JSON file, or
 * single files. Single files win over the folder's.
 *
 * @throws {ThinglineError} FILE_NOT_FOUND, CERTIFICATE_INVALID, KEY_INVALID, CREDENTIAL_FILE_INVALID, FILE_TOO_LARGE, each with the file's name.
 */
export async function readCredentialFiles(files: Files, options: SourceOptions): Promise<CredentialTexts> {
  const { texts } = await readCredentialSource(files, options);
  const checked: CredentialTexts = {};
  for (const type of ["ca", "certificate", "privateKey"] as const) {
    const source = texts[type];
    if (source !== undefined) checked[type] = checkPem(source, type);
  }
  return checked;
}

/** The same, as the files have it: with what is no proper PEM, and what stands beside it. */
export async function readCredentialSource(files: Files, options: SourceOptions): Promise<CredentialSource> {
  const source: CredentialSource =
    options.from === undefined ? { texts: {}, ignoredMembers: [] } : await readFrom(files, options.from);
  const { texts } = source;
  if (options.ca !== undefined) texts.ca = await readPemFile(files, options.ca, "ca");
  if (options.cert !== undefined) texts.certificate = await readPemFile(files, options.cert, "certificate");
  if (options.key !== undefined) texts.privateKey = await readPemFile(files, options.key, "privateKey");
  return source;
}

const sourceNames = {
  ca: credentialFileNames.caPem,
  certificate: credentialFileNames.certificatePem,
  privateKey: credentialFileNames.privateKeyPem,
} as const;

async function readFrom(files: Files, from: string): Promise<CredentialSource> {
  if (from.endsWith(".json")) return readNordicFile(files, from);
  const names = await listFolder(files, from);
  const texts: CredentialSource["texts"] = {};
  for (const type of ["ca", "certificate", "privateKey"] as const) {
    if (names.includes(sourceNames[type])) texts[type] = await readPemFile(files, join(from, sourceNames[type]), type);
  }
  if (Object.keys(texts).length > 0) return { texts, ignoredMembers: [] };
  if (names.includes(nordicFileName)) return readNordicFile(files, join(from, nordicFileName));
  const wanted = [...Object.values(credentialFileNames), nordicFileName].join(", ");
  throw new ThinglineError("FILE_NOT_FOUND", `${from} has none of ${wanted}`, { details: { file: from } });
}

async function listFolder(files: Files, folder: string): Promise<string[]> {
  const problem = (what: string, cause?: unknown) =>
    new ThinglineError("FILE_NOT_FOUND", `${folder} ${what}`, { details: { file: folder }, cause });
  try {
    const names = await files.list(folder);
    if (names.length > 0) return names;
  } catch (error) {
    if (!isThinglineError(error) || error.details["systemCode"] !== "ENOTDIR") throw error;
    throw problem("is a file; expected a folder, or a .json file of Nordic's certificate manager", error);
  }
  throw problem("is an empty folder, or not there");
}

type PemType = keyof CredentialTexts;

async function readPemFile(files: Files, file: string, type: PemType): Promise<SourceText> {
  const onBinary = () => {
    const [code, convert] =
      type === "privateKey"
        ? (["KEY_INVALID", "openssl pkey -inform der"] as const)
        : (["CERTIFICATE_INVALID", "openssl x509 -inform der"] as const);
    const message = `${file} is no PEM but binary; if it is DER, \`${convert} -in ${file}\` converts it`;
    return new ThinglineError(code, message, { details: { file } });
  };
  const text = await readTextFile(files, file, { bytesMax: credentialFileBytesMax, keepsMark: true, onBinary });
  return { text, what: file };
}

const byteOrderMark = "\uFEFF";

/** The text as it stands, byte for byte (the modem's digest is over it), once it is known to be PEM of the right kind. */
function checkPem({ text, what }: SourceText, type: PemType): string {
  const pem = text.startsWith(byteOrderMark) ? text.slice(byteOrderMark.length) : text;
  if (type === "privateKey") parsePrivateKey(pem, what);
  else parseCertificates(pem, what);
  return pem;
}

async function readNordicFile(files: Files, file: string): Promise<CredentialSource> {
  const text = await readTextFile(files, file, {
    bytesMax: credentialFileBytesMax,
    onBinary: () => nordicFileInvalid(file, "is binary"),
  });
  return readNordicJson(text, file);
}

/** `thing create` and `claim create` write them beside `prj.conf`; the sample's native TLS build has them in `certs`. */
export async function findCerts(files: Files, conf: readonly string[]): Promise<string> {
  for (const folder of conf.map(dirname)) {
    if (await files.exists(join(folder, credentialFileNames.privateKeyPem))) return folder;
  }
  return "certs";
}
