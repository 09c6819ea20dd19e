import { isThinglineError } from "@thingline/protocol";
import type { Objects } from "../objects/index.js";
import { answer, type Operation, type SagaContext } from "../operation.js";
import { saga } from "../saga.js";
import type { WakeHandler } from "../wake-ups.js";
import { findVersion, packagesServiceName, type ObjectLocation } from "./model.js";
import { sbomFault } from "./sbom-document.js";
import {
  sbomArchiveBytesMax,
  sbomFileBytesMax,
  sbomFilesMax,
  sbomKeys,
  type SbomResult,
  type SbomValidation,
} from "./sbom-model.js";
import { readZip, unpack, type ZipEntry } from "./zip.js";

/** Where the archive of a validation is; undefined when there is nothing to do any more. */
const findValidation: Operation<{ id: string }, Required<ObjectLocation> | undefined> = async (context, { id }) => {
  const validation = await context.store.get<SbomValidation>(sbomKeys.validation(context.scope, id));
  if (validation === undefined) return answer(undefined);
  const { packageName, versionName } = validation.value;
  const sbom = (await findVersion(context, packageName, versionName))?.value.sbom;
  return answer(sbom?.id === id ? (sbom.location as Required<ObjectLocation>) : undefined);
};

const recordResults: Operation<{ id: string; results: readonly SbomResult[] }, void> = async (
  context,
  { id, results },
) => {
  const { store, scope } = context;
  const validation = await store.get<SbomValidation>(sbomKeys.validation(scope, id));
  if (validation === undefined) return answer(undefined);
  const { packageName, versionName } = validation.value;
  const done = { key: validation.key, expectedRevision: validation.revision, delete: true as const };
  const entry = await findVersion(context, packageName, versionName);
  const sbom = entry?.value.sbom;
  if (entry === undefined || sbom?.id !== id) return { result: undefined, operations: [done], effects: [] };
  const isGood = results.every(({ validationResult }) => validationResult === "SUCCEEDED");
  const value = { ...entry.value, sbom: { ...sbom, status: isGood ? ("SUCCEEDED" as const) : ("FAILED" as const) } };
  const operations = [
    done,
    { key: entry.key, expectedRevision: entry.revision, value },
    ...results.map((result, index) => ({
      key: sbomKeys.result(scope, packageName, versionName, index),
      value: result,
    })),
  ];
  return { result: undefined, operations, effects: [] };
};

type ReadObject = Objects["readObject"];

/** Wakes come again after a crash: what is recorded is not looked at a second time. */
export function sbomWake(readObject: ReadObject): WakeHandler {
  const validate = saga(packagesServiceName, async ({ run }: SagaContext, { id }: { id: string }): Promise<void> => {
    const location = await run(findValidation, { id });
    if (location !== undefined)
      await run(recordResults, { id, results: await validateArchive(run, readObject, location) });
  });
  return (scope, id, runner) => runner.run(scope, validate, { id });
}

async function validateArchive(
  run: SagaContext["run"],
  readObject: ReadObject,
  { bucket, key, version: versionId }: Required<ObjectLocation>,
): Promise<SbomResult[]> {
  const failed = (fault: string) => [refused(key, fault)];
  let archive: Uint8Array;
  try {
    const { bytes, chunks } = await run(readObject, { bucket, key, versionId });
    if (bytes > sbomArchiveBytesMax) return failed(`it has more than ${sbomArchiveBytesMax} bytes`);
    archive = new Uint8Array(bytes);
    let at = 0;
    for await (const chunk of chunks) {
      archive.set(chunk, at);
      at += chunk.length;
    }
  } catch (error) {
    if (!isThinglineError(error)) throw error;
    return failed(`it cannot be read: ${error.message}`);
  }
  const zip = readZip(archive, { entriesMax: sbomFilesMax });
  if ("fault" in zip) return failed(zip.fault);
  if (zip.entries.length === 0) return failed("it has no files");
  const results: SbomResult[] = [];
  for (const entry of zip.entries) results.push(await validateFile(entry));
  return results;
}

const refused = (
  fileName: string,
  errorMessage: string,
  errorCode: SbomResult["errorCode"] = "INCOMPATIBLE_FORMAT",
): SbomResult => ({ fileName, validationResult: "FAILED", errorCode, errorMessage });

async function validateFile(entry: ZipEntry): Promise<SbomResult> {
  const { name } = entry;
  if (entry.fault !== undefined) return refused(name, entry.fault);
  if (!name.toLowerCase().endsWith(".json")) return refused(name, "it is not called .json");
  const unpacked = await unpack(entry, { bytesMax: sbomFileBytesMax });
  if ("fault" in unpacked) {
    return refused(name, unpacked.fault, unpacked.isTooLarge === true ? "FILE_SIZE_LIMIT_EXCEEDED" : undefined);
  }
  const fault = sbomFault(unpacked.text);
  return fault === undefined ? { fileName: name, validationResult: "SUCCEEDED" } : refused(name, fault);
}
