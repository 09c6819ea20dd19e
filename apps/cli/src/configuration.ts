import {
  awsIotSettings,
  formatKconfigProblem,
  kconfigFileCharactersMax,
  loadKconfig,
  type AwsIotSettings,
  type Kconfig,
  type KconfigEntry,
} from "@thingline/protocol/kconfig";
import type { Files } from "@thingline/transport";
import type { Output } from "./output.js";
import { escapeControls } from "./terminal-text.js";
import { readTextFile } from "./text-file.js";

/**
 * Reads Kconfig fragments, later ones over earlier ones. Warnings are shown; with `verbose` every assignment is, with the file
 * that won.
 *
 * @throws {ThinglineError} KCONFIG_INVALID with all that is wrong, FILE_NOT_FOUND, FILE_UNREADABLE, FILE_TOO_LARGE.
 */
export async function readConfiguration(
  output: Output,
  { files, signal }: { files: Files; signal: AbortSignal },
  options: { conf: readonly string[]; verbose?: boolean },
): Promise<{ config: Kconfig; settings: AwsIotSettings }> {
  const fragments: { file: string; text: string }[] = [];
  for (const file of options.conf) {
    const text = await readTextFile(files, file, { bytesMax: kconfigFileCharactersMax, signal });
    fragments.push({ file, text });
  }
  const { config, warnings } = loadKconfig(fragments);
  for (const warning of warnings) {
    const { origin, name, message } = warning;
    output.event({ event: "warning", file: origin.file, line: origin.line, name, message });
    output.complain({ kind: "warning", message: formatKconfigProblem(warning) });
  }
  if (options.verbose === true) showEntries(output, config);
  return { config, settings: awsIotSettings(config) };
}

/**
 * The default of the option is what an nRF91 has memory for. TLS in the application is there for larger messages, so it takes what
 * AWS IoT Core sends unless the configuration says otherwise.
 */
export function receivedPayloadBytesMax(config: Kconfig, settings: AwsIotSettings, isNativeTls: boolean): number {
  const isSet = config.origin("AWS_IOT_MQTT_PAYLOAD_BUFFER_LEN") !== undefined;
  return isSet || !isNativeTls ? settings.payloadBytesMax : awsPayloadBytesMax;
}

/** AWS IoT Core's quota for one message. */
const awsPayloadBytesMax = 131_072;

const groups: readonly { title: string; fits: (entry: KconfigEntry) => boolean }[] = [
  { title: "in effect", fits: ({ isKnown, withoutEffect }) => isKnown && withoutEffect === undefined },
  { title: "checked; firmware updates have bounds of their own here", fits: (e) => e.withoutEffect === "fota" },
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
