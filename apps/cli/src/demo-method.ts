import type { ClaimPolicies } from "@thingline/cloud/issue";
import type { ProvisioningMethod } from "@thingline/device/provisioning";
import { iotSdk } from "./aws-sdk.js";
import type { ControlPlane } from "./control-plane.js";
import { UsageError } from "./failure.js";
import { provisioningMethod, type MethodName } from "./provisioning-method.js";
import { roleArn } from "./templates/template-file.js";
import { startingTemplate } from "./templates/starting-template.js";

/** The ways that the demonstration shows: a certificate of one's own CA has no claim to begin with. */
export const demoMethods = ["split", "fleet", "csr", "modem-key"] as const satisfies readonly MethodName[];
export type DemoMethod = (typeof demoMethods)[number];

const templateName = "demo";

export interface DemoWay {
  method: ProvisioningMethod;
  claimPolicies: ClaimPolicies;
  /** Above the steps. */
  title: string;
  /** The template that was made; undefined for split messages. */
  templateName: string | undefined;
}

/** @throws {UsageError} for a method that does not go through this kind of TLS. */
export function demoWay(method: DemoMethod, { deviceId, isNative }: { deviceId: string; isNative: boolean }): DemoWay {
  if (method === "fleet" && !isNative) {
    throw new UsageError(
      "--method fleet needs --native-tls: key and certificate come in one message of 4 KB, and the modem takes 2",
    );
  }
  if (method === "modem-key" && isNative) {
    throw new UsageError(
      "--method modem-key goes without --native-tls: a key that was made in the modem never leaves it",
    );
  }
  if (method === "split") {
    const title = "Nordic's provisioning sample, its twelve steps";
    return { method: { kind: "split" }, claimPolicies: "narrow", title, templateName: undefined };
  }
  const options = { method, template: templateName, parameter: ["SerialNumber={name}"] };
  const titles = {
    fleet: "Fleet provisioning, with a key that the cloud makes",
    csr: "Fleet provisioning, with a key that never leaves the device",
    "modem-key": "Fleet provisioning, with a key that is made inside the modem",
  };
  return {
    method: provisioningMethod(options, { name: deviceId, imei: "" }),
    claimPolicies: { fleetTemplate: templateName },
    title: titles[method],
    templateName,
  };
}

/** What becomes of a device of the demonstration. */
export async function createDemoTemplate(plane: ControlPlane, signal: AbortSignal): Promise<void> {
  const { CreateProvisioningTemplateCommand } = iotSdk();
  const templateBody = startingTemplate({ kind: "fleet", prefix: "", groups: [] });
  const { account, region } = plane;
  const provisioningRoleArn = roleArn(undefined, { aws: false, account, region });
  const command = new CreateProvisioningTemplateCommand({
    ...{ templateName, templateBody, provisioningRoleArn, enabled: true },
  });
  await plane.client.send(command, { abortSignal: signal });
}
