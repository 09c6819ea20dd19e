import { existsSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";

const output = /(\.d)?\.(js|ts)(\.map)?$/;

/**
 * Removes what the compiler once made of sources that were moved or deleted: it would be packed, and found by whoever imports the old name.
 *
 * @param folder of a package, with `src` and `dist`
 * @returns {string[]} what went, below `dist`
 */
export function removeOrphans(folder) {
  const dist = join(folder, "dist");
  if (!existsSync(dist)) return [];
  const gone = [];
  for (const file of readdirSync(dist, { recursive: true })) {
    const stem = output.test(file) ? file.replace(output, "") : undefined;
    if (
      stem === undefined ||
      ["ts", "tsx", "js"].some((ending) => existsSync(join(folder, "src", `${stem}.${ending}`)))
    ) {
      continue;
    }
    rmSync(join(dist, file));
    gone.push(file);
  }
  for (const room of new Set(gone.map(dirname))) {
    if (room !== "." && readdirSync(join(dist, room)).length === 0) rmSync(join(dist, room), { recursive: true });
  }
  return gone;
}
