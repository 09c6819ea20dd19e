import { isThinglineError, ThinglineError } from "@thingline/protocol";
import { jobIdCharactersMax } from "@thingline/protocol/jobs";
import type { CreateOTAUpdateRequest, OTAUpdateFile } from "../../model/types/iot.js";
import { awsOperation, type InputOf } from "../aws-operation.js";
import type { Jobs } from "../jobs/index.js";
import { answer, type OperationContext } from "../operation.js";
import { lastName, readPage } from "../page.js";
import type { Stored } from "../stored.js";
import { tagsGone, tagsOfNew } from "../tags/index.js";
import { unless } from "../unless.js";
import { otaDocument, type DocumentFile } from "./document.js";
import { resolveFiles, type FileSources } from "./files.js";
import { jobIdOf, otaKeys, otaUpdateArn, requireUpdate, streamIdOf, type OtaUpdateRecord } from "./model.js";

export interface OtaDependencies extends FileSources {
  jobs: Pick<Jobs, "createJobWithDocument" | "deleteJob">;
}

export type OtaUpdates = ReturnType<typeof createOtaUpdates>;

const createMembers = [
  ...(["otaUpdateId", "description", "targets", "protocols", "targetSelection", "roleArn"] as const),
  "awsJobExecutionsRolloutConfig.maximumPerMinute",
  "awsJobExecutionsRolloutConfig.exponentialRate.baseRatePerMinute",
  "awsJobExecutionsRolloutConfig.exponentialRate.incrementFactor",
  "awsJobExecutionsRolloutConfig.exponentialRate.rateIncreaseCriteria.numberOfNotifiedThings",
  "awsJobExecutionsRolloutConfig.exponentialRate.rateIncreaseCriteria.numberOfSucceededThings",
  "awsJobPresignedUrlConfig.expiresInSec",
  ...(["awsJobAbortConfig.abortCriteriaList.failureType", "awsJobAbortConfig.abortCriteriaList.action"] as const),
  "awsJobAbortConfig.abortCriteriaList.thresholdPercentage",
  "awsJobAbortConfig.abortCriteriaList.minNumberOfExecutedThings",
  "awsJobTimeoutConfig.inProgressTimeoutInMinutes",
  ...(["files.fileName", "files.fileType", "files.fileVersion", "files.attributes"] as const),
  ...(["files.fileLocation.stream.streamId", "files.fileLocation.stream.fileId"] as const),
  ...(["files.fileLocation.s3Location.bucket", "files.fileLocation.s3Location.key"] as const),
  "files.fileLocation.s3Location.version",
  "files.codeSigning.customCodeSigning.signature.inlineDocument",
  "files.codeSigning.customCodeSigning.certificateChain.certificateName",
  "files.codeSigning.customCodeSigning.certificateChain.inlineDocument",
  "files.codeSigning.customCodeSigning.hashAlgorithm",
  "files.codeSigning.customCodeSigning.signatureAlgorithm",
  ...(["additionalParameters", "tags.Key", "tags.Value"] as const),
] as const;

/** In seconds, as AWS has it for URLs of a job. */
const urlSeconds = { min: 60, max: 3_600 } as const;

