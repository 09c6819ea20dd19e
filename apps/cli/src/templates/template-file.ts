import type { Files } from "@thingline/transport";
import { UsageError } from "../failure.js";
import { readTextFile } from "../text-file.js";

/** A template has at most 10,240 characters; a file of more bytes than this has no template that AWS takes. */
export const templateFileBytesMax = 64 * 1024;

/** The text of a template's file, as it stands. @throws {ThinglineError} FILE_NOT_FOUND, FILE_UNREADABLE, FILE_TOO_LARGE. */
export async function readTemplateFile(files: Files, file: string, signal: AbortSignal): Promise<string> {
  return readTextFile(files, file, { bytesMax: templateFileBytesMax, signal });
}

/** What a role, a hook and an account are called. */
export interface ArnPlace {
  aws: boolean;
  account: string | undefined;
  region: string;
}

/** The API wants a role; the local cloud acts on nobody's behalf, so any name does there. */
export function roleArn(given: string | undefined, { aws, account }: ArnPlace): string {
  if (given !== undefined) return given;
  if (!aws) return `arn:aws:iam::${account ?? ""}:role/thingline-provisioning`;
  throw new UsageError(
    "with --aws say --role-arn ROLE: the role by which AWS IoT makes things, with AWS's policy AWSIoTThingsRegistration",
  );
}

/** A hook by its ARN; at the local cloud also by the name of a function, as of `cloud start --function NAME=URL`. */
export function hookArn(hook: string, { aws, account, region }: ArnPlace): string {
  if (hook.startsWith("arn:")) return hook;
  if (aws) throw new UsageError(`with --aws a hook is the ARN of a Lambda function, got "${hook}"`);
  if (/^[A-Za-z0-9_-]{1,64}$/.test(hook)) return `arn:aws:lambda:${region}:${account ?? ""}:function:${hook}`;
  throw new UsageError(`a hook is the ARN of a function, or its name: 1 to 64 of A-Z a-z 0-9 _ -, got "${hook}"`);
}
