import { findDuplicate } from "./duplicates.js";
import { ExpressionParser } from "./parse-expression.js";
import { checkMembers, objectAt, refusal, show, stringAt } from "./refusal.js";
import { objectsAt, parseResources, parseTexts, plainTexts } from "./resources.js";
import {
  isCertificateParameter,
  templateCharactersMax,
  type ProvisioningTemplate,
  type ProvisioningTemplateKind,
  type TemplateParameter,
} from "./template.js";

const sections = ["Parameters", "Mappings", "Resources"] as const;

/**
 * Reads a provisioning template. Nothing of it is dropped: what the grammar does not have is refused by its name.
 *
 * @throws {ThinglineError} PROVISIONING_TEMPLATE_INVALID; its message begins with the path (`Resources.thing.Type: …`), `details.path`
 * is that path and `details.reason` the rest.
 * @see AWS IoT developer guide, "Provisioning templates"
 */
export function parseTemplate(text: string, { kind }: { kind: ProvisioningTemplateKind }): ProvisioningTemplate {
  const members = readMembers(text);
  if (kind === "fleet") {
    checkMembers("", members, [...sections, "DeviceConfiguration"], "is not a section of a template");
  } else {
    if (members["DeviceConfiguration"] !== undefined) {
      throw refusal("DeviceConfiguration", `cannot be given in a ${kind} template; fleet templates have it`);
    }
    checkMembers("", members, sections, "is not a section of a template");
  }
  const { Parameters = {}, Mappings = {}, DeviceConfiguration = {} } = members;
  const parameters = parseParameters(Parameters);
  const mappings = parseMappings(Mappings);
  const declared = new Set(parameters.map(({ name }) => name));
  const expressions = new ExpressionParser({
    // What the service gives of the certificate need not be declared: AWS's own examples do without.
    isParameter: (name) => declared.has(name) || (kind !== "bulk" && isCertificateParameter(name)),
    isMap: (name) => mappings.has(name),
  });
  return {
    ...{ kind, parameters, mappings },
    ...parseResources(members["Resources"], kind, expressions),
    deviceConfiguration: parseTexts("DeviceConfiguration", DeviceConfiguration, expressions),
  };
}

function readMembers(text: string) {
  if (text.length > templateCharactersMax) {
    throw refusal("template", `has ${text.length} characters; at most ${templateCharactersMax} are accepted`);
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw refusal("template", `is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  const duplicate = findDuplicate(text);
  if (duplicate !== undefined) throw refusal(duplicate, "stands twice in its object");
  return objectAt("template", json);
}

function parseParameters(value: unknown): TemplateParameter[] {
  return objectsAt("Parameters", value).map(([name, path, parameter]) => {
    if (name === "") throw refusal(path, "a parameter needs a name");
    checkMembers(path, parameter, ["Type", "Default"], "is not a member of a parameter");
    if (parameter["Type"] !== "String") {
      throw refusal(`${path}.Type`, `must be "String", got ${show(parameter["Type"])}`);
    }
    const given = parameter["Default"];
    return { name, defaultValue: given === undefined ? undefined : stringAt(`${path}.Default`, given) };
  });
}

function parseMappings(value: unknown): ProvisioningTemplate["mappings"] {
  const maps = objectsAt("Mappings", value).map(([name, path, keys]) => {
    const names = objectsAt(path, keys).map(([key, at, texts]) => [key, plainTexts(at, texts)] as const);
    return [name, new Map(names)] as const;
  });
  return new Map(maps);
}
