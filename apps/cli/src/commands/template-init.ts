import { createNodeFiles } from "@thingline/transport/node";
import { ThinglineError } from "@thingline/protocol";
import type { CommandContext } from "../command.js";
import { commandLine } from "../invocation.js";
import { startingTemplate } from "../templates/starting-template.js";

interface InitOptions {
  type: "fleet" | "jitp";
  prefix: string;
  group?: string[];
  thingType?: string;
  policy?: string;
  force?: boolean;
}

/** `thingline template init [FILE]` */
export async function templateInit(
  { output }: CommandContext,
  options: InitOptions,
  file = "template.json",
): Promise<void> {
  const files = createNodeFiles();
  if (options.force !== true && (await files.exists(file))) {
    const message = `${file} is already there; name another file, or --force to replace it`;
    throw new ThinglineError("FILE_EXISTS", message, { details: { file } });
  }
  const { type, prefix, group: groups = [], thingType, policy } = options;
  const text = startingTemplate({ kind: type, prefix, groups, thingType, policy });
  await files.replace(file, new TextEncoder().encode(text), { mode: 0o644 });
  const parameter = type === "fleet" ? "SerialNumber=SN-1" : "AWS::IoT::Certificate::CommonName=SN-1";
  const policyText =
    policy === undefined ? "lets a device use its own topics; one for all" : `${policy}, which must exist`;
  output.event(
    { event: "templateWritten", file, type },
    [
      `${output.paint.green("written")}  ${file}`,
      `  thing        ${prefix}${type === "fleet" ? "<serial number>" : "<common name of its certificate>"}`,
      ...(thingType === undefined ? [] : [`  thing type   ${thingType}, which must exist`]),
      ...(groups.length === 0 ? [] : [`  groups       ${groups.join(", ")}, which must exist`]),
      `  policy       ${policyText}`,
      "",
      "Next, see what it comes to, and make it known:",
      `  ${commandLine(["template", "test", file, ...(type === "fleet" ? [] : ["--type", type]), "--parameter", parameter])}`,
      ...groups.map((group) => `  ${commandLine(["group", "create", group])}`),
      `  ${commandLine(["template", "create", "NAME", file, ...(type === "fleet" ? [] : ["--type", type])])}`,
    ].join("\n"),
  );
}
