import { isThinglineError, ThinglineError } from "@thingline/protocol";
import { parseCertificates } from "@thingline/protocol/x509";
import { damagesMax } from "./check-result.js";
import type { CheckResult, Damage } from "./check-result.js";
import { checkDataDirectory } from "./data-directory.js";
import type { DataDirectoryDependencies } from "./data-directory.js";
import { cloudFileName, readCloudFile } from "./cloud-file.js";
import { certificateIdOf } from "./services/registry/x509-writer.js";
import { blobOfRecord } from "./services/blob-records.js";
import type { Inspection } from "./store/inspection.js";
import type { StoreEntry, StoreKey } from "./store/store.js";
import { createReferenceCheck } from "./store-references.js";

export interface CheckOptions {
  folder: string;
  dependencies: DataDirectoryDependencies;
  /** Reads the store's file without the store: see `inspectFile`. */
  inspect: (
    path: string,
    options: {
      onFault: (what: string) => void;
      onEntry: (entry: StoreEntry) => void;
      onProgress?: (records: number) => void;
    },
  ) => Inspection;
  /** What lies in the folder of blobs, and what is wrong with it. */
  blobs: AsyncIterable<FoundBlob>;
  onProgress?: (records: number) => void;
}

export interface FoundBlob {
  path: string;
  key: readonly string[] | undefined;
  fault: string | undefined;
}

/**
 * Reads everything in a data directory that no cloud has open: certificates, keys, each page of the store, each record with its
 * checksum, each blob, and what records refer to. Changes nothing.
 */
export async function checkDirectory({
  folder,
  dependencies,
  inspect,
  blobs,
  onProgress,
}: CheckOptions): Promise<CheckResult> {
  const damages: Damage[] = [];
  let damageCount = 0;
  const tell = (damage: Damage) => {
    damageCount++;
    if (damages.length < damagesMax) damages.push(damage);
  };
  const tellError = (error: unknown, file = folder) => {
    if (!isThinglineError(error)) throw error;
    tell({ file: String(error.details["path"] ?? file), code: error.code, what: error.message });
  };
  const { id, isUsed } = await checkDataDirectory(dependencies, folder, tellError);
  await checkCloudFile(dependencies, folder).catch(tellError);

  const dataFile = `${folder}/store/data.mdb`;
  const references = createReferenceCheck((pem) => certificateIdOf(dependencies.keys, parseCertificates(pem)[0].der));
  const inspected = { records: 0, storeVersion: undefined as number | undefined };
  const wantedBlobs = new Map<string, StoreKey>();
  const see = (entry: StoreEntry) => {
    references.see(entry);
    const blob = blobOfRecord(entry.key);
    if (blob !== undefined) wantedBlobs.set(JSON.stringify(blob), entry.key);
  };
  const storeFault = (what: string) => tell({ file: dataFile, code: "STORE_CORRUPT", what });
  const before = damageCount;
  try {
    const { records, meta } = inspect(dataFile, {
      onFault: storeFault,
      onEntry: see,
      ...(onProgress && { onProgress }),
    });
    Object.assign(inspected, { records, storeVersion: meta?.version });
    const isOther = id !== undefined && meta?.directoryId !== undefined && meta.directoryId !== id;
    if (isOther) storeFault("it belongs to another data directory");
  } catch (error) {
    // In a new directory there need not be one.
    if (!isThinglineError(error, "FILE_NOT_FOUND")) tellError(error, dataFile);
    else if (isUsed) storeFault("it is missing");
  }
  // With records missing, the references to them say nothing new.
  if (damageCount === before) for (const what of references.dangling()) storeFault(what);
  let blobCount = 0;
  for await (const { path, key, fault } of blobs) {
    blobCount++;
    // One that no record asks for is no damage: the next start sweeps it.
    if (key !== undefined) wantedBlobs.delete(JSON.stringify(key));
    if (fault !== undefined) tell({ file: path, code: "STORE_CORRUPT", what: fault });
  }
  for (const [blob, record] of wantedBlobs) {
    storeFault(`the record ${JSON.stringify(record)} refers to the blob ${blob}, which is not there`);
  }
  return { ...inspected, blobs: blobCount, damages, damageCount };
}

/** Left by a cloud that was killed it is no damage; anything else than ours is. */
async function checkCloudFile({ files }: DataDirectoryDependencies, folder: string): Promise<void> {
  const path = `${folder}/${cloudFileName}`;
  if (!(await files.exists(path))) return;
  try {
    await readCloudFile(files, folder, () => true);
  } catch (error) {
    if (!isThinglineError(error)) throw error;
    const message = `${error.message}; the next start writes it anew`;
    throw new ThinglineError("DATA_DIRECTORY_INVALID", message, { details: { path }, cause: error });
  }
}
