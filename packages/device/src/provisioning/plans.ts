import type { AnswerPair } from "./answers.js";
import type { ProvisioningProgress, TagCredentials } from "./progress.js";
import { discardOpen, recordOutcome } from "./progress.js";
import { written } from "./recovery.js";
import type { ProvisioningState } from "./state.js";
import type { ProvisioningEffect } from "./types.js";
import { tagItems } from "./types.js";

export function deletesOf({ config }: ProvisioningState): ProvisioningEffect[] {
  return tagItems.map((item) => ({ type: "deleteCredential", secTag: config.deviceTag, item }));
}

/** Connects with the device's tag; what was never accepted is remembered as accepted only after the proof. */
export function deviceEffects({ progress, config }: ProvisioningState): ProvisioningEffect[] {
  const connect: ProvisioningEffect[] = [
    { type: "connect", as: "device", secTag: config.deviceTag },
    { type: "prove" },
  ];
  if (progress.phase.name !== "written") return connect;
  const { credentials } = progress.phase;
  const accepted = recordOutcome(progress, credentials.certificateId, "provisioned");
  const proved: ProvisioningProgress = {
    ...discardOpen(accepted, "another answer was used"),
    phase: { name: "provisioned", credentials },
    requestCount: 0,
    unprovedCount: 0,
  };
  return [...connect, { type: "saveProgress", progress: proved }];
}

/**
 * Writes a pair and a CA to the device's tag, in the sample's order. What will be there is remembered before the first
 * write, and that it is complete after the last was read back.
 */
export function writingPlan(
  { config, tags, progress }: ProvisioningState,
  { key, certificate }: AnswerPair,
  ca: string,
): { credentials: TagCredentials; plan: ProvisioningEffect[] } {
  const secTag = config.deviceTag;
  const sha256 = { privateKey: key.sha256, certificate: certificate.sha256, ca };
  const credentials: TagCredentials = { secTag, certificateId: certificate.certificateId, sha256 };
  const writing: ProvisioningProgress = { ...progress, phase: { name: "writing", credentials } };
  const old = tagItems.filter((item) => tags.device[item] !== undefined);
  const plan: ProvisioningEffect[] = [
    { type: "saveProgress", progress: writing },
    ...old.map((item): ProvisioningEffect => ({ type: "deleteCredential", secTag, item })),
    ...tagItems.flatMap((item): ProvisioningEffect[] => [
      { type: "writeCredential", secTag, item, sha256: sha256[item] },
      { type: "readDigest", secTag, item },
    ]),
    { type: "saveProgress", progress: written(writing, credentials) },
  ];
  return { credentials, plan };
}

/** Adds the CA that a power cut left out. */
export function completingPlan(
  progress: ProvisioningProgress,
  before: TagCredentials,
  ca: string,
): { credentials: TagCredentials; plan: ProvisioningEffect[] } {
  const credentials: TagCredentials = { ...before, sha256: { ...before.sha256, ca } };
  const { secTag } = credentials;
  const plan: ProvisioningEffect[] = [
    { type: "writeCredential", secTag, item: "ca", sha256: ca },
    { type: "readDigest", secTag, item: "ca" },
    { type: "saveProgress", progress: written(progress, credentials) },
  ];
  return { credentials, plan };
}
