import {
  checkOptionTypes,
  isBytes,
  isThinglineError,
  kindOf,
  optionInvalid,
  type OptionTypes,
  ThinglineError,
  toHex,
} from "@thingline/protocol";
import { parseCertificates, parsePrivateKey, pemText } from "@thingline/protocol/x509";
import {
  type CredentialEntry,
  type CredentialStore,
  type CredentialType,
  type Files,
  filesOption,
  type Keys,
  keysOption,
  makePrivateFolder,
} from "@thingline/transport";

/** What TLS needs of a security tag. */
export interface TlsCredentials {
  ca: string;
  certificate: string;
  privateKey: string;
  /** Tells these credentials from any others; nothing can be learnt from it. */
  digest: string;
}

/** Credentials under security tags outside of the modem, for an application that does TLS itself. */
export interface NativeCredentialStore extends CredentialStore {
  /**
   * For the TLS of this process alone: a tag's credentials with the private key.
   *
   * @throws {ThinglineError} CREDENTIAL_MISSING naming the tag and what it lacks; KEY_MISMATCH.
   */
  credentials(secTag: number): Promise<TlsCredentials>;
}

export interface NativeCredentialStoreOptions {
  keys: Keys;
  /** Where credentials are kept, one file each that only its owner may read. Both or none: without them, in memory. */
  files?: Files;
  folder?: string;
}

const types = ["ca", "certificate", "privateKey", "psk", "pskIdentity"] as const satisfies readonly CredentialType[];
/** A CA chain can be long; four times what a modem takes is enough for any. */
export const nativeCredentialBytesMax = 16 * 1024;
export const nativeSecTagsMax = 100;

const optionTypes = {
  keys: keysOption,
  files: filesOption,
  folder: "string",
} as const satisfies OptionTypes<NativeCredentialStoreOptions>;

/** @throws {ThinglineError} OPTION_INVALID */
export function createNativeCredentialStore(options: NativeCredentialStoreOptions): NativeCredentialStore {
  checkOptionTypes(options, optionTypes, { of: "createNativeCredentialStore()", required: ["keys"] });
  const { keys, files, folder } = options;
  if ((files === undefined) !== (folder === undefined)) {
    const message = "files and folder: expected both or none";
    throw new ThinglineError("OPTION_INVALID", message, { details: { option: "folder" } });
  }
  const items = files !== undefined && folder !== undefined ? new FolderItems(files, folder) : new MemoryItems();
  return new NativeStore(items, keys);
}

/** Texts by tag and type. */
interface Items {
  get(name: string): Promise<string | undefined>;
  set(name: string, content: string): Promise<void>;
  remove(name: string): Promise<void>;
  names(): Promise<string[]>;
  /** How to call an item in an error: the file, where there is one. */
  placeOf(name: string): string;
}

class MemoryItems implements Items {
  readonly #contents = new Map<string, string>();

  async get(name: string): Promise<string | undefined> {
    return this.#contents.get(name);
  }

  async set(name: string, content: string): Promise<void> {
    this.#contents.set(name, content);
  }

  async remove(name: string): Promise<void> {
    this.#contents.delete(name);
  }

  async names(): Promise<string[]> {
    return [...this.#contents.keys()];
  }

  placeOf(name: string): string {
    return `the item ${name} of the application's store`;
  }
}

class FolderItems implements Items {
  readonly #files: Files;
  readonly #folder: string;

  constructor(files: Files, folder: string) {
    this.#files = files;
    this.#folder = folder;
  }

  async get(name: string): Promise<string | undefined> {
    try {
      return new TextDecoder().decode(await this.#files.read(this.#path(name), { bytesMax: nativeCredentialBytesMax }));
    } catch (error) {
      if (isThinglineError(error, "FILE_NOT_FOUND")) return undefined;
      throw error;
    }
  }

  async set(name: string, content: string): Promise<void> {
    await makePrivateFolder(this.#files, this.#folder);
    await this.#files.replace(this.#path(name), new TextEncoder().encode(content), { mode: 0o600 });
  }

  remove(name: string): Promise<void> {
    return this.#files.remove(this.#path(name));
  }

  async names(): Promise<string[]> {
    const files = await this.#files.list(this.#folder);
    return files.filter((file) => file.endsWith(".pem")).map((file) => file.slice(0, -".pem".length));
  }

  placeOf(name: string): string {
    return this.#path(name);
  }

  #path(name: string): string {
    return `${this.#folder}/${name}.pem`;
  }
}

class NativeStore implements NativeCredentialStore {
  readonly isWritableOnline = true;
  readonly #items: Items;
  readonly #keys: Keys;

  constructor(items: Items, keys: Keys) {
    this.#items = items;
    this.#keys = keys;
  }

  async write(secTag: number, type: CredentialType, given: string): Promise<void> {
    checkItem(secTag, type);
    const content = textOf(given);
    checkContent(secTag, type, content);
    const names = await this.#items.names();
    const tags = new Set(names.map((name) => parseName(name)?.secTag));
    if (!tags.has(secTag) && tags.size >= nativeSecTagsMax) {
      throw refused(secTag, type, `there are ${nativeSecTagsMax} security tags already`);
    }
    await this.#items.set(nameOf(secTag, type), content);
  }

  async digest(secTag: number, type: CredentialType): Promise<string | undefined> {
    checkItem(secTag, type);
    const content = await this.#items.get(nameOf(secTag, type));
    return content === undefined ? undefined : this.#sha256(content);
  }

