import { join } from "node:path";
import { ThinglineError } from "@thingline/protocol";
import { parseCertificates, parsePrivateKey } from "@thingline/protocol/x509";
import type { Files } from "@thingline/transport";

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
    `CONFIG_AWS_IOT_BROKER_HOST_NAME="${options.host}"`,
    `CONFIG_AWS_IOT_PORT=${options.port}`,
    `CONFIG_AWS_IOT_SEC_TAG=${options.secTag}`,
    `CONFIG_AWS_IOT_CLIENT_ID_STATIC="${options.clientId}"`,
    `CONFIG_AWS_IOT_CLIENT_ID_MAX_LEN=${Math.max(30, options.clientId.length + 1)}`,
  ].join("\n")}\n`;
}

/** What may be written under one security tag. */
export interface CredentialTexts {
  ca?: string;
  certificate?: string;
  privateKey?: string;
}

const decoder = new TextDecoder("utf-8", { fatal: true });
const credentialFileBytesMax = 64 * 1024;

/**
 * Reads credentials from a folder (PEM files under the names above, else Nordic's certificate JSON), or a JSON file, or
 * single files. Single files win over the folder's.
 *
 * @throws {ThinglineError} FILE_NOT_FOUND, CERTIFICATE_INVALID, KEY_INVALID, CREDENTIAL_FILE_INVALID, each with the file's name.
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
  const names = await files.list(from);
  if (names.length === 0) {
    throw new ThinglineError("FILE_NOT_FOUND", `${from} is no folder, or an empty one`, { details: { file: from } });
  }
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

async function readText(files: Files, file: string): Promise<string> {
  const bytes = await files.read(file);
  if (bytes.length > credentialFileBytesMax) {
    const message = `${file} has ${bytes.length} bytes; credentials have at most ${credentialFileBytesMax}`;
    throw new ThinglineError("LIMIT_EXCEEDED", message, { details: { file } });
  }
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new ThinglineError("CERTIFICATE_INVALID", `${file} is no text, so no PEM (a DER file?)`, {
      details: { file },
      cause,
    });
  }
}

/** The text as it stands, byte for byte (the modem's digest is over it), once it is known to be PEM of the right kind. */
async function readPemFile(files: Files, file: string, kind: "certificate" | "privateKey"): Promise<string> {
  return checkPem(await readText(files, file), file, kind);
}

function checkPem(text: string, where: string, kind: "certificate" | "privateKey"): string {
  if (kind === "certificate") parseCertificates(text, where);
  else parsePrivateKey(text, where);
  return text;
}

async function readNordicFile(files: Files, file: string): Promise<CredentialTexts> {
  const text = await readText(files, file);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new ThinglineError("CREDENTIAL_FILE_INVALID", `${file} is no JSON`, { details: { file }, cause });
  }
  if (typeof json !== "object" || json === null) {
    throw new ThinglineError(
      "CREDENTIAL_FILE_INVALID",
      `${file}: expected an object with caCert, clientCert, privateKey`,
      {
        details: { file },
      },
    );
  }
  const { caCert, clientCert, privateKey } = json as Record<string, unknown>;
  const texts: CredentialTexts = {};
  if (typeof caCert === "string" && caCert !== "") texts.ca = checkPem(caCert, `${file}: caCert`, "certificate");
  if (typeof clientCert === "string" && clientCert !== "") {
    texts.certificate = checkPem(clientCert, `${file}: clientCert`, "certificate");
  }
  if (typeof privateKey === "string" && privateKey !== "") {
    texts.privateKey = checkPem(privateKey, `${file}: privateKey`, "privateKey");
  }
  return texts;
}
