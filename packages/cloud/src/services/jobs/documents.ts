import { ThinglineError } from "@thingline/protocol";
import { parseS3Url, type ObjectsService } from "../objects/index.js";
import type { SagaContext, Scope } from "../operation.js";
import { fillPresignedUrls, jobDocumentCharactersMax } from "./document.js";
import { requireFilledSize } from "./message-size.js";
import { jobKeys, type JobDocumentRecord } from "./model.js";
import type { Job, JobsUnit } from "./unit.js";

/** How long a URL in a document can be used when the job does not say. */
export const presignedUrlSecondsDefault = 3_600;
/** The longest that a job may say, and no other is written with more digits. */
const presignedUrlSecondsMax = 3_600;

/** Where documents come from that are not in the request, and who signs the URLs in them. */
export interface JobDocuments {
  /** The text of the object at an S3 URL. @throws {ThinglineError} REQUEST_INVALID, RESOURCE_NOT_FOUND */
  read(run: SagaContext["run"], s3Url: string): Promise<string>;
  /** A URL by which a device gets the object of an S3 URL, for so long. @throws {ThinglineError} REQUEST_INVALID */
  presign(scope: Scope, s3Url: string, options: { expiresInSeconds: number; nowMs: number }): string;
}

/** A character of a document has at most so many bytes of UTF-8. */
const documentBytesMax = 3 * jobDocumentCharactersMax;

/** From the buckets of this cloud. */
export function objectDocuments(objects: Pick<ObjectsService, "operations" | "presignedUrl">): JobDocuments {
  return {
    async read(run, s3Url) {
      const { bytes, chunks } = await run(objects.operations.readObject, addressOf(s3Url));
      if (bytes > documentBytesMax) {
        throw invalid(`The job document at ${s3Url} has ${bytes} bytes, at most ${documentBytesMax} are allowed`);
      }
      const decoder = new TextDecoder("utf-8", { fatal: true });
      let text = "";
      for await (const chunk of chunks) text += decodeOrRefuse(() => decoder.decode(chunk, { stream: true }));
      return text + decodeOrRefuse(() => decoder.decode());
    },
    presign: (scope, s3Url, options) => objects.presignedUrl(scope, { ...addressOf(s3Url), ...options }),
  };
}

function addressOf(s3Url: string) {
  const address = parseS3Url(s3Url);
  if (address === undefined) throw invalid(`'${s3Url.slice(0, 300)}' is not the URL of an S3 object`);
  return address;
}

function decodeOrRefuse(decode: () => string): string {
  try {
    return decode();
  } catch (cause) {
    throw new ThinglineError("REQUEST_INVALID", "The job document is not text in UTF-8", { cause });
  }
}

const invalid = (message: string): ThinglineError => new ThinglineError("REQUEST_INVALID", message);

/** @throws {ThinglineError} REQUEST_INVALID for a URL that no device could be given */
export function checkS3Urls(s3Urls: readonly string[]): void {
  for (const s3Url of s3Urls) addressOf(s3Url);
}

/**
 * Refuses a document that has no room in a message with the longest URLs that it could be filled with.
 *
 * @throws {ThinglineError} REQUEST_INVALID; also for a URL that no device could be given
 */
export async function requireDocumentRoom(
  { scope, nowMs }: JobsUnit,
  document: string,
  documents: JobDocuments,
): Promise<void> {
  const options = { expiresInSeconds: presignedUrlSecondsMax, nowMs };
  requireFilledSize(await fillPresignedUrls(document, (s3Url) => documents.presign(scope, s3Url, options)));
}

/** The text of a job's document, as it was given; on request, before the parameters of a managed template were filled in. */
export async function storedDocument(
  unit: JobsUnit,
  jobId: string,
  options: { beforeSubstitution?: boolean | undefined } = {},
): Promise<string> {
  const { document = "{}", beforeSubstitution = document } =
    (await unit.store.get<JobDocumentRecord>(jobKeys.document(unit.scope, jobId)))?.value ?? {};
  return options.beforeSubstitution === true ? beforeSubstitution : document;
}

/** The document as a device gets it: URLs in it are signed anew each time. */
export async function documentOf(unit: JobsUnit, job: Job, documents: JobDocuments): Promise<string> {
  const text = await storedDocument(unit, job.jobId);
  const expiresInSeconds = job.definition.presignedUrlConfig?.expiresInSec ?? presignedUrlSecondsDefault;
  const options = { expiresInSeconds, nowMs: unit.nowMs };
  return fillPresignedUrls(text, (s3Url) => documents.presign(unit.scope, s3Url, options));
}
