import { ThinglineError } from "@thingline/protocol";
import { checkPackagePlaceholders, hasPackagePlaceholders } from "./package-placeholders.js";

// Job documents are kept as the text that was given, and placeholders are replaced in the text: so a device gets every number and every
// blank as they were written.

/** AWS counts characters, not bytes. */
export const jobDocumentCharactersMax = 32_768;
/** Objects and lists within each other. Ours: AWS states none. */
export const jobDocumentDepthMax = 100;
/** Placeholders in one document; each is a URL to sign at each fetch. Ours: AWS states none. */
export const jobDocumentPlaceholdersMax = 100;

/** What AWS replaces, and this cloud cannot: a document with one is refused by its name rather than handed out with a hole. */
const refusedPlaceholders = ["code-sign-signature"];

/** `${aws:iot:NAME:REST}`. No part of it can hold a closing brace, so the search is linear. */
const placeholder = /\$\{aws:iot:([a-z0-9-]+):([^}]*)\}/g;
const isPresigned = (name: string) => name === "s3-presigned-url" || name === "s3-presigned-url-v2";

const invalid = (message: string) => new ThinglineError("REQUEST_INVALID", message);

/** What is to be known of a document before it is taken. */
export interface JobDocumentFacts {
  /** S3 URLs of the placeholders for presigned URLs, each once, in order. */
  presignedUrls: readonly string[];
}

/**
 * Checks the document of a new job or template.
 *
 * @throws {ThinglineError} REQUEST_INVALID for what is too long or no JSON object, and for placeholders that this cloud cannot replace
 * @see AWS IoT developer guide, "Create and manage jobs"
 */
export function checkJobDocument(text: string): JobDocumentFacts {
  if (text.length > jobDocumentCharactersMax) {
    throw invalid(`The job document has ${text.length} characters, at most ${jobDocumentCharactersMax} are allowed`);
  }
  if (hasPackagePlaceholders(text)) checkPackagePlaceholders(text);
  return checkFilledDocument(text);
}

/** The same for a document that has got longer by what its placeholders for packages became. */
export function checkFilledDocument(text: string): JobDocumentFacts {
  checkDepth(parseObject(text));
  const urls = new Set<string>();
  let count = 0;
  for (const [whole, name = "", rest = ""] of text.matchAll(placeholder)) {
    if (++count > jobDocumentPlaceholdersMax) {
      throw invalid(`The job document has more than ${jobDocumentPlaceholdersMax} placeholders`);
    }
    if (refusedPlaceholders.includes(name)) {
      throw invalid(`The placeholder '${whole}' is not supported by the local cloud`);
    }
    if (isPresigned(name)) urls.add(unescape(rest, whole));
  }
  return { presignedUrls: [...urls] };
}

function parseObject(text: string): object {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (cause) {
    throw new ThinglineError("REQUEST_INVALID", "The job document is not valid JSON", { cause });
  }
  if (typeof document !== "object" || document === null || Array.isArray(document)) {
    throw invalid("The job document must be a JSON object");
  }
  return document;
}

function checkDepth(document: object): void {
  let level: readonly object[] = [document];
  for (let depth = 1; level.length > 0; depth++) {
    if (depth > jobDocumentDepthMax) {
      throw invalid(`The job document is nested more than ${jobDocumentDepthMax} levels deep`);
    }
    level = level
      .flatMap((node): unknown[] => Object.values(node))
      .filter((value): value is object => typeof value === "object" && value !== null);
  }
}

/** What a string of JSON text says, without its quotes. */
function unescape(jsonText: string, whole: string): string {
  try {
    return JSON.parse(`"${jsonText}"`) as string;
  } catch (cause) {
    throw new ThinglineError("REQUEST_INVALID", `The placeholder '${whole}' is cut by a quote`, { cause });
  }
}

const escape = (value: string) => JSON.stringify(value).slice(1, -1);

/**
 * The document as a device gets it: each placeholder for a presigned URL replaced by what `presign` makes of its S3 URL, which is asked
 * once for each. Others stay as they are.
 *
 * @param text one that {@link checkJobDocument} took
 */
export async function fillPresignedUrls(
  text: string,
  presign: (s3Url: string) => string | Promise<string>,
): Promise<string> {
  const filled = new Map<string, string>();
  for (const [whole, name = "", rest = ""] of text.matchAll(placeholder)) {
    if (isPresigned(name) && !filled.has(whole)) filled.set(whole, escape(await presign(unescape(rest, whole))));
  }
  return filled.size === 0 ? text : text.replace(placeholder, (whole) => filled.get(whole) ?? whole);
}

/**
 * The document with `${aws:iot:parameter:<name>}` replaced by the parameters of a managed template. One that was left out becomes empty
 * text.
 */
export function fillParameters(text: string, parameters: Readonly<Record<string, string>>): string {
  const given = new Map(Object.entries(parameters));
  return text.replace(placeholder, (whole: string, name: string, parameter: string) =>
    name === "parameter" ? escape(given.get(parameter) ?? "") : whole,
  );
}
