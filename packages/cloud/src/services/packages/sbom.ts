import { isThinglineError, ThinglineError } from "@thingline/protocol";
import type { StoreOperation } from "../../store/store.js";
import { awsOperation } from "../aws-operation.js";
import type { Objects } from "../objects/index.js";
import { answer, type OperationContext } from "../operation.js";
import { readPage } from "../page.js";
import { invalid, requireVersion, type ObjectLocation, type PackageVersionRecord, type Reader } from "./model.js";
import {
  sbomArchiveBytesMax,
  sbomFilesMax,
  sbomKeys,
  sbomValidationsMax,
  wakeForSbom,
  type SbomResult,
  type SbomValidation,
} from "./sbom-model.js";

// Bills of materials of package versions. Texts of refusals are AWS's: developer guide, "Software Package Catalog Troubleshooting".

type HeadObject = Objects["headObject"];

/** In AWS's limits for S3. */
const textMax = { bucket: 63, key: 1_024, version: 1_024 } as const;
const labels = { bucket: "bucket name", key: "key name", version: "object version" } as const;

function readLocation(location: Partial<ObjectLocation> | undefined): Required<ObjectLocation> {
  if (location === undefined) throw invalid("Associate request needs to include SBOM reference");
  const read = (name: keyof typeof labels): string => {
    const text = location[name];
    if (text === undefined) throw invalid(`S3 ${labels[name]} for SBOM cannot be null`);
    if (text.length <= textMax[name]) return text;
    throw invalid(`S3 ${labels[name]} for SBOM is illegal. String length exceeds limit`);
  };
  return { bucket: read("bucket"), key: read("key"), version: read("version") };
}

async function requireArchive(
  context: OperationContext,
  headObject: HeadObject,
  { bucket, key, version: versionId }: Required<ObjectLocation>,
): Promise<void> {
  let bytes: number;
  try {
    ({ bytes } = await context.call(headObject, { bucket, key, versionId }));
  } catch (cause) {
    if (!isThinglineError(cause, "RESOURCE_NOT_FOUND")) throw cause;
    const what = { NoSuchBucket: "bucket", NoSuchKey: "key" }[String(cause.details["s3Code"])] ?? "bucket/key/version";
    const message = `SBOM not accessible by the service. Please make sure the ${what} exists and S3 permission is granted.`;
    throw new ThinglineError("REQUEST_INVALID", message, { cause });
  }
  if (bytes > sbomArchiveBytesMax) throw invalid("S3 object file size exceeds limit");
}

/** Its files are looked at afterwards: the answer says IN_PROGRESS. */
export function associateSbomOperation(headObject: HeadObject) {
  return awsOperation(
    "iot",
    "AssociateSbomWithPackageVersion",
    [
      ...(["packageName", "versionName", "clientToken"] as const),
      ...(["sbom.s3Location.bucket", "sbom.s3Location.key", "sbom.s3Location.version"] as const),
    ],
    async (context, input) => {
      const { store, scope, nowMs, random } = context;
      const { packageName, versionName, clientToken } = input;
      const { key, value: before, revision } = await requireVersion(context, input);
      const location = readLocation(input.sbom.s3Location);
      const named = { packageName, versionName, sbom: { s3Location: location } };
      const isAgain = clientToken !== undefined && clientToken === before.sbomToken;
      if (isAgain && before.sbom !== undefined) {
        const { location: known, status } = before.sbom;
        return answer({ ...named, sbom: { s3Location: known }, sbomValidationStatus: status });
      }
      await requireArchive(context, headObject, location);
      const ongoing = await store.list(sbomKeys.validations(scope), { limit: sbomValidationsMax });
      if (ongoing.length >= sbomValidationsMax) {
        const message = "Too many ongoing SBOM validation workflows. Please wait and retry";
        throw new ThinglineError("QUOTA_EXCEEDED", message, { details: { sbomValidationsMax } });
      }
      const id = random.uuid();
      const validation: SbomValidation = { packageName, versionName };
      const value: PackageVersionRecord = {
        ...before,
        sbom: { location, status: "IN_PROGRESS", id },
        ...(clientToken !== undefined && { sbomToken: clientToken }),
        modifiedAtMs: nowMs,
      };
      return {
        result: { ...named, sbomValidationStatus: "IN_PROGRESS" as const },
        operations: [
          { key, expectedRevision: revision, value },
          { key: sbomKeys.validation(scope, id), expectedRevision: 0, value: validation },
          ...(await sbomGone(context, before)),
        ],
        effects: [wakeForSbom(id, nowMs)],
      };
    },
  );
}

/** For a commit by which a version has its bill no more: what was found out of it, and a validation that is under way. */
export async function sbomGone(
  { store, scope }: Reader,
  { packageName, versionName, sbom }: PackageVersionRecord,
): Promise<StoreOperation[]> {
  if (sbom === undefined) return [];
  const results = await store.list(sbomKeys.results(scope, packageName, versionName), { limit: sbomFilesMax + 1 });
  return [
    ...results.map(({ key }) => ({ key, delete: true as const })),
    { key: sbomKeys.validation(scope, sbom.id), delete: true as const },
  ];
}

export const disassociateSbom = awsOperation(
  "iot",
  "DisassociateSbomFromPackageVersion",
  ["packageName", "versionName", "clientToken"],
  async (context, input) => {
    const { key, value: before, revision } = await requireVersion(context, input);
    const { sbom, sbomToken: _made, ...rest } = before;
    if (sbom === undefined) {
      const message = `Version ${input.versionName} of package ${input.packageName} has no SBOM`;
      throw new ThinglineError("RESOURCE_NOT_FOUND", message);
    }
    const value: PackageVersionRecord = { ...rest, modifiedAtMs: context.nowMs };
    const operations = [{ key, expectedRevision: revision, value }, ...(await sbomGone(context, before))];
    return { result: {}, operations, effects: [] };
  },
);

export const listSbomValidationResults = awsOperation(
  "iot",
  "ListSbomValidationResults",
  ["packageName", "versionName", "validationResult", "maxResults", "nextToken"],
  async (context, { packageName, versionName, validationResult, maxResults, nextToken: token }) => {
    const { store, scope } = context;
    const { entries, nextToken } = await readPage<SbomResult>(store, {
      ...{ prefix: sbomKeys.results(scope, packageName, versionName), token, size: maxResults },
      ...(validationResult !== undefined && { matches: ({ value }) => value.validationResult === validationResult }),
    });
    if (entries.length === 0) await requireVersion(context, { packageName, versionName });
    return answer({
      validationResultSummaries: entries.map(({ value }) => value),
      ...(nextToken !== undefined && { nextToken }),
    });
  },
);
