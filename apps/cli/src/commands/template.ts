import type { ProvisioningHook } from "@aws-sdk/client-iot";
import { createNodeFiles } from "@thingline/transport/node";
import { iotSdk } from "../aws-sdk.js";
import type { CommandContext } from "../command.js";
import { openControlPlane, type ControlPlane } from "../control-plane.js";
import { UsageError } from "../failure.js";
import { commandLine, unlessDefault } from "../invocation.js";
import { defaultDataDir } from "../option-values.js";
import { checkTemplate } from "../templates/check.js";
import { hookArn, readTemplateFile, roleArn } from "../templates/template-file.js";

export interface PlaceOptions {
  dataDir: string;
  aws?: boolean;
}

interface SettingOptions extends PlaceOptions {
  description?: string;
  roleArn?: string;
  /** `false` of `--no-hook`. */
  hook?: string | boolean;
}

interface CreateOptions extends SettingOptions {
  type: "fleet" | "jitp";
  disabled?: boolean;
  unchecked?: boolean;
}

interface UpdateOptions extends SettingOptions {
  defaultVersion?: number;
}

const hookPayloadVersion = "2020-04-01";
const templateTypes = { fleet: "FLEET_PROVISIONING", jitp: "JITP" } as const;
const pageSize = 100;

export async function openTemplates({ signal }: CommandContext, { aws, dataDir }: PlaceOptions) {
  const plane = await openControlPlane({ aws: aws === true, dataDir, signal });
  return { plane, client: plane.client, sdk: iotSdk(), send: { abortSignal: signal } };
}

const placeOf = ({ account, region }: ControlPlane, { aws }: PlaceOptions) => ({ aws: aws === true, account, region });

/** Words that name the same place to the next command. */
export const placeWords = ({ aws, dataDir }: PlaceOptions) =>
  aws === true ? ["--aws"] : unlessDefault("--data-dir", dataDir, defaultDataDir);

function readHook(plane: ControlPlane, options: SettingOptions): { preProvisioningHook?: ProvisioningHook } {
  if (typeof options.hook !== "string") return {};
  const targetArn = hookArn(options.hook, placeOf(plane, options));
  return { preProvisioningHook: { targetArn, payloadVersion: hookPayloadVersion } };
}

/** `thingline template create NAME FILE` */
export async function templateCreate(
  context: CommandContext,
  options: CreateOptions,
  templateName = "",
  file = "",
): Promise<void> {
  const { output, signal } = context;
  const templateBody = await readTemplateFile(createNodeFiles(), file, signal);
  // What cannot be right is said with its place in the file, before AWS says no without one.
  if (options.unchecked !== true) await checkTemplate(templateBody, { kind: options.type, file });
  const { plane, client, sdk, send } = await openTemplates(context, options);
  const enabled = options.disabled !== true;
  const command = new sdk.CreateProvisioningTemplateCommand({
    ...{ templateName, templateBody, enabled, type: templateTypes[options.type] },
    provisioningRoleArn: roleArn(options.roleArn, placeOf(plane, options)),
    ...(options.description !== undefined && { description: options.description }),
    ...readHook(plane, options),
  });
  const { templateArn, defaultVersionId } = await client.send(command, send);
  const { green, yellow } = output.paint;
  const place = placeWords(options);
  const next =
    options.type === "fleet"
      ? [
          "Next, a claim that can do nothing but be provisioned by it:",
          `  ${commandLine(["claim", "create", "--template", templateName, ...place])}`,
        ]
      : [
          "Next, a CA whose devices are provisioned by it:",
          `  ${commandLine(["ca", "register", "--template", templateName, ...place])}`,
        ];
  output.event(
    { event: "templateCreated", templateName, templateArn, versionId: defaultVersionId, type: options.type, enabled },
    [
      `${green("created")} provisioning template ${templateName}, version ${defaultVersionId}, in the ${plane.description}`,
      ...(enabled ? [] : [`  ${yellow("disabled")}: it provisions nobody before \`template enable\``]),
      "",
      ...next,
    ].join("\n"),
  );
}

