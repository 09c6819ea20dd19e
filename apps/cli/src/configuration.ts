import { readFile } from "node:fs/promises";
import { ThinglineError } from "@thingline/protocol";
import {
  awsIotSettings,
  formatKconfigProblem,
  loadKconfig,
  type AwsIotSettings,
  type Kconfig,
  type KconfigEntry,
} from "@thingline/protocol/kconfig";
import type { Output } from "./output.js";
import { escapeControls } from "./terminal-text.js";

/**
 * Reads Kconfig fragments, later ones over earlier ones. Warnings are shown; with `verbose` every assignment is, with the file
 * that won.
 *
 * @throws {ThinglineError} KCONFIG_INVALID with all that is wrong, FILE_NOT_FOUND, FILE_UNREADABLE.
 */
export async function readConfiguration(
  output: Output,
  options: { conf: readonly string[]; verbose?: boolean },
): Promise<{ config: Kconfig; settings: AwsIotSettings }> {
  const fragments = await Promise.all(options.conf.map(async (file) => ({ file, text: await readTextFile(file) })));
  const { config, warnings } = loadKconfig(fragments);
  for (const warning of warnings) {
    const { origin, name, message } = warning;
    output.event({ event: "warning", file: origin.file, line: origin.line, name, message });
    output.complain({ kind: "warning", message: formatKconfigProblem(warning) });
  }
  if (options.verbose === true) showEntries(output, config);
  return { config, settings: awsIotSettings(config) };
}

/** @throws {ThinglineError} FILE_NOT_FOUND, FILE_UNREADABLE */
export async function readTextFile(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    const systemCode = cause instanceof Error && "code" in cause ? String(cause.code) : "";
    const code = systemCode === "ENOENT" ? "FILE_NOT_FOUND" : "FILE_UNREADABLE";
    const message = code === "FILE_NOT_FOUND" ? `there is no "${file}"` : `cannot read "${file}": ${systemCode}`;
    throw new ThinglineError(code, message, { details: { file, systemCode }, cause });
  }
}

const groups: readonly { title: string; fits: (entry: KconfigEntry) => boolean }[] = [
  { title: "in effect", fits: ({ isKnown, withoutEffect }) => isKnown && withoutEffect === undefined },
  { title: "checked; for firmware updates, which come in a later version", fits: (e) => e.withoutEffect === "fota" },
  { title: "checked; of use to a firmware build only", fits: (e) => e.withoutEffect === "build" },
  { title: "kept; not Thingline's", fits: ({ isKnown }) => !isKnown },
];

function showEntries(output: Output, config: Kconfig): void {
  const entries = [...config.entries()].sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const { title, fits } of groups) {
    const members = entries.filter(fits);
    if (members.length === 0) continue;
    if (!output.isJson) output.say(output.paint.bold(title));
    for (const { name, raw, origin, overridden, isKnown, withoutEffect } of members) {
      const where = `${origin.file}:${origin.line}`;
      const before = overridden.map(({ file, line }) => `${file}:${line}`);
      output.event(
        { event: "kconfig", name, raw, ...origin, overridden, isKnown, ...(withoutEffect && { withoutEffect }) },
        escapeControls(`  CONFIG_${name}=${raw}  ${where}${before.length === 0 ? "" : `, over ${before.join(", ")}`}`),
      );
    }
  }
}
