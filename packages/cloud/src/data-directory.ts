import { isThinglineError, ThinglineError, toHex } from "@thingline/protocol";
import type { Clock, Files, Keys } from "@thingline/transport";
import { readRoot, readServer, serverDays } from "./gateway/server-identity.js";
import { pairFiles } from "./services/registry/certificate-files.js";
import type { CertificatePair, PairFiles } from "./services/registry/certificate-files.js";
import { readDeviceAuthority } from "./services/registry/certificate-issuer.js";

/** Beside the CAs and the store: that they belong together. */
export const directoryFileName = "directory.json";
const directoryFormat = "thingline-data-directory";
export const directoryBytesMax = 4_096;
const dayMs = 24 * 60 * 60 * 1000;

/** What `directory.json` says. */
export interface DirectoryFile {
  format: typeof directoryFormat;
  version: 1;
  /** 32 hexadecimal digits; the store has the same. */
  id: string;
  /** SHA-256 of the root CA's certificate, and of the issuing CA's, once there is one. */
  root?: string;
  issuing?: string;
}

export interface DataDirectoryDependencies {
  files: Files;
  keys: Keys;
  clock: Clock;
  /** Whether the key of one certificate signed another. */
  isSignedBy: (certificatePem: string, issuerPem: string) => boolean;
}

/** A data directory as it was found. */
export interface DataDirectory {
  /** Undefined in a new one, and in one of an earlier version. */
  id: string | undefined;
  /** A cloud had it before: there must be a store. */
  isUsed: boolean;
  /** The file says all that there is to say. */
  isRecorded: boolean;
  hasIssuing: boolean;
  /** The next start makes a new one. */
  hasOldRoot: boolean;
}

/**
 * Holds the files of a data directory against each other: nothing damaged, nothing of another directory.
 *
 * @param onFault Default: the first fault is thrown.
 * @throws {ThinglineError} DATA_DIRECTORY_INVALID, and what reading certificates and keys can throw, each with the file and what to do.
 */
export async function checkDataDirectory(
  dependencies: DataDirectoryDependencies,
  folder: string,
  onFault: (error: ThinglineError) => void = (error) => {
    throw error;
  },
): Promise<DataDirectory> {
  const { files, keys, clock, isSignedBy } = dependencies;
  const attempt = async <Result>(run: () => Promise<Result>): Promise<Result | undefined> => {
    try {
      return await run();
    } catch (error) {
      if (!isThinglineError(error)) throw error;
      onFault(error);
      return undefined;
    }
  };
  const nowMs = clock.unixMs();
  const directory = await attempt(() => readDirectoryFile(files, folder));
  const at = { files, keys, clock, folder };
  const [rootFiles, serverFiles, issuingFiles] = [pairFiles.root, pairFiles.server, pairFiles.issuing].map((of) =>
    of(folder),
  ) as [PairFiles, PairFiles, PairFiles];
  const root = await attempt(() => readRoot(at));
  const issuing = await attempt(() => readDeviceAuthority({ files, folder }, keys, nowMs));
  await attempt(async () =>
    requireRecorded(rootFiles, directory?.root, root, await files.exists(rootFiles.certificatePath), keys),
  );
  await attempt(async () =>
    requireRecorded(issuingFiles, directory?.issuing, issuing, await files.exists(issuingFiles.certificatePath), keys),
  );
  for (const [pair, of] of [
    [root, rootFiles],
    [issuing, issuingFiles],
  ] as const) {
    if (pair !== undefined) await attempt(async () => requireSigned(pair, of, pair, isSignedBy));
  }
  if (root !== undefined) {
    const server = await attempt(() => readServer(at, root));
    if (server !== undefined) await attempt(async () => requireSigned(server, serverFiles, root, isSignedBy));
  }
  const isUsed = directory !== undefined || (await files.exists(rootFiles.certificatePath)) || issuing !== undefined;
  return {
    id: directory?.id,
    isUsed,
    isRecorded: directory?.root !== undefined && (issuing === undefined || directory.issuing !== undefined),
    hasIssuing: issuing !== undefined,
    hasOldRoot: root !== undefined && (root.notAfterMs - nowMs) / dayMs < serverDays,
  };
}

