import { isThinglineError, ThinglineError, type ErrorCode } from "@thingline/protocol";
import { encodePem } from "@thingline/protocol/x509";
import { readCertificateFacts } from "../../policy/certificate-facts.js";
import {
  parseTemplate,
  resolveTemplate,
  type CertificateParameters,
  type ProvisioningPlan,
} from "../../provisioning-template/index.js";
import { answer, type Effect, type Operation, type OperationContext } from "../operation.js";
import { addCertificate, countPending, findCertificate, type CertificateStatus } from "../registry/index.js";
import { issuerOf } from "./issuers.js";
import { caKeys, templateNameOf, type CaCertificateRecord, type RegistrationConfig } from "./model.js";
import { issuedOf } from "./register-certificate.js";
import { PendingCounts } from "./pending-counts.js";
import type { FindTemplate } from "./registration-config.js";
import { readSignedDer, whyNotValid, type SignedCertificate } from "./signing.js";

// What a certificate that may not connect yet comes to when it does: registered, or provisioned by a template.

/** Certificates of one CA that wait for their activation: more are not registered at their first connection. */
export const pendingCertificatesPerCaMax = 5_000;

/** Why a certificate may come to its CONNECT although it is not ACTIVE, or why not. */
export type FirstConnectionVerdict =
  | { caCertificateId: string }
  /** A registered CA is its issuer by name, and it is not registered by it; in words about "it". */
  | { caCertificateId: undefined; reason: string }
  | undefined;

/** Before any MQTT: nothing is written. Undefined for a certificate that no registered CA has to do with. */
export const judgeFirstConnection: Operation<
  { certificate: Uint8Array; serverName: string | undefined },
  FirstConnectionVerdict
> = async (context, { certificate, serverName }) => {
  let signed: SignedCertificate;
  try {
    signed = readSignedDer(context.keys, certificate, "the certificate");
  } catch (error) {
    if (!isThinglineError(error, "CERTIFICATE_INVALID")) throw error;
    return answer(undefined);
  }
  const found = await issuerOf(context, signed);
  if (found.ca === undefined) {
    const { reason } = found;
    if (reason === undefined) return answer(undefined);
    return answer({ caCertificateId: undefined, reason: `its issuer has the name of a registered CA, but ${reason}` });
  }
  const { certificateId: caCertificateId } = found.ca;
  const reason = whyNotRegistering(found.ca, context.nowMs) ?? whyNotNamed(serverName);
  return answer(reason === undefined ? { caCertificateId } : { caCertificateId: undefined, reason });
};

function whyNotRegistering(ca: CaCertificateRecord, nowMs: number): string | undefined {
  const named = `it was signed by the registered CA ${ca.certificateId}, which`;
  if (ca.status !== "ACTIVE") return `${named} is ${ca.status}; activate it with UpdateCACertificate`;
  if (ca.autoRegistrationStatus !== "ENABLE") {
    return `${named} does not register certificates by itself; use RegisterCertificate, or UpdateCACertificate with newAutoRegistrationStatus ENABLE`;
  }
  return nowMs > ca.notAfterMs ? `${named} has expired` : undefined;
}

/** @see AWS IoT developer guide, "Just-in-time provisioning": SNI is required. */
function whyNotNamed(serverName: string | undefined): string | undefined {
  if (serverName !== undefined) return undefined;
  return "its first connection has to send the server's name (SNI), as AWS asks for: connect by a host name, not by an IP address";
}

export interface FirstConnectionInput {
  /** DER. */
  certificate: Uint8Array;
  certificateId: string;
  caCertificateId: string;
  clientId: string;
}

export type FirstConnectionResult =
  /** It waits for somebody to activate it, who was told. */
  | { outcome: "pending"; isNew: boolean }
  | { outcome: "provisioned"; status: CertificateStatus; thingName: string | undefined }
  /** The same, because its template could not be followed. */
  | { outcome: "failed"; isNew: boolean; code: ErrorCode; reason: string }
  | { outcome: "refused"; reason: string };

