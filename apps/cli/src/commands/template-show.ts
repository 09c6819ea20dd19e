import type { DescribeProvisioningTemplateResponse, ProvisioningTemplateVersionSummary } from "@aws-sdk/client-iot";
import type { TemplateParameter } from "@thingline/cloud/provisioning-template";
import type { CommandContext } from "../command.js";
import type { Output } from "../output.js";
import { parametersOf } from "../templates/check.js";
import { openTemplates, type PlaceOptions } from "./template.js";

interface ShowOptions extends PlaceOptions {
  version?: number;
  body?: boolean;
}

/** `thingline template show NAME` */
export async function templateShow(context: CommandContext, options: ShowOptions, templateName = ""): Promise<void> {
  const { output } = context;
  const { client, sdk, send } = await openTemplates(context, options);
  const template = await client.send(new sdk.DescribeProvisioningTemplateCommand({ templateName }), send);
  const versionId = options.version ?? template.defaultVersionId;
  const templateBody =
    versionId === template.defaultVersionId
      ? (template.templateBody ?? "")
      : ((await client.send(new sdk.DescribeProvisioningTemplateVersionCommand({ templateName, versionId }), send))
          .templateBody ?? "");
  if (options.body === true && !output.isJson) return output.say(templateBody.replace(/\n$/, ""));
  const versions: ProvisioningTemplateVersionSummary[] = [];
  for await (const page of sdk.paginateListProvisioningTemplateVersions({ client }, { templateName }, send)) {
    versions.push(...(page.versions ?? []));
  }
  versions.sort((a, b) => (a.versionId ?? 0) - (b.versionId ?? 0));
  const parameters = await parametersOf(templateBody, template.type === "JITP" ? "jitp" : "fleet");
  output.event(
    {
      ...{ event: "template", templateName, templateArn: template.templateArn, type: template.type ?? null },
      ...{ enabled: template.enabled ?? false, description: template.description ?? null },
      ...{ defaultVersionId: template.defaultVersionId, provisioningRoleArn: template.provisioningRoleArn ?? null },
      preProvisioningHook: template.preProvisioningHook ?? null,
      versions: versions.map(versionFacts),
      ...{ versionId, templateBody },
    },
    describe(output, template, { versions, parameters }),
  );
}

export const versionFacts = ({ versionId, creationDate, isDefaultVersion }: ProvisioningTemplateVersionSummary) => ({
  versionId: versionId ?? null,
  createdAt: creationDate?.toISOString() ?? null,
  isDefault: isDefaultVersion ?? false,
});

/** As a row for people. */
export function versionLine({ versionId, creationDate, isDefaultVersion }: ProvisioningTemplateVersionSummary): string {
  return `${String(versionId).padStart(4)}  ${dateText(creationDate)}${isDefaultVersion === true ? "  default" : ""}`;
}

const dateText = (date: Date | undefined) =>
  date === undefined ? "" : date.toISOString().slice(0, 19).replace("T", " ");

function describe(
  output: Output,
  template: DescribeProvisioningTemplateResponse,
  {
    versions,
    parameters,
  }: {
    versions: readonly ProvisioningTemplateVersionSummary[];
    parameters: readonly TemplateParameter[] | undefined;
  },
): string {
  const { paint } = output;
  const { templateName = "", description, enabled, preProvisioningHook: hook } = template;
  const rows: [string, string][] = [
    ["for", template.type === "JITP" ? "JITP: devices with certificates of a CA of yours" : "fleet provisioning"],
    ["description", description ?? ""],
    ["parameters", parameters === undefined ? "this version cannot be read" : parameters.map(parameterText).join(", ")],
    ["role", template.provisioningRoleArn ?? ""],
    ["hook", hook === undefined ? "" : `${hook.targetArn ?? ""} (${hook.payloadVersion ?? ""})`],
    ["changed", dateText(template.lastModifiedDate)],
  ];
  return [
    `${paint.bold(templateName)}  ${enabled === true ? paint.green("enabled") : paint.yellow("disabled")}`,
    ...rows.filter(([, text]) => text !== "").map(([title, text]) => `  ${title.padEnd(13)}${output.wrap(text, 15)}`),
    "versions",
    ...versions.map(versionLine),
  ].join("\n");
}

function parameterText({ name, defaultValue }: TemplateParameter): string {
  return defaultValue === undefined ? name : `${name} (default "${defaultValue}")`;
}