/** @throws {ThinglineError} DATA_DIRECTORY_INVALID */
function requireRecorded(
  { certificatePath, advice }: PairFiles,
  recorded: string | undefined,
  pair: CertificatePair | undefined,
  isThere: boolean,
  keys: Pick<Keys, "sha256">,
): void {
  if (recorded === undefined) return;
  if (pair === undefined) {
    // Whatever is wrong with one that is there was told already.
    if (isThere) return;
    throw invalidDirectory(
      certificatePath,
      `"${certificatePath}" is missing, and ${directoryFileName} knows it. ${advice}`,
    );
  }
  if (toHex(keys.sha256(pair.der)) === recorded) return;
  const message = `"${certificatePath}" is not the certificate that ${directoryFileName} knows: it was changed, or is of another directory`;
  throw invalidDirectory(certificatePath, `${message}. ${advice}`);
}

/** @throws {ThinglineError} CERTIFICATE_INVALID */
function requireSigned(
  pair: CertificatePair,
  { certificatePath, advice }: PairFiles,
  issuer: CertificatePair,
  isSignedBy: DataDirectoryDependencies["isSignedBy"],
): void {
  if (isSignedBy(pair.certificatePem, issuer.certificatePem)) return;
  const message = `"${certificatePath}" does not have the signature of "${issuer.subject}": it was changed, or is of another directory. ${advice}`;
  throw new ThinglineError("CERTIFICATE_INVALID", message, { details: { path: certificatePath } });
}

/** @throws {ThinglineError} DATA_DIRECTORY_INVALID, FILE_UNREADABLE, FILE_TOO_LARGE. */
export async function readDirectoryFile(files: Files, folder: string): Promise<DirectoryFile | undefined> {
  const path = `${folder}/${directoryFileName}`;
  if (!(await files.exists(path))) return undefined;
  const text = new TextDecoder().decode(await files.read(path, { bytesMax: directoryBytesMax }));
  const invalid = (what: string) =>
    invalidDirectory(
      path,
      `"${path}" ${what}. Put it back from a copy of the directory; without the file the next start takes the CA and the store for ` +
        "each other's as they are",
    );
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw invalid("is not JSON");
  }
  const { format, version, id, root, issuing } = (typeof json === "object" && json !== null ? json : {}) as Record<
    string,
    unknown
  >;
  if (format !== directoryFormat) throw invalid(`does not have the format "${directoryFormat}"`);
  if (version !== 1)
    throw invalid(`has version ${JSON.stringify(version) ?? "undefined"}, this program reads version 1`);
  if (!isHex(id, 32)) throw invalid("has no usable id");
  if ((root !== undefined && !isHex(root, 64)) || (issuing !== undefined && !isHex(issuing, 64))) {
    throw invalid("has no usable fingerprints");
  }
  return json as DirectoryFile;
}

/** After a start and before the end: writes what belongs together, when it is not written yet. */
export async function recordDirectory(
  { files, keys, clock }: Pick<DataDirectoryDependencies, "files" | "keys" | "clock">,
  folder: string,
  id: string,
): Promise<void> {
  const fingerprint = (pair: CertificatePair | undefined) => pair && toHex(keys.sha256(pair.der));
  const root = fingerprint(await readRoot({ files, keys, clock, folder }));
  const issuing = fingerprint(await readDeviceAuthority({ files, folder }, keys, clock.unixMs()));
  await writeDirectoryFile(files, folder, { id, ...(root && { root }), ...(issuing && { issuing }) });
}

/** A root that is about to be made anew is forgotten first, so that a start that is cut in between can be repeated. */
export async function forgetRoot(files: Files, folder: string): Promise<void> {
  const directory = await readDirectoryFile(files, folder);
  if (directory?.root === undefined) return;
  const { id, issuing } = directory;
  await writeDirectoryFile(files, folder, { id, ...(issuing && { issuing }) });
}

async function writeDirectoryFile(
  files: Files,
  folder: string,
  facts: Pick<DirectoryFile, "id" | "root" | "issuing">,
): Promise<void> {
  const before = await readDirectoryFile(files, folder);
  if (before?.id === facts.id && before.root === facts.root && before.issuing === facts.issuing) return;
  const file: DirectoryFile = { format: directoryFormat, version: 1, ...facts };
  const text = `${JSON.stringify(file, undefined, 2)}\n`;
  await files.replace(`${folder}/${directoryFileName}`, new TextEncoder().encode(text), { mode: 0o600 });
}

function invalidDirectory(path: string, message: string): ThinglineError {
  return new ThinglineError("DATA_DIRECTORY_INVALID", message, { details: { path } });
}

const isHex = (text: unknown, length: number): text is string =>
  typeof text === "string" && text.length === length && /^[0-9a-f]+$/.test(text);
