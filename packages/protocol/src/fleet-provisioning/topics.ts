import type { MessageFormat } from "../cbor/members.js";
import { ThinglineError } from "../errors.js";

/** What a device asks for, by the names of AWS's MQTT API. */
export type FleetProvisioningOperation = "createKeysAndCertificate" | "createCertificateFromCsr" | "registerThing";

/** Where one operation is asked for, and where it is answered. */
export interface FleetProvisioningTopics {
  request: string;
  accepted: string;
  rejected: string;
}

/** 36 characters: AWS's limit. */
export const templateNameCharactersMax = 36;

export function isTemplateName(text: string): boolean {
  return text.length <= templateNameCharactersMax && /^[0-9A-Za-z_-]+$/u.test(text);
}

/**
 * The topics of all three operations, for one template and one way to write messages. A device subscribes to both answers before it asks.
 *
 * @throws {ThinglineError} OPTION_INVALID for what is no name of a template.
 */
export function fleetProvisioningTopics({
  templateName,
  format,
}: {
  templateName: string;
  format: MessageFormat;
}): Readonly<Record<FleetProvisioningOperation, FleetProvisioningTopics>> {
  if (!isTemplateName(templateName)) {
    const message = `the name of a template has 1 to ${templateNameCharactersMax} of the characters 0-9 A-Z a-z _ -, got "${templateName}"`;
    throw new ThinglineError("OPTION_INVALID", message, { details: { option: "templateName" } });
  }
  return {
    createKeysAndCertificate: answered(`$aws/certificates/create/${format}`),
    createCertificateFromCsr: answered(`$aws/certificates/create-from-csr/${format}`),
    registerThing: answered(`$aws/provisioning-templates/${templateName}/provision/${format}`),
  };
}

/** What a service listens to: each request of all templates, in both formats. */
export const fleetProvisioningRequestFilters: readonly string[] = (["json", "cbor"] as const).flatMap((format) => [
  `$aws/certificates/create/${format}`,
  `$aws/certificates/create-from-csr/${format}`,
  `$aws/provisioning-templates/+/provision/${format}`,
]);

/** What a topic says of a request. */
export type FleetProvisioningRequestTopic = FleetProvisioningTopics & { format: MessageFormat } & (
    | { operation: "createKeysAndCertificate" | "createCertificateFromCsr" }
    | { operation: "registerThing"; templateName: string }
  );

const pattern =
  /^\$aws\/(?:certificates\/(create|create-from-csr)|provisioning-templates\/([^/]+)\/provision)\/(json|cbor)$/u;

/** The name of a template is not checked. @returns undefined for what is no topic of a request. */
export function parseFleetProvisioningTopic(topic: string): FleetProvisioningRequestTopic | undefined {
  const [matched, create, templateName, format] = pattern.exec(topic) ?? [];
  if (matched === undefined) return undefined;
  const topics = { ...answered(topic), format: format as MessageFormat };
  if (templateName !== undefined) return { operation: "registerThing", templateName, ...topics };
  const operation = create === "create" ? "createKeysAndCertificate" : "createCertificateFromCsr";
  return { operation, ...topics };
}

const answered = (request: string): FleetProvisioningTopics => ({
  request,
  accepted: `${request}/accepted`,
  rejected: `${request}/rejected`,
});