/** Does what a plan asks for, in the caller's commit. Throws what is wrong with the plan. */
export type ProvisionThing = Operation<
  { plan: ProvisioningPlan; certificate: { certificateId: string } },
  { thingName: string | undefined }
>;

export interface FirstConnectionDependencies {
  provisionThing: ProvisionThing;
  findTemplate: FindTemplate;
}

/**
 * Registers the certificate, provisions it where its CA has a template, and says so, in one commit: a process that is killed leaves all of
 * it or nothing, and the event follows after the next start. Of two connections at once the second finds what the first one did.
 */
export function connectFirstOperation(
  deps: FirstConnectionDependencies,
): Operation<FirstConnectionInput, FirstConnectionResult> {
  const counts = new PendingCounts(pendingCertificatesPerCaMax);
  const connect: Operation<FirstConnectionInput, FirstConnectionResult> = async (context, input) => {
    const { scope, store, keys, nowMs } = context;
    const ca = (await store.get<CaCertificateRecord>(caKeys.ca(scope, input.caCertificateId)))?.value;
    const certificate = readSignedDer(keys, input.certificate, "the certificate");
    // Whatever was looked at before the CONNECT may have changed since.
    const fault = ca === undefined ? "its CA is no longer registered" : whyNotRegistering(ca, nowMs);
    const why = fault ?? whyNotValid(certificate, nowMs);
    if (ca === undefined || why !== undefined) return answer({ outcome: "refused", reason: why ?? "" });
    const existing = await findCertificate(store, scope, input.certificateId);
    if (existing !== undefined && existing.status !== "PENDING_ACTIVATION") {
      return answer({
        outcome: "refused",
        reason: `it is registered meanwhile, and ${existing.status}; connect again`,
      });
    }
    const isNew = existing === undefined;
    const turn: Turn = { ...input, ca, signed: certificate, isNew };
    const { registrationConfig } = ca;
    if (registrationConfig === undefined) return (await stayPending(context, turn, counts)) ?? tooMany(ca);
    try {
      const { status, thingName } = await context.call(provisionOperation(deps), {
        ...turn,
        config: registrationConfig,
      });
      const effects = [registeredEvent(context, turn)];
      return { result: { outcome: "provisioned", status, thingName }, operations: [], effects };
    } catch (error) {
      if (!isThinglineError(error) || !templateFaults.has(error.code)) throw error;
      const { code, message: reason } = error;
      const pending = await stayPending(context, turn, counts);
      if (pending === undefined) return tooMany(ca);
      return { ...pending, result: { outcome: "failed", isNew, code, reason } };
    }
  };
  return Object.assign(connect, {
    lane: ({ certificateId }: FirstConnectionInput) => `firstConnection/${certificateId}`,
  });
}

interface Turn extends FirstConnectionInput {
  ca: CaCertificateRecord;
  signed: SignedCertificate;
  isNew: boolean;
}

/** What is the template's fault, or that of what it names. */
const templateFaults: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "PROVISIONING_CONFLICT",
  "PROVISIONING_FAILED",
  "PROVISIONING_TEMPLATE_INVALID",
  "REQUEST_INVALID",
  "RESOURCE_NOT_FOUND",
]);

/** Registers a new one as waiting, and tells of it, again for one that waits already. @returns undefined when too many wait. */
async function stayPending(context: OperationContext, turn: Turn, counts: PendingCounts) {
  const { ca, isNew } = turn;
  if (isNew) {
    const recount = () => countPending(context, ca.certificateId, pendingCertificatesPerCaMax);
    if (!(await counts.take(ca.certificateId, context.nowMs, recount))) return undefined;
    await register(context, turn);
  }
  const effects = [registeredEvent(context, turn)];
  return { result: { outcome: "pending" as const, isNew }, operations: [], effects };
}

