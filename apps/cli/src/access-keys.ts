import { stat } from "node:fs/promises";
import { checkAccessKeys, defaultAccessKey, type AccessKey } from "@thingline/cloud/node";
import { ThinglineError } from "@thingline/protocol";
import { createNodeFiles } from "@thingline/transport/node";

/** Names the file of `--access-keys` for every command, so that those that call the cloud sign with its first key. */
export const accessKeysVariable = "THINGLINE_ACCESS_KEYS";
export const accessKeysFileBytesMax = 256 * 1024;

/**
 * Reads a file of access keys, which hold secrets: nobody but its owner may read it. A key on the command line would show in the list of
 * processes, so there is no such option.
 *
 * @returns undefined when neither the option nor the variable names a file.
 * @throws {ThinglineError} OPTION_INVALID, FILE_NOT_FOUND, FILE_UNREADABLE, FILE_TOO_LARGE; never with a secret.
 */
export async function readAccessKeys(
  file: string | undefined,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<readonly AccessKey[] | undefined> {
  const path = file ?? environment[accessKeysVariable];
  if (path === undefined || path === "") return undefined;
  const option = file === undefined ? accessKeysVariable : "--access-keys";
  const invalid = (message: string) =>
    new ThinglineError("OPTION_INVALID", `${option}: ${message}`, { details: { option, path } });
  const bytes = await createNodeFiles().read(path, { bytesMax: accessKeysFileBytesMax });
  const { mode } = await stat(path);
  if (process.platform !== "win32" && (mode & 0o077) !== 0)
    throw invalid(`${path} holds secrets, and others may read it: chmod 600 ${path}`);
  return checkAccessKeys(parse(new TextDecoder().decode(bytes)), `${option}: ${path} `);

  function parse(text: string): unknown {
    try {
      return JSON.parse(text) as unknown;
    } catch {
      // The cause would quote the text.
      throw invalid(`${path} is no JSON: a list of {"accessKeyId": "...", "secretAccessKey": "..."} is expected`);
    }
  }
}

/** What a command signs with: an object of its own, since the AWS SDK writes into what it is given. */
export async function localAccessKey(): Promise<AccessKey> {
  const [first = defaultAccessKey] = (await readAccessKeys(undefined)) ?? [];
  return { ...first };
}
