import { createNodeFiles } from "@thingline/transport/node";
import type { CommandContext } from "../command.js";
import { UsageError } from "../failure.js";
import { commandLine } from "../invocation.js";
import { checkTemplate } from "../templates/check.js";
import { readTemplateFile } from "../templates/template-file.js";
import { openTemplates, placeWords, type PlaceOptions } from "./template.js";
import { versionFacts, versionLine } from "./template-show.js";

interface CreateOptions extends PlaceOptions {
  setDefault?: boolean;
  unchecked?: boolean;
}

/** `thingline template version create NAME FILE` */
export async function versionCreate(
  context: CommandContext,
  options: CreateOptions,
  templateName = "",
  file = "",
): Promise<void> {
  const { output, signal } = context;
  const templateBody = await readTemplateFile(createNodeFiles(), file, signal);
  const { plane, client, sdk, send } = await openTemplates(context, options);
  if (options.unchecked !== true) {
    const { type } = await client.send(new sdk.DescribeProvisioningTemplateCommand({ templateName }), send);
    await checkTemplate(templateBody, { kind: type === "JITP" ? "jitp" : "fleet", file });
  }
  const setAsDefault = options.setDefault === true;
  const command = new sdk.CreateProvisioningTemplateVersionCommand({ templateName, templateBody, setAsDefault });
  const { versionId = 0, isDefaultVersion = false } = await client.send(command, send);
  const words = ["template", "version", "default", templateName, String(versionId), ...placeWords(options)];
  output.event(
    { event: "versionCreated", templateName, versionId, isDefault: isDefaultVersion },
    [
      `${output.paint.green("created")} version ${versionId} of ${templateName} in the ${plane.description}`,
      ...(isDefaultVersion
        ? ["  it is the default now: devices are provisioned by it"]
        : ["", "Next, have devices provisioned by it:", `  ${commandLine(words)}`]),
    ].join("\n"),
  );
}

/** `thingline template version list NAME` */
export async function versionList(context: CommandContext, options: PlaceOptions, templateName = ""): Promise<void> {
  const { output } = context;
  const { client, sdk, send } = await openTemplates(context, options);
  for await (const page of sdk.paginateListProvisioningTemplateVersions({ client }, { templateName }, send)) {
    for (const version of page.versions ?? []) {
      output.event({ event: "templateVersion", templateName, ...versionFacts(version) }, versionLine(version));
    }
    await output.drained();
  }
}

/** `thingline template version default NAME VERSION` */
export async function versionDefault(
  context: CommandContext,
  options: PlaceOptions,
  templateName = "",
  version = "",
): Promise<void> {
  const { output } = context;
  const defaultVersionId = readVersion(version);
  const { plane, client, sdk, send } = await openTemplates(context, options);
  await client.send(new sdk.UpdateProvisioningTemplateCommand({ templateName, defaultVersionId }), send);
  output.event(
    { event: "templateUpdated", templateName, changes: { defaultVersionId } },
    `version ${defaultVersionId} of ${templateName} is the ${output.paint.green("default")} now in the ${plane.description}`,
  );
}

/** `thingline template version delete NAME VERSION` */
export async function versionDelete(
  context: CommandContext,
  options: PlaceOptions,
  templateName = "",
  version = "",
): Promise<void> {
  const { output } = context;
  const versionId = readVersion(version);
  const { plane, client, sdk, send } = await openTemplates(context, options);
  await client.send(new sdk.DeleteProvisioningTemplateVersionCommand({ templateName, versionId }), send);
  output.event(
    { event: "versionDeleted", templateName, versionId },
    `${output.paint.green("deleted")} version ${versionId} of ${templateName} in the ${plane.description}`,
  );
}

function readVersion(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || !Number.isSafeInteger(value)) {
    throw new UsageError(`a version is a number from 1, got "${text}"`);
  }
  return value;
}
