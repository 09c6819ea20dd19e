import { isThinglineError } from "@thingline/protocol";
import type { Files } from "./files.js";

const ignoreFileName = ".gitignore";
/** Ours by its name, whichever command makes it first. */
const ownFolderName = ".thingline";

/**
 * Makes a folder for private keys. One that was not there gets a `.gitignore` of its own, so that no `git add` takes a key along; a folder
 * that was there is somebody's, and stays as it is.
 */
export async function makePrivateFolder(files: Files, folder: string): Promise<void> {
  const made: string[] = [];
  for (let at = folder, isLeaf = true; !(await files.exists(at)); isLeaf = false) {
    if (isLeaf || baseOf(at) === ownFolderName) made.push(at);
    const parent = parentOf(at);
    if (parent === undefined) break;
    at = parent;
  }
  await files.makeFolder(folder);
  for (const each of made) {
    await files
      .replace(`${each}/${ignoreFileName}`, new TextEncoder().encode("*\n"), { mode: 0o600 })
      .catch((error: unknown) => {
        // A full disk is told by the write of what the folder is for; this file is no reason to fail.
        if (!isThinglineError(error, "FILE_UNREADABLE")) throw error;
      });
  }
}

function parentOf(path: string): string | undefined {
  const end = path.replace(/[/\\]+$/u, "").search(/[/\\][^/\\]*$/u);
  return end <= 0 ? undefined : path.slice(0, end);
}

function baseOf(path: string): string {
  return /[^/\\]*$/u.exec(path.replace(/[/\\]+$/u, ""))?.[0] ?? "";
}
