import { toHex } from "@thingline/protocol";
import type { PlannedCertificate, PlannedPolicy, ProvisioningPlan } from "../../provisioning-template/index.js";
import type { Operation, OperationContext } from "../operation.js";
import type { Registry } from "../registry/index.js";
import { unless } from "../unless.js";
import { ensureThing, type ThingOperations } from "./ensure-thing.js";
import { at, conflict, failed } from "./failures.js";

export interface ProvisionThingInput {
  readonly plan: ProvisioningPlan;
  /**
   * The certificate that is provisioned. The plan must name the same where it names one, so that no parameter of a device reaches
   * another's certificate. Undefined for plans of bulk templates that name a certificate themselves, or have none.
   */
  readonly certificate: { readonly certificateId: string } | undefined;
}

export interface ProvisionedThing {
  /** Undefined when the template has no thing. */
  readonly thingName: string | undefined;
  readonly certificateId: string | undefined;
  readonly certificatePem: string | undefined;
  /** By the logical names of the template's resources. */
  readonly resourceArns: Readonly<Record<string, string>>;
  /** For the device, from fleet templates. */
  readonly deviceConfiguration: Readonly<Record<string, string>>;
}

/** What is asked of the registry within the commit. */
export type ProvisioningRegistry = ThingOperations &
  Pick<
    Registry,
    "attachPolicy" | "attachThingPrincipal" | "createPolicy" | "describeCertificate" | "getPolicy" | "updateCertificate"
  >;

export type ProvisionThing = Operation<ProvisionThingInput, ProvisionedThing>;

/**
 * Does what a plan asks for, in the commit of whoever calls: all of it or nothing. In AWS's order: the thing, its policies, the
 * certificate's attachment to the thing, the certificate's status.
 *
 * Its operation throws PROVISIONING_FAILED when something cannot be done, and PROVISIONING_CONFLICT when something exists and differs; both
 * begin with the path of the resource, which is `details.path`, and `details.reason` is the rest.
 */
export function createProvisionThing(registry: ProvisioningRegistry): ProvisionThing {
  return async (context, { plan, certificate }) => {
    const { thing } = plan;
    const arns: [string, string][] = [];
    const provisioned = await findCertificate(context, registry, { plan, certificate });
    if (thing !== undefined) arns.push([thing.logicalName, await ensureThing(context, registry, thing)]);
    if (plan.certificate !== undefined && provisioned !== undefined) {
      arns.push([plan.certificate.logicalName, provisioned.certificateArn]);
    }
    for (const policy of plan.policies) {
      const { policyName, policyArn } = await ensurePolicy(context, registry, policy);
      arns.push([policy.logicalName, policyArn]);
      if (provisioned === undefined) continue;
      const target = provisioned.certificateArn;
      await at(`${policy.path}.Properties`, () => context.call(registry.attachPolicy, { policyName, target }));
    }
    if (thing !== undefined && provisioned !== undefined) {
      const attachment = { thingName: thing.thingName, principal: provisioned.certificateArn };
      await at(thing.path, () => context.call(registry.attachThingPrincipal, attachment));
    }
    if (plan.certificate !== undefined && provisioned !== undefined) {
      await setStatus(context, registry, plan.certificate, provisioned);
    }
    const result: ProvisionedThing = {
      thingName: thing?.thingName,
      certificateId: provisioned?.certificateId,
      certificatePem: provisioned?.certificatePem,
      resourceArns: Object.fromEntries(arns),
      deviceConfiguration: plan.deviceConfiguration,
    };
    return { result, operations: [], effects: [] };
  };
}

type FoundCertificate = Readonly<Record<"certificateArn" | "certificateId" | "certificatePem" | "status", string>>;

async function findCertificate(
  context: OperationContext,
  registry: ProvisioningRegistry,
  { plan, certificate }: ProvisionThingInput,
): Promise<FoundCertificate | undefined> {
  const planned = plan.certificate;
  const path = `${planned?.path ?? "Resources"}.Properties.CertificateId`;
  const named = planned?.source.type === "id" ? planned.source.certificateId : undefined;
  if (named !== undefined && certificate !== undefined && named !== certificate.certificateId) {
    throw failed(path, "names another certificate than the one that is provisioned");
  }
  const certificateId = certificate?.certificateId ?? named;
  if (planned === undefined) return undefined;
  if (certificateId === undefined) throw new Error("a plan with a new certificate is applied when that is there");
  const { certificateDescription: found } = await at(path, () =>
    context.call(registry.describeCertificate, { certificateId }),
  );
  const { certificateArn = "", certificatePem = "", status = "" } = found;
  return { certificateArn, certificateId, certificatePem, status };
}

/** A policy that a template brings along is called by the hash of its document, so that the same document is the same policy. */
async function ensurePolicy(
  context: OperationContext,
  registry: ProvisioningRegistry,
  { path, policy }: PlannedPolicy,
) {
  if (policy.type === "name") {
    const { policyName } = policy;
    const { policyArn = "" } = await at(`${path}.Properties.PolicyName`, () =>
      context.call(registry.getPolicy, { policyName }),
    );
    return { policyName, policyArn };
  }
  const { policyDocument } = policy;
  const policyName = toHex(context.keys.sha256(new TextEncoder().encode(policyDocument)));
  return at(`${path}.Properties.PolicyDocument`, async () => {
    const existing = await unless("RESOURCE_NOT_FOUND", () => context.call(registry.getPolicy, { policyName }));
    const { policyArn = "" } = existing ?? (await context.call(registry.createPolicy, { policyName, policyDocument }));
    return { policyName, policyArn };
  });
}

/** One that waits for its activation gets the template's status whatever the template says of those that exist. */
async function setStatus(
  context: OperationContext,
  registry: ProvisioningRegistry,
  { path, status, overrideStatus }: PlannedCertificate,
  found: FoundCertificate,
): Promise<void> {
  const { certificateId } = found;
  if (found.status === status) return;
  const isPending = found.status === "PENDING_ACTIVATION";
  if (!isPending && overrideStatus === "DO_NOTHING") return;
  if (!isPending && overrideStatus === "FAIL") {
    throw conflict(`${path}.Properties.Status`, `the certificate is ${found.status}, the template wants ${status}`);
  }
  await at(`${path}.Properties.Status`, () =>
    context.call(registry.updateCertificate, { certificateId, newStatus: status }),
  );
}
