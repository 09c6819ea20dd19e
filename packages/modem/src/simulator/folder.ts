import {
  bytesEqual,
  checkOptionTypes,
  isThinglineError,
  type OptionTypes,
  ThinglineError,
  toHex,
} from "@thingline/protocol";
import { credentialTypeName, credentialTypeNumbers } from "@thingline/protocol/at";
import {
  type CredentialEntry,
  type CredentialStore,
  type CredentialType,
  type Files,
  filesOption,
  type Keys,
  keysOption,
  makePrivateFolder,
  type Random,
  randomOption,
} from "@thingline/transport";
import { credentialRefused } from "../credential-refusal.js";
import type { CredentialSituation } from "./credential-rules.js";
import { refusalOfDelete, refusalOfRead, refusalOfWrite } from "./credential-rules.js";
import { profileOf } from "./firmware.js";
import type { ModemIdentity, StoredIdentity } from "./identity.js";
import { identityTypes, openIdentity } from "./identity.js";
import { SecureStorage } from "./secure-storage.js";

/** A simulated modem's folder without the modem: what a programmer does on the bench before the first boot. */
export interface CredentialFolder extends CredentialStore {
  readonly identity: ModemIdentity;
  /** False: a tag holds a key and a certificate that do not belong together, which no real modem would say. */
  isPair(secTag: number): Promise<boolean>;
  /** Gives the folder back; another process may open it then. Safe to call twice. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface CredentialFolderOptions {
  files: Files;
  keys: Keys;
  random: Random;
  folder: string;
  /** What the modem shall be instead of what is stored or made up; it is stored. */
  identity?: Partial<ModemIdentity>;
}

const optionTypes = {
  files: filesOption,
  keys: keysOption,
  random: randomOption,
  folder: "string",
  identity: { options: identityTypes },
} as const satisfies OptionTypes<CredentialFolderOptions>;

/**
 * Opens the folder of a simulated modem, or makes it, to write and list credentials by the modem's own rules
 * while no LTE is in the way.
 *
 * @throws {ThinglineError} LOCKED when a modem runs on the folder, STORE_CORRUPT naming the damaged file, OPTION_INVALID.
 */
export async function openCredentialFolder(options: CredentialFolderOptions): Promise<CredentialFolder> {
  checkOptionTypes(options, optionTypes, {
    of: "openCredentialFolder()",
    required: ["files", "keys", "random", "folder"],
  });
  await makePrivateFolder(options.files, options.folder);
  const lock = await options.files.lock(options.folder);
  try {
    const identity = await openIdentity(options);
    const storage = await SecureStorage.open({ ...options });
    return new OpenCredentialFolder(options.keys, identity, storage, lock.release.bind(lock));
  } catch (error) {
    await lock.release();
    throw error;
  }
}

class OpenCredentialFolder implements CredentialFolder {
  readonly identity: ModemIdentity;
  readonly #keys: Keys;
  readonly #storage: SecureStorage;
  #release: (() => Promise<void>) | undefined;

  constructor(
    keys: Keys,
    { identityKey: _, ...identity }: StoredIdentity,
    storage: SecureStorage,
    release: () => Promise<void>,
  ) {
    this.identity = identity;
    this.#keys = keys;
    this.#storage = storage;
    this.#release = release;
  }

  async write(secTag: number, type: CredentialType, content: string): Promise<void> {
    const number = credentialTypeNumbers[type];
    const refusal = refusalOfWrite({ secTag, type: number, content }, this.#situation());
    if (refusal !== undefined) throw credentialRefused("write", { secTag, type }, cmeOf(refusal));
    await this.#storage.put({ secTag, type: number, content });
  }

  async digest(secTag: number, type: CredentialType): Promise<string | undefined> {
    this.#situation();
    return this.#storage.get(secTag, credentialTypeNumbers[type])?.sha256.toLowerCase();
  }

  async read(secTag: number, type: CredentialType): Promise<string | undefined> {
    const number = credentialTypeNumbers[type];
    const refusal = refusalOfRead(secTag, number, this.#situation());
    if (refusal === 513) return undefined;
    if (refusal !== undefined) throw credentialRefused("read", { secTag, type }, cmeOf(refusal));
    return this.#storage.get(secTag, number)?.content;
  }

  async compare(secTag: number, type: CredentialType, content: string): Promise<boolean> {
    const wanted = toHex(this.#keys.sha256(new TextEncoder().encode(content))).toUpperCase();
    return (await this.digest(secTag, type)) === wanted.toLowerCase();
  }

  async delete(secTag: number, type: CredentialType): Promise<void> {
    const number = credentialTypeNumbers[type];
    const refusal = refusalOfDelete(secTag, number, this.#situation());
    if (refusal === 513) return;
    if (refusal !== undefined) throw credentialRefused("delete", { secTag, type }, cmeOf(refusal));
    await this.#storage.remove(secTag, number);
  }

  async exists(secTag: number, type: CredentialType): Promise<boolean> {
    return (await this.digest(secTag, type)) !== undefined;
  }

  async isPair(secTag: number): Promise<boolean> {
    const certificate = this.#storage.get(secTag, credentialTypeNumbers.certificate)?.content;
    const privateKey = this.#storage.get(secTag, credentialTypeNumbers.privateKey)?.content;
    if (certificate === undefined || privateKey === undefined) return true;
    try {
      return bytesEqual(this.#keys.publicKeyOf(privateKey), this.#keys.certificatePublicKey(certificate));
    } catch (error) {
      if (isThinglineError(error)) return false;
      throw error;
    }
  }

  async list(): Promise<CredentialEntry[]> {
    this.#situation();
    return this.#storage.list().flatMap(({ secTag, type: number, sha256 }) => {
      const type = credentialTypeName(number);
      return type === undefined ? [] : [{ secTag, type, sha256: sha256.toLowerCase() }];
    });
  }

  async close(): Promise<void> {
    const release = this.#release;
    this.#release = undefined;
    await release?.();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** The modem lies on the bench, off. */
  #situation(): CredentialSituation {
    if (this.#release === undefined) throw new ThinglineError("CLOSED", "the credential folder was closed");
    const { firmware, part } = this.identity;
    const profile = profileOf(firmware, part, firmware);
    return { storage: this.#storage, profile, keys: this.#keys, isActive: false, isPowerFailing: false };
  }
}

function cmeOf(refusal: number | "error"): number | undefined {
  return refusal === "error" ? undefined : refusal;
}