const tooMany = ({ certificateId }: CaCertificateRecord) =>
  answer<FirstConnectionResult>({
    outcome: "refused",
    reason:
      `${pendingCertificatesPerCaMax} certificates of the CA ${certificateId} wait for their activation already; ` +
      "activate them with UpdateCertificate, or delete those that nobody knows",
  });

function provisionOperation({ provisionThing, findTemplate }: FirstConnectionDependencies) {
  /** Throws what is wrong with the template, and then nothing of it remains. */
  const provision: Operation<
    Turn & { config: RegistrationConfig },
    { status: CertificateStatus; thingName: string | undefined }
  > = async (context, { config, ...turn }) => {
    const { certificateId } = turn;
    if (turn.isNew) await register(context, turn);
    const template = parseTemplate(await bodyOf(context, findTemplate, config), { kind: "jitp" });
    const plan = resolveTemplate(template, { parameters: {}, certificate: parametersOf(turn) });
    const { thingName } = await context.call(provisionThing, { plan, certificate: { certificateId } });
    const status = (await findCertificate(context.store, context.scope, certificateId))?.status ?? "PENDING_ACTIVATION";
    return answer({ status, thingName });
  };
  return provision;
}

async function bodyOf(
  context: OperationContext,
  findTemplate: FindTemplate,
  config: RegistrationConfig,
): Promise<string> {
  if ("templateBody" in config) return config.templateBody;
  const { templateName } = config;
  const { templateBody, isEnabled } = await context.call(findTemplate, { templateName });
  if (isEnabled) return templateBody;
  throw new ThinglineError("PROVISIONING_FAILED", `the provisioning template ${templateName} is not enabled`);
}

/** What its subject says; of several values of a kind the first. */
function parametersOf({ certificate, certificateId }: Turn): CertificateParameters {
  const { subject } = readCertificateFacts(certificate);
  const names = {
    "AWS::IoT::Certificate::Country": "Country",
    "AWS::IoT::Certificate::Organization": "Organization",
    "AWS::IoT::Certificate::OrganizationalUnit": "OrganizationalUnit",
    "AWS::IoT::Certificate::DistinguishedNameQualifier": "DistinguishedNameQualifier",
    "AWS::IoT::Certificate::StateName": "State",
    "AWS::IoT::Certificate::CommonName": "CommonName",
    "AWS::IoT::Certificate::SerialNumber": "SerialNumber",
  } as const;
  const values = Object.entries(names).flatMap(([parameter, attribute]) => {
    const value = subject.get(attribute)?.[0];
    return value === undefined ? [] : [[parameter, value] as const];
  });
  return { ...Object.fromEntries(values), "AWS::IoT::Certificate::Id": certificateId };
}

async function register(context: OperationContext, { certificate, signed, ca, clientId }: Turn): Promise<void> {
  const templateName = templateNameOf(ca);
  const isProvisioned = ca.registrationConfig !== undefined;
  const source = isProvisioned ? "just-in-time-provisioning" : "just-in-time-registration";
  await context.call(addCertificate, {
    issued: issuedOf({ ...signed, pem: encodePem("CERTIFICATE", certificate) }),
    status: "PENDING_ACTIVATION",
    origin: { source, clientId, ...(templateName !== undefined && { templateName }) },
    certificateMode: ca.certificateMode,
    caCertificateId: ca.certificateId,
  });
}

/** Always on, whatever the event configurations say. Members and the null are as captured (ministackorg/ministack#1755). */
function registeredEvent({ scope, nowMs }: OperationContext, { certificateId, caCertificateId }: Turn): Effect {
  const event = {
    certificateId,
    caCertificateId,
    timestamp: nowMs,
    certificateStatus: "PENDING_ACTIVATION",
    awsAccountId: scope.account,
    certificateRegistrationTimestamp: null,
  };
  const payload = new TextEncoder().encode(JSON.stringify(event));
  return { type: "publish", topic: `$aws/events/certificates/registered/${caCertificateId}`, payload, qos: 1 };
}
