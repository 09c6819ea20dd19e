import { dirname, join } from "node:path";
import { isThinglineError, ThinglineError } from "@thingline/protocol";
import { encodeKconfigString } from "@thingline/protocol/kconfig";
import { parseCertificates, parsePrivateKey } from "@thingline/protocol/x509";
import { type Files, makePrivateFolder } from "@thingline/transport";
import { readTextFile } from "./text-file.js";

/** PEM texts of one identity. File names are those of the sample's native TLS overlay. */
export interface CredentialSet {
  caPem: string;
  certificatePem: string;
  privateKeyPem: string;
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
    privateKey: set.privateKeyPem,
    secTag: options.secTag,
  };
  await makePrivateFolder(files, folder);
  await files.replace(paths.privateKeyPem, encoder.encode(set.privateKeyPem));
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

/**
 * Reads credentials from a folder (PEM files under the names above, else Nordic's certificate JSON), or a JSON file, or
 * single files. Single files win over the folder's.
 *
 * @throws {ThinglineError} FILE_NOT_FOUND, CERTIFICATE_INVALID, KEY_INVALID, CREDENTIAL_FILE_INVALID, FILE_TOO_LARGE, each with the file's name.
 */
export async function readCredentialFiles(
  files: Files,
  options: { from?: string; ca?: string; cert?: string; key?: string },
): Promise<CredentialTexts> {
  const texts: CredentialTexts = options.from === undefined ? {} : await readFrom(files, options.from);
  if (options.ca !== undefined) texts.ca = await readPemFile(files, options.ca, "certificate");
  if (options.cert !== undefined) texts.certificate = await readPemFile(files, options.cert, "certificate");
  if (options.key !== undefined) texts.privateKey = await readPemFile(files, options.key, "privateKey");
  return texts;
}

async function readFrom(files: Files, from: string): Promise<CredentialTexts> {
  if (from.endsWith(".json")) return readNordicFile(files, from);
  const names = await listFolder(files, from);
  const texts: CredentialTexts = {};
  if (names.includes(credentialFileNames.caPem)) {
    texts.ca = await readPemFile(files, join(from, credentialFileNames.caPem), "certificate");
  }
  if (names.includes(credentialFileNames.certificatePem)) {
    texts.certificate = await readPemFile(files, join(from, credentialFileNames.certificatePem), "certificate");
  }
  if (names.includes(credentialFileNames.privateKeyPem)) {
    texts.privateKey = await readPemFile(files, join(from, credentialFileNames.privateKeyPem), "privateKey");
  }
  if (Object.keys(texts).length > 0) return texts;
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

type PemKind = "certificate" | "privateKey";

/** The text as it stands, byte for byte (the modem's digest is over it), once it is known to be PEM of the right kind. */
async function readPemFile(files: Files, file: string, kind: PemKind): Promise<string> {
  const onBinary = () => {
    const [code, convert] =
      kind === "certificate"
        ? (["CERTIFICATE_INVALID", "openssl x509 -inform der"] as const)
        : (["KEY_INVALID", "openssl pkey -inform der"] as const);
    const message = `${file} is no PEM but binary; if it is DER, \`${convert} -in ${file}\` converts it`;
    return new ThinglineError(code, message, { details: { file } });
  };
  const text = await readTextFile(files, file, { bytesMax: credentialFileBytesMax, onBinary });
  return checkPem(text, file, kind);
}

function checkPem(text: string, where: string, kind: PemKind): string {
  if (kind === "certificate") parseCertificates(text, where);
  else parsePrivateKey(text, where);
  return text;
}

async function readNordicFile(files: Files, file: string): Promise<CredentialTexts> {
  const invalid = (what: string) => {
    const message = `${file} ${what}; expected a JSON object with caCert, clientCert, privateKey`;
    return new ThinglineError("CREDENTIAL_FILE_INVALID", message, { details: { file } });
  };
  const text = await readTextFile(files, file, {
    bytesMax: credentialFileBytesMax,
    onBinary: () => invalid("is binary"),
  });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    // The parser's own message quotes the text, which may be a key.
    throw invalid("is no JSON");
  }
  if (typeof json !== "object" || json === null || Array.isArray(json)) throw invalid("holds no JSON object");
  const members = json as Record<string, unknown>;
  const pem = (name: string, kind: PemKind): string | undefined => {
    const value = members[name];
    if (value === undefined || value === null || value === "") return undefined;
    if (typeof value !== "string") throw invalid(`has a ${name} that is no text`);
    return checkPem(value, `${file}: ${name}`, kind);
  };
  const ca = pem("caCert", "certificate");
  const certificate = pem("clientCert", "certificate");
  const privateKey = pem("privateKey", "privateKey");
  if (ca === undefined && certificate === undefined && privateKey === undefined) throw invalid("has none of them");
  return {
    ...(ca !== undefined && { ca }),
    ...(certificate !== undefined && { certificate }),
    ...(privateKey !== undefined && { privateKey }),
  };
}

/** `thing create` and `claim create` write them beside `prj.conf`; the sample's native TLS build has them in `certs`. */
export async function findCerts(files: Files, conf: readonly string[]): Promise<string> {
  for (const folder of conf.map(dirname)) {
    if (await files.exists(join(folder, credentialFileNames.privateKeyPem))) return folder;
  }
  return "certs";
}
