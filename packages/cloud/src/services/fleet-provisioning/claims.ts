import { ThinglineError } from "@thingline/protocol";
import type { StoreKey } from "../../store/store.js";
import { awsSaga } from "../aws-operation.js";
import { answer, type Effect, type Operation, type Scope } from "../operation.js";
import {
  addCertificate,
  discardCertificate,
  type CertificateIssuer,
  type IssuedCertificate,
} from "../registry/index.js";
import { claimPolicy } from "./claim-policy.js";
import { fleetProvisioningName } from "./model.js";
import { findProvisioningTemplate } from "./templates.js";

/** Of a claim that a trusted user asks for. */
export const provisioningClaimLifetimeMs = 300_000;

type ClaimRecord = { templateName: string; expiresAtMs: number };

const claimKey = ({ account, region }: Scope, certificateId: string): StoreKey => [
  ...[account, region, "provisioningClaim", certificateId],
];

/** A claim certificate for one template, which no list shows and which ends by itself. */
export function createClaimOperation(issuer: CertificateIssuer) {
  const name = ["iot", "CreateProvisioningClaim"] as const;
  return awsSaga(fleetProvisioningName, name, ["templateName"], async (context, { templateName }) => {
    const { clock, keys, run } = context;
    const { type } = await run(findProvisioningTemplate, { templateName });
    if (type !== "FLEET_PROVISIONING") {
      const message = `A provisioning claim needs a template of type FLEET_PROVISIONING (templateName=${templateName})`;
      throw new ThinglineError("REQUEST_INVALID", message);
    }
    const { privateKeyPem, publicKeyPem } = await keys.generate("rsa-2048");
    const nowMs = clock.unixMs();
    // A certificate knows whole seconds.
    const expiresAtMs = Math.floor((nowMs + provisioningClaimLifetimeMs) / 1_000) * 1_000;
    const issued = await issuer.issueForKey({ publicKeyPem, nowMs, notAfterMs: expiresAtMs });
    await run(addClaim, { issued, templateName, expiresAtMs });
    const { certificateId, certificatePem } = issued;
    const keyPair = { PublicKey: publicKeyPem, PrivateKey: privateKeyPem };
    return { certificateId, certificatePem, keyPair, expiration: expiresAtMs / 1_000 };
  });
}

const addClaim: Operation<{ issued: IssuedCertificate } & ClaimRecord, void> = async (context, input) => {
  const { issued, templateName, expiresAtMs } = input;
  const { certificateId } = issued;
  await context.call(addCertificate, {
    ...{ issued, status: "ACTIVE", origin: { source: "provisioning-claim", templateName } },
    temporaryPolicyDocument: JSON.stringify(claimPolicy(context.scope, templateName)),
  });
  const value: ClaimRecord = { templateName, expiresAtMs };
  return {
    result: undefined,
    operations: [{ key: claimKey(context.scope, certificateId), expectedRevision: 0, value }],
    effects: [wakeFor(certificateId, expiresAtMs)],
  };
};

/** Whoever is connected with it is not any more. */
export const expireClaim: Operation<{ certificateId: string }, { isGone: boolean }> = async (context, input) => {
  const { certificateId } = input;
  const entry = await context.store.get<ClaimRecord>(claimKey(context.scope, certificateId));
  if (entry === undefined) return answer({ isGone: false });
  const { expiresAtMs } = entry.value;
  if (context.nowMs < expiresAtMs) {
    return { result: { isGone: false }, operations: [], effects: [wakeFor(certificateId, expiresAtMs)] };
  }
  await context.call(discardCertificate, { certificateId });
  const gone = { key: entry.key, expectedRevision: entry.revision, delete: true as const };
  return { result: { isGone: true }, operations: [gone], effects: [] };
};

const wakePrefix = "claim:";

/** @returns undefined for the name of another wake-up */
export const claimOfWake = (name: string): string | undefined =>
  name.startsWith(wakePrefix) ? name.slice(wakePrefix.length) : undefined;

const wakeFor = (certificateId: string, atUnixMs: number): Effect => ({
  ...{ type: "wakeAt", service: fleetProvisioningName, name: `${wakePrefix}${certificateId}`, atUnixMs },
});