/** OTA updates of FreeRTOS: a stream and a job in one call. */
export function createOtaUpdates({ jobs, streams, objects }: OtaDependencies) {
  const decideCreate = async (context: OperationContext, input: InputOf<"iot", "CreateOTAUpdate">) => {
    const { scope, store, nowMs, random } = context;
    const { otaUpdateId, description, targets, roleArn, protocols = ["MQTT"] } = input;
    const key = otaKeys.update(scope, otaUpdateId);
    if ((await store.get(key)) !== undefined) {
      const details = { resourceId: otaUpdateId, resourceArn: otaUpdateArn(scope, otaUpdateId) };
      throw new ThinglineError("RESOURCE_EXISTS", `OTA update ${otaUpdateId} already exists`, { details });
    }
    requireShort(jobIdOf(otaUpdateId));
    requireDifferent(protocols);
    const { files, streamId: givenStreamId } = await resolveFiles(context, input.files, { streams, objects });
    const isStreamed = protocols.includes("MQTT");
    const madeStreamId = isStreamed && givenStreamId === undefined ? streamIdOf(random.uuid()) : undefined;
    if (madeStreamId !== undefined) {
      await context.call(streams.addStream, {
        streamId: madeStreamId,
        files: files.map(streamFile),
        roleArn,
        otaUpdateId,
      });
    }
    const streamId = isStreamed ? (madeStreamId ?? givenStreamId) : undefined;
    const document = otaDocument({ protocols, streamId, files, region: scope.region });
    const job = await context.call(jobs.createJobWithDocument, {
      ...{ jobId: jobIdOf(otaUpdateId), targets, document },
      ...(description !== undefined && { description }),
      ...jobSettings(input),
    });
    const value: OtaUpdateRecord = {
      ...keptOf(input),
      ...{ targets, protocols, files: input.files.map(storedFile), roleArn, createdAtMs: nowMs },
      ...{ jobId: job.jobId, jobArn: job.jobArn },
      ...(madeStreamId !== undefined && { madeStreamId }),
    };
    const result = {
      ...{ otaUpdateId, awsIotJobId: job.jobId, awsIotJobArn: job.jobArn },
      ...{ otaUpdateArn: otaUpdateArn(scope, otaUpdateId), otaUpdateStatus: "CREATE_COMPLETE" as const },
    };
    // They are the update's own, as AWS has it: the job and the stream have none.
    const operations = [{ key, expectedRevision: 0, value }, ...tagsOfNew(key, input.tags)];
    return { result, operations, effects: [] };
  };

  const createOTAUpdate = awsOperation("iot", "CreateOTAUpdate", createMembers, decideCreate);

  const getOTAUpdate = awsOperation("iot", "GetOTAUpdate", ["otaUpdateId"], async (context, { otaUpdateId }) => {
    const { value: update } = await requireUpdate(context, otaUpdateId);
    const { createdAtMs, files, jobId, jobArn, roleArn: _role, madeStreamId: _stream, ...asGiven } = update;
    const { awsJobAbortConfig: _abort, awsJobTimeoutConfig: _timeout, ...told } = asGiven;
    return answer({
      otaUpdateInfo: {
        ...{ otaUpdateId, otaUpdateArn: otaUpdateArn(context.scope, otaUpdateId), ...told },
        ...{ creationDate: createdAtMs / 1_000, lastModifiedDate: createdAtMs / 1_000 },
        ...{ otaUpdateFiles: files, otaUpdateStatus: "CREATE_COMPLETE" as const },
        ...{ awsIotJobId: jobId, awsIotJobArn: jobArn },
      },
    });
  });

  const listOTAUpdates = awsOperation(
    "iot",
    "ListOTAUpdates",
    ["maxResults", "nextToken", "otaUpdateStatus"],
    async ({ scope, store }, { maxResults, nextToken: token, otaUpdateStatus = "CREATE_COMPLETE" }) => {
      const { entries, nextToken } = await readPage<OtaUpdateRecord>(store, {
        ...{ prefix: otaKeys.updates(scope), token, size: maxResults },
        // An update is complete as soon as it is there.
        matches: () => otaUpdateStatus === "CREATE_COMPLETE",
      });
      const otaUpdates = entries.map(({ key, value }) => ({
        otaUpdateId: lastName(key),
        otaUpdateArn: otaUpdateArn(scope, lastName(key)),
        creationDate: value.createdAtMs / 1_000,
      }));
      return answer({ otaUpdates, ...(nextToken !== undefined && { nextToken }) });
    },
  );

  const deleteOTAUpdate = awsOperation(
    "iot",
    "DeleteOTAUpdate",
    ["otaUpdateId", "deleteStream", "forceDeleteAWSJob"],
    async (context, { otaUpdateId, deleteStream = false, forceDeleteAWSJob: force = false }) => {
      const { key, revision, value: update } = await requireUpdate(context, otaUpdateId);
      await deleteJobOf(context, update, force);
      const { madeStreamId: streamId } = update;
      if (streamId !== undefined) {
        await unless("RESOURCE_NOT_FOUND", async () => {
          if (deleteStream) await context.call(streams.deleteStreamOf, { streamId, otaUpdateId });
          else await context.call(streams.leaveStream, { streamId });
        });
      }
      const operations = [{ key, expectedRevision: revision, delete: true as const }, tagsGone(key)];
      return { result: {}, operations, effects: [] };
    },
  );

  /** It may have been deleted by itself. @throws {ThinglineError} REQUEST_INVALID for one that is not over, unless forced */
  const deleteJobOf = async (context: OperationContext, { jobId }: OtaUpdateRecord, force: boolean): Promise<void> => {
    try {
      await unless("RESOURCE_NOT_FOUND", () => context.call(jobs.deleteJob, { jobId, force }));
    } catch (error) {
      if (!isThinglineError(error, "JOB_STATE_INVALID")) throw error;
      throw new ThinglineError("REQUEST_INVALID", error.message, { cause: error });
    }
  };

  return { createOTAUpdate, getOTAUpdate, listOTAUpdates, deleteOTAUpdate };
}

