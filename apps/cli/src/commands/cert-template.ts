import { createNodeFiles } from "@thingline/transport/node";
import { openCertPlace } from "../cert/place.js";
import { rotationHook, rotationPolicy, rotationTemplate } from "../cert/template.js";
import type { CommandContext } from "../command.js";
import { UsageError } from "../failure.js";
import { isAwsError, type PlaceOptions } from "../fota/plane.js";
import { commandLine } from "../invocation.js";

interface TemplateOptions extends PlaceOptions {
  policy?: string[];
  hook?: string;
  roleArn?: string;
  out?: string;
}

/** A role that nobody looks at. */
const localRole = "arn:aws:iam::123456789012:role/thingline";

/** `thingline cert template NAME --policy P`: makes the template by which devices rotate, and the policy that lets them ask. */
export async function certTemplate(context: CommandContext, options: TemplateOptions, name = ""): Promise<void> {
  const { output } = context;
  const policyName = `${name}-rotation`;
  const templateBody = JSON.stringify(rotationTemplate([...(options.policy ?? []), policyName]), undefined, 2);
  if (options.out !== undefined) {
    await createNodeFiles().replace(options.out, new TextEncoder().encode(`${templateBody}\n`), { mode: 0o644 });
  }
  if (options.aws === true && (options.hook === undefined || options.roleArn === undefined)) {
    const why = "it has to see to it that a device gets certificates of its own thing only (docs/rotation.md has one)";
    throw new UsageError(`with --aws give --hook, the ARN of a Lambda function, and --role-arn: ${why}`);
  }
  const place = await openCertPlace(context, options);
  const { client, sdk, send } = place;
  const policyDocument = rotationPolicy(name);
  await client.send(new sdk.CreatePolicyCommand({ policyName, policyDocument }), send).catch((error: unknown) => {
    // From an attempt before, or edited since: it is left as it is.
    if (!isAwsError(error, "ResourceAlreadyExistsException")) throw error;
  });
  const targetArn = options.hook ?? `arn:aws:lambda:us-east-1:123456789012:function:${rotationHook}`;
  await client.send(
    new sdk.CreateProvisioningTemplateCommand({
      ...{ templateName: name, templateBody, enabled: true, description: "rotation of certificates" },
      provisioningRoleArn: options.roleArn ?? localRole,
      preProvisioningHook: { targetArn },
    }),
    send,
  );
  output.event(
    { event: "rotationTemplate", templateName: name, policyName, hook: targetArn, policies: options.policy ?? [] },
    [
      `${output.paint.green("created")} template ${name} and policy ${policyName} in the ${place.plane.description}`,
      "",
      `Attach ${policyName} to the certificates that are there now, or to a thing group of the devices. Then:`,
      `  ${commandLine(["device", "run", "--conf", "prj.conf", "--rotation-template", name])}`,
      `  ${commandLine(["cert", "rotate", "THING", "--wait", ...(options.aws === true ? ["--aws"] : [])])}`,
    ].join("\n"),
  );
  if ((options.policy ?? []).length === 0) {
    const what = `new certificates get no policy but ${policyName}, which lets them ask for the next one and nothing else`;
    output.complain({
      kind: "warning",
      message: `${what}. Where no thing group has the devices' policy, give it with --policy.`,
    });
  }
}
