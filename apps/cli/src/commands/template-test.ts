import { createNodeFiles } from "@thingline/transport/node";
import type { CommandContext } from "../command.js";
import { readNameValues } from "../name-values.js";
import { tryTemplate } from "../templates/check.js";
import { planRows } from "../templates/plan-lines.js";
import { readTemplateFile } from "../templates/template-file.js";

interface TestOptions {
  type: "fleet" | "jitp" | "bulk";
  parameter?: string[];
}

const titleWidth = 22;

/** `thingline template test FILE --parameter name=value` */
export async function templateTest({ output, signal }: CommandContext, options: TestOptions, file = ""): Promise<void> {
  const parameters = readNameValues(options.parameter ?? [], "--parameter");
  const text = await readTemplateFile(createNodeFiles(), file, signal);
  const { template, plan } = await tryTemplate(text, { kind: options.type, file, parameters });
  const declared = new Set(template.parameters.map(({ name }) => name));
  const unused = Object.keys(parameters).filter((name) => !declared.has(name) && !name.startsWith("AWS::IoT::"));
  if (unused.length > 0) {
    const message = `not parameters of this template: ${unused.join(", ")}; only its hook would see them`;
    output.event({ event: "warning", message });
    output.complain({ kind: "warning", message });
  }
  output.event(
    { event: "templatePlan", file, type: options.type, parameters, plan },
    [
      `${output.paint.green("provisions")}  with ${file}:`,
      ...planRows(plan).map(([title, words]) => `  ${title.padEnd(titleWidth)}${output.wrap(words, titleWidth + 2)}`),
    ].join("\n"),
  );
}
