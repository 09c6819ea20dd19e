import type {
  ProvisioningPlan,
  ProvisioningTemplate,
  ProvisioningTemplateKind,
  TemplateParameter,
} from "@thingline/cloud/provisioning-template";
import { isThinglineError, ThinglineError } from "@thingline/protocol";

/** Loaded when a command needs it, so that `--help` stays fast. */
const engine = () => import("@thingline/cloud/provisioning-template");

/** @throws {ThinglineError} PROVISIONING_TEMPLATE_INVALID with file and path within it. */
export async function checkTemplate(
  text: string,
  { kind, file }: { kind: ProvisioningTemplateKind; file: string },
): Promise<ProvisioningTemplate> {
  const { parseTemplate } = await engine();
  try {
    return parseTemplate(text, { kind });
  } catch (error) {
    throw inFile(error, file);
  }
}

/** What a device has to give; undefined for a text that is no template. */
export async function parametersOf(
  text: string,
  kind: ProvisioningTemplateKind,
): Promise<readonly TemplateParameter[] | undefined> {
  const { parseTemplate, certificateParameterNames } = await engine();
  const given: readonly string[] = certificateParameterNames;
  try {
    return parseTemplate(text, { kind }).parameters.filter(({ name }) => kind === "bulk" || !given.includes(name));
  } catch (error) {
    if (isThinglineError(error, "PROVISIONING_TEMPLATE_INVALID")) return undefined;
    throw error;
  }
}

/** Of a certificate that nobody has, for templates that ask for one. */
export const exampleCertificateId = "0".repeat(64);

/**
 * What a template comes to, its policy documents read as well. In templates of fleet provisioning and JITP the service gives what the certificate says; here the parameters
 * may, and the certificate's id has a default.
 *
 * @throws {ThinglineError} PROVISIONING_TEMPLATE_INVALID with file and path within it.
 */
export async function tryTemplate(
  text: string,
  options: { kind: ProvisioningTemplateKind; file: string; parameters: Readonly<Record<string, string>> },
): Promise<{ template: ProvisioningTemplate; plan: ProvisioningPlan }> {
  const { kind, file } = options;
  const template = await checkTemplate(text, { kind, file });
  const { certificateParameterNames, checkPlannedPolicies, resolveTemplate } = await engine();
  const ofCertificate: readonly string[] = kind === "bulk" ? [] : certificateParameterNames;
  const entries = Object.entries(options.parameters);
  const certificate = {
    "AWS::IoT::Certificate::Id": exampleCertificateId,
    ...Object.fromEntries(entries.filter(([name]) => ofCertificate.includes(name))),
  };
  const parameters = Object.fromEntries(entries.filter(([name]) => !ofCertificate.includes(name)));
  try {
    const plan = resolveTemplate(template, { parameters, certificate });
    checkPlannedPolicies(plan);
    return { template, plan };
  } catch (error) {
    throw inFile(error, file);
  }
}

function inFile(error: unknown, file: string): unknown {
  if (!isThinglineError(error, "PROVISIONING_TEMPLATE_INVALID")) return error;
  const details = { ...error.details, file };
  return new ThinglineError(error.code, `${file}: ${error.message}`, { details, cause: error });
}