/** `thingline template list` */
export async function templateList(context: CommandContext, options: PlaceOptions): Promise<void> {
  const { output } = context;
  const { plane, client, sdk, send } = await openTemplates(context, options);
  let count = 0;
  for await (const { templates = [] } of sdk.paginateListProvisioningTemplates({ client, pageSize }, {}, send)) {
    const width = Math.max(...templates.map(({ templateName = "" }) => templateName.length)) + 2;
    for (const { templateName = "", templateArn, description, enabled = false, type, lastModifiedDate } of templates) {
      count++;
      const words = [type === "JITP" ? "JITP" : "fleet", enabled ? "enabled" : "disabled", description ?? ""];
      output.event(
        {
          ...{ event: "template", templateName, templateArn, type: type ?? null, enabled },
          ...{ description: description ?? null, modifiedAt: lastModifiedDate?.toISOString() ?? null },
        },
        `${templateName.padEnd(width)}${output.wrap(words.filter((word) => word !== "").join(", "), width)}`,
      );
    }
    await output.drained();
  }
  if (count === 0) output.say(`no provisioning templates in the ${plane.description}`);
}

/** `thingline template update NAME` */
export async function templateUpdate(
  context: CommandContext,
  options: UpdateOptions,
  templateName = "",
): Promise<void> {
  const { output } = context;
  const { description, defaultVersion, hook } = options;
  if ([description, options.roleArn, hook, defaultVersion].every((value) => value === undefined)) {
    throw new UsageError("say what to change: --description, --role-arn, --hook, --no-hook or --default-version");
  }
  const { plane, client, sdk, send } = await openTemplates(context, options);
  const changes = {
    ...(description !== undefined && { description }),
    ...(options.roleArn !== undefined && { provisioningRoleArn: options.roleArn }),
    ...(defaultVersion !== undefined && { defaultVersionId: defaultVersion }),
    ...readHook(plane, options),
    ...(hook === false && { removePreProvisioningHook: true }),
  };
  await client.send(new sdk.UpdateProvisioningTemplateCommand({ templateName, ...changes }), send);
  output.event(
    { event: "templateUpdated", templateName, changes },
    `${output.paint.green("updated")} provisioning template ${templateName} in the ${plane.description}`,
  );
}

/** `thingline template enable NAME` */
export const templateEnable = (context: CommandContext, options: PlaceOptions, templateName = "") =>
  switchTemplate(context, options, { templateName, enabled: true });

/** `thingline template disable NAME` */
export const templateDisable = (context: CommandContext, options: PlaceOptions, templateName = "") =>
  switchTemplate(context, options, { templateName, enabled: false });

async function switchTemplate(
  context: CommandContext,
  options: PlaceOptions,
  wanted: { templateName: string; enabled: boolean },
): Promise<void> {
  const { output } = context;
  const { plane, client, sdk, send } = await openTemplates(context, options);
  await client.send(new sdk.UpdateProvisioningTemplateCommand(wanted), send);
  const { templateName, enabled } = wanted;
  output.event(
    { event: "templateUpdated", templateName, changes: { enabled } },
    `${output.paint.green(enabled ? "enabled" : "disabled")} provisioning template ${templateName} in the ${plane.description}`,
  );
}

/** `thingline template delete NAME` */
export async function templateDelete(context: CommandContext, options: PlaceOptions, templateName = ""): Promise<void> {
  const { output } = context;
  const { plane, client, sdk, send } = await openTemplates(context, options);
  await client.send(new sdk.DeleteProvisioningTemplateCommand({ templateName }), send);
  output.event(
    { event: "templateDeleted", templateName },
    `${output.paint.green("deleted")} provisioning template ${templateName} in the ${plane.description}; what it provisioned stays`,
  );
}
