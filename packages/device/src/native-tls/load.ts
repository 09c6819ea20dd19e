import { checkOptionTypes, isThinglineError, type OptionTypes, ThinglineError } from "@thingline/protocol";
import {
  parseCertificates,
  parsePrivateKey,
  pemCharactersMax,
  requireCa,
  requireChainOrder,
} from "@thingline/protocol/x509";
import {
  type CredentialStore,
  credentialStoreOption,
  type Files,
  filesOption,
  type Keys,
  keysOption,
} from "@thingline/transport";
import { checkPair } from "./store.js";

/** The names that the sample gives its credential files. */
export const nativeTlsFiles = {
  ca: "ca-cert.pem",
  certificate: "client-cert.pem",
  privateKey: "private-key.pem",
} as const;

export interface LoadCredentialsOptions {
  files: Files;
  /** The folder with the three files: `certs` in the sample. */
  folder: string;
  store: CredentialStore;
  /** `CONFIG_AWS_IOT_SEC_TAG`. */
  secTag: number;
  keys: Keys;
}

const optionTypes = {
  files: filesOption,
  folder: "string",
  store: credentialStoreOption,
  secTag: "number",
  keys: keysOption,
} as const satisfies OptionTypes<LoadCredentialsOptions>;

/**
 * Puts the three files of a folder into the store under a tag, as the sample's native TLS build does at each start. What is
 * there already is left alone. Nothing is written when anything is wrong.
 *
 * @throws {ThinglineError} FILE_NOT_FOUND, FILE_UNREADABLE, CERTIFICATE_INVALID, KEY_INVALID, KEY_MISMATCH, each naming the
 * file and the reason; those of the store.
 */
export async function loadNativeTlsCredentials(options: LoadCredentialsOptions): Promise<void> {
  checkOptionTypes(options, optionTypes, { of: "loadNativeTlsCredentials()", required: Object.keys(optionTypes) });
  const { files, folder, store, secTag, keys } = options;
  const path = (item: keyof typeof nativeTlsFiles) => `${folder}/${nativeTlsFiles[item]}`;
  const [ca, certificate, key] = await Promise.all([
    readBytes(files, path("ca")),
    readBytes(files, path("certificate")),
    readBytes(files, path("privateKey")),
  ]);
  const contents = {
    ca: parseCertificates(ca, path("ca"))
      .map(({ pem }) => pem)
      .join(""),
    certificate: parseCertificates(certificate, path("certificate"))
      .map(({ pem }) => pem)
      .join(""),
    privateKey: parsePrivateKey(key, path("privateKey")).pem,
  };
  requireCa(parseCertificates(ca, path("ca")), path("ca"));
  requireChainOrder(parseCertificates(certificate, path("certificate")), path("certificate"));
  checkPair(keys, contents, `${path("privateKey")} and ${path("certificate")}`);
  for (const item of ["privateKey", "certificate", "ca"] as const) {
    if (!(await store.compare(secTag, item, contents[item]))) await store.write(secTag, item, contents[item]);
  }
}

async function readBytes(files: Files, path: string): Promise<Uint8Array> {
  try {
    return await files.read(path, { bytesMax: pemCharactersMax });
  } catch (error) {
    if (!isThinglineError(error, "FILE_NOT_FOUND")) throw error;
    const names = Object.values(nativeTlsFiles).join(", ");
    const message = `${path} is missing; native TLS loads ${names} at start`;
    throw new ThinglineError("FILE_NOT_FOUND", message, { details: { path }, cause: error });
  }
}