  async read(secTag: number, type: CredentialType): Promise<string | undefined> {
    checkItem(secTag, type);
    if (type === "privateKey" || type === "psk") throw refused(secTag, type, "secrets are not read back");
    return this.#items.get(nameOf(secTag, type));
  }

  async compare(secTag: number, type: CredentialType, content: string): Promise<boolean> {
    return (await this.digest(secTag, type)) === this.#sha256(textOf(content));
  }

  async delete(secTag: number, type: CredentialType): Promise<void> {
    checkItem(secTag, type);
    await this.#items.remove(nameOf(secTag, type));
  }

  async exists(secTag: number, type: CredentialType): Promise<boolean> {
    return (await this.digest(secTag, type)) !== undefined;
  }

  async list(): Promise<CredentialEntry[]> {
    const entries: CredentialEntry[] = [];
    for (const name of await this.#items.names()) {
      const parsed = parseName(name);
      const sha256 = parsed && (await this.digest(parsed.secTag, parsed.type));
      if (parsed && sha256 !== undefined) entries.push({ ...parsed, sha256 });
    }
    return entries.sort((a, b) => a.secTag - b.secTag || types.indexOf(a.type) - types.indexOf(b.type));
  }

  async credentials(secTag: number): Promise<TlsCredentials> {
    checkSecTag(secTag);
    const [ca, certificate, privateKey] = await Promise.all([
      this.#items.get(nameOf(secTag, "ca")),
      this.#items.get(nameOf(secTag, "certificate")),
      this.#items.get(nameOf(secTag, "privateKey")),
    ]);
    if (ca === undefined || certificate === undefined || privateKey === undefined) {
      const missing = Object.entries({ ca, certificate, privateKey }).filter(([, content]) => content === undefined);
      const names = missing.map(([type]) => type).join(", ");
      const message = `security tag ${secTag} of the application's store has no ${names}`;
      throw new ThinglineError("CREDENTIAL_MISSING", message, { details: { secTag, missing: names } });
    }
    // What was written was looked at; what a file has become since then is told with its name, and not as a lost connection.
    const placeOf = (type: CredentialType) => this.#items.placeOf(nameOf(secTag, type));
    parseCertificates(ca, placeOf("ca"));
    parseCertificates(certificate, placeOf("certificate"));
    parsePrivateKey(privateKey, placeOf("privateKey"));
    checkPair(this.#keys, { certificate, privateKey }, `${placeOf("privateKey")} and ${placeOf("certificate")}`);
    return { ca, certificate, privateKey, digest: this.#sha256([ca, certificate, privateKey].join("\0")) };
  }

  #sha256(content: string): string {
    return toHex(this.#keys.sha256(new TextEncoder().encode(content)));
  }
}

/** @throws {ThinglineError} KEY_MISMATCH, KEY_INVALID, CERTIFICATE_INVALID. */
export function checkPair(keys: Keys, pair: { certificate: string; privateKey: string }, where: string): void {
  if (toHex(keys.certificatePublicKey(pair.certificate)) === toHex(keys.publicKeyOf(pair.privateKey))) return;
  throw new ThinglineError("KEY_MISMATCH", `${where}: the private key does not belong to the certificate`);
}

/** What would only fail at the next handshake is refused at once. */
function checkContent(secTag: number, type: CredentialType, content: string): void {
  const bytes = new TextEncoder().encode(content).length;
  if (bytes === 0) throw refused(secTag, type, "it is empty");
  if (bytes > nativeCredentialBytesMax) {
    throw refused(secTag, type, `it has ${bytes} bytes, more than ${nativeCredentialBytesMax}`);
  }
  try {
    if (type === "ca" || type === "certificate") parseCertificates(content, type);
    if (type === "privateKey") parsePrivateKey(content, type);
  } catch (error) {
    if (isThinglineError(error)) throw refused(secTag, type, error.message, error);
    throw error;
  }
}

function refused(secTag: number, type: CredentialType, reason: string, cause?: unknown): ThinglineError {
  const message = `${type} in security tag ${secTag}: ${reason}`;
  return new ThinglineError("CREDENTIAL_REFUSED", message, { details: { secTag, type }, cause });
}

function checkSecTag(secTag: number): void {
  if (Number.isInteger(secTag) && secTag >= 0 && secTag <= 2_147_483_647) return;
  const message = `a security tag is a whole number of 0 to 2147483647, got ${secTag}`;
  throw new ThinglineError("OPTION_INVALID", message, { details: { option: "secTag" } });
}

/** A type is part of a file's name: none but these is one. @throws {ThinglineError} OPTION_INVALID */
function checkItem(secTag: number, type: CredentialType): void {
  checkSecTag(secTag);
  if (types.includes(type)) return;
  const isShort = typeof type === "string" && (type as string).length <= 32;
  throw optionInvalid("type", types.join(", "), isShort ? JSON.stringify(type) : kindOf(type));
}

/** Callers without types pass what they have read. @throws {ThinglineError} OPTION_INVALID */
function textOf(content: unknown): string {
  if (typeof content === "string" || isBytes(content)) return pemText(content);
  throw optionInvalid("content", "PEM as text", kindOf(content));
}

function nameOf(secTag: number, type: CredentialType): string {
  return `${secTag}-${type}`;
}

function parseName(name: string): { secTag: number; type: CredentialType } | undefined {
  const match = /^(0|[1-9][0-9]{0,9})-([A-Za-z]+)$/u.exec(name);
  const type = types.find((each) => each === match?.[2]);
  return match && type ? { secTag: Number(match[1]), type } : undefined;
}