/** The id of an update may be longer than any device can name in a topic of jobs. */
function requireShort(jobId: string): void {
  if (jobId.length <= jobIdCharactersMax) return;
  const message = `The job of the OTA update would be called ${jobId}: the id of a job has at most ${jobIdCharactersMax} characters`;
  throw new ThinglineError("REQUEST_INVALID", message, { details: { jobIdCharactersMax } });
}

function requireDifferent(protocols: readonly string[]): void {
  if (new Set(protocols).size === protocols.length) return;
  throw new ThinglineError("REQUEST_INVALID", "A protocol is given twice");
}

const streamFile = ({ fileId, address: { bucket, key, versionId } }: DocumentFile) => ({
  fileId,
  s3Location: { bucket, key, ...(versionId !== undefined && { version: versionId }) },
});

/** As jobs have them. @throws {ThinglineError} REQUEST_INVALID */
function jobSettings(input: CreateOTAUpdateRequest) {
  const { awsJobPresignedUrlConfig, awsJobExecutionsRolloutConfig, awsJobAbortConfig, awsJobTimeoutConfig } = input;
  const expiresInSec = awsJobPresignedUrlConfig?.expiresInSec;
  if (expiresInSec !== undefined && !(expiresInSec >= urlSeconds.min && expiresInSec <= urlSeconds.max)) {
    throw new ThinglineError("REQUEST_INVALID", `expiresInSec must be ${urlSeconds.min} to ${urlSeconds.max}`);
  }
  return {
    presignedUrlConfig: { roleArn: input.roleArn, ...(expiresInSec !== undefined && { expiresInSec }) },
    ...(input.targetSelection !== undefined && { targetSelection: input.targetSelection }),
    ...(awsJobExecutionsRolloutConfig !== undefined && { jobExecutionsRolloutConfig: awsJobExecutionsRolloutConfig }),
    ...(awsJobAbortConfig !== undefined && { abortConfig: { criteriaList: awsJobAbortConfig.abortCriteriaList } }),
    ...(awsJobTimeoutConfig !== undefined && { timeoutConfig: awsJobTimeoutConfig }),
  };
}

function keptOf(input: CreateOTAUpdateRequest) {
  const { description, targetSelection, awsJobExecutionsRolloutConfig, awsJobPresignedUrlConfig } = input;
  const { awsJobAbortConfig, awsJobTimeoutConfig, additionalParameters } = input;
  return {
    ...(description !== undefined && { description }),
    ...(targetSelection !== undefined && { targetSelection }),
    ...(awsJobExecutionsRolloutConfig !== undefined && { awsJobExecutionsRolloutConfig }),
    ...(awsJobPresignedUrlConfig !== undefined && { awsJobPresignedUrlConfig }),
    ...(awsJobAbortConfig !== undefined && { awsJobAbortConfig }),
    ...(awsJobTimeoutConfig !== undefined && { awsJobTimeoutConfig }),
    ...(additionalParameters !== undefined && { additionalParameters }),
  };
}

const storedFile = (file: OTAUpdateFile): Stored<OTAUpdateFile> => file;
