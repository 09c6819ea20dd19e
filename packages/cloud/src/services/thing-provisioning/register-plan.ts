import { isThinglineError } from "@thingline/protocol";
import type { PlannedCertificate, ProvisioningPlan } from "../../provisioning-template/index.js";
import { registerSignedCertificate, type RegisterSignedInput } from "../certificate-authorities/index.js";
import type { Operation, OperationContext } from "../operation.js";
import { addCertificate, type CertificateIssuer, type IssuedCertificate } from "../registry/index.js";
import { at } from "./failures.js";
import type { ProvisionedThing, ProvisionThing } from "./provision-thing.js";

/** Who registers: what stands in the certificate's origin. */
export type RegistrationOrigin =
  | { readonly source: "RegisterThing" }
  | { readonly source: "bulk-registration"; readonly taskId: string };

export interface RegisterPlanInput {
  readonly plan: ProvisioningPlan;
  /** The certificate for the plan's request, when it has one: {@link issueForPlan}. */
  readonly issued: IssuedCertificate | undefined;
  readonly origin: RegistrationOrigin;
}

/** What an operator asks for by a bulk template: its certificate, which may be a new one, and all the rest in one commit. */
export function createRegisterPlan(provisionThing: ProvisionThing): Operation<RegisterPlanInput, ProvisionedThing> {
  return async (context, input) => {
    const certificate = await addPlanned(context, input);
    const result = await context.call(provisionThing, { plan: input.plan, certificate });
    return { result, operations: [], effects: [] };
  };
}

/** @returns undefined when the plan names a certificate that exists, or none */
async function addPlanned(
  context: OperationContext,
  { plan, issued, origin }: RegisterPlanInput,
): Promise<{ certificateId: string } | undefined> {
  const planned = plan.certificate;
  if (planned === undefined || planned.source.type === "id") return undefined;
  const { path, source, status } = planned;
  if (source.type === "request") {
    if (issued === undefined) throw new Error("a plan with a certificate signing request needs a certificate for it");
    await at(requestPath(planned), () => context.call(addCertificate, { issued, status, origin }));
    return { certificateId: issued.certificateId };
  }
  const { certificatePem, caCertificatePem } = source;
  return at(`${path}.Properties.CertificatePem`, () =>
    registerUnlessKnown(context, { certificatePem, caCertificatePem, status, origin }),
  );
}

/** One that is registered already is one that exists: its override setting says what becomes of its status. */
async function registerUnlessKnown(
  context: OperationContext,
  input: RegisterSignedInput,
): Promise<{ certificateId: string }> {
  try {
    return await context.call(registerSignedCertificate, input);
  } catch (error) {
    if (!isThinglineError(error, "RESOURCE_EXISTS")) throw error;
    return { certificateId: String(error.details["resourceId"]) };
  }
}

const requestPath = ({ path }: PlannedCertificate) => `${path}.Properties.CertificateSigningRequest`;

/**
 * The certificate for the request of a plan, outside of any commit: a conflict must not cost another one.
 * @throws {ThinglineError} PROVISIONING_FAILED
 */
export async function issueForPlan(
  { certificate }: ProvisioningPlan,
  issuer: CertificateIssuer,
  nowMs: number,
): Promise<IssuedCertificate | undefined> {
  if (certificate?.source.type !== "request") return undefined;
  const { certificateSigningRequest } = certificate.source;
  return at(requestPath(certificate), () => issuer.issueForRequest({ certificateSigningRequest, nowMs }));
}

/** What a line of a report, or the answer of RegisterThing, may say of an error; undefined for a failure of the cloud. */
export function errorNameOf(error: unknown): string | undefined {
  if (isThinglineError(error, "PROVISIONING_TEMPLATE_INVALID")) return "InvalidRequestException";
  if (isThinglineError(error, "PROVISIONING_FAILED")) return "ResourceRegistrationFailureException";
  if (isThinglineError(error, "PROVISIONING_CONFLICT")) return "ResourceConflictsException";
  return undefined;
}
