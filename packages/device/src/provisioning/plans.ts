import type { AnswerPair } from "./answers.js";
import type { ProvisioningProgress, TagCredentials } from "./progress.js";
import { discardOpen, recordOutcome } from "./progress.js";
import { written } from "./recovery.js";
import type { ProvisioningState } from "./state.js";
import { type ProvisioningEffect, type TagContent, type TagItem, tagItems } from "./types.js";

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
 * write, and that it is complete after the last was read back. What is there already is only read back.
 */
export function writingPlan(
  { config, tags, progress }: ProvisioningState,
  { key, certificate }: AnswerPair,
  ca: string,
): { credentials: TagCredentials; plan: ProvisioningEffect[] } {
  const secTag = config.deviceTag;
  const { certificateId, sha256: ofCertificate, pem } = certificate;
  const sha256 = { privateKey: key.sha256, certificate: ofCertificate, ca };
  const credentials: TagCredentials = { secTag, certificateId, sha256 };
  // With its key in the tag a certificate is worth keeping: it can be written again.
  const isKept = progress.phase.name === "issued" || progress.phase.name === "writing";
  const phase = {
    name: "writing" as const,
    credentials,
    ...(isKept && { certificatePem: pem }),
  };
  const writing: ProvisioningProgress = { ...progress, phase };
  const old = tagItems.filter((item) => tags.device[item] !== undefined && tags.device[item] !== sha256[item]);
  const plan: ProvisioningEffect[] = [
    { type: "saveProgress", progress: writing },
    ...old.map((item): ProvisioningEffect => ({ type: "deleteCredential", secTag, item })),
    ...tagItems.flatMap((item) => writeEffects(secTag, item, sha256[item], tags.device[item] === sha256[item])),
    { type: "saveProgress", progress: written(writing, credentials) },
  ];
  return { credentials, plan };
}

function writeEffects(secTag: number, item: TagItem, sha256: string, isThere: boolean): ProvisioningEffect[] {
  const read: ProvisioningEffect = { type: "readDigest", secTag, item };
  return isThere ? [read] : [{ type: "writeCredential", secTag, item, sha256 }, read];
}

/** What has to be written to the claim's tag before it can be used. */
export function claimToWrite({ config, tags }: ProvisioningState): TagContent {
  const { claim } = config;
  if (claim === undefined) return {};
  const wanted: TagContent = tags.claim.ca === undefined ? { ca: claim.fallbackCa, ...claim.sha256 } : claim.sha256;
  return Object.fromEntries(Object.entries(wanted).filter(([item, sha256]) => tags.claim[item as TagItem] !== sha256));
}

/** Puts the claim into its tag, whatever that held before. */
export function claimPlan(state: ProvisioningState): ProvisioningEffect[] {
  const { config, tags } = state;
  const secTag = config.claimTag;
  const wanted = claimToWrite(state);
  return [
    { type: "linkOffline" },
    ...tagItems
      .filter((item) => wanted[item] !== undefined)
      .flatMap((item): ProvisioningEffect[] => [
        ...(tags.claim[item] === undefined ? [] : [{ type: "deleteCredential" as const, secTag, item }]),
        ...writeEffects(secTag, item, wanted[item] ?? "", false),
      ]),
  ];
}

/** Empties the device's tag and makes a key in it. */
export function keyPlan({ config, tags }: ProvisioningState): ProvisioningEffect[] {
  const secTag = config.deviceTag;
  const there = tagItems.filter((item) => tags.device[item] !== undefined);
  return [
    { type: "linkOffline" },
    ...there.map((item): ProvisioningEffect => ({ type: "deleteCredential", secTag, item })),
    { type: "makeKey", secTag },
  ];
}

/** Puts a key that was received into the device's tag, while the connection is open. */
export function keepingPlan({ config, tags }: ProvisioningState, { key }: AnswerPair): ProvisioningEffect[] {
  const secTag = config.deviceTag;
  if (tags.device.privateKey === key.sha256 || !config.keepsOnline) return [];
  const there = tagItems.filter((item) => tags.device[item] !== undefined);
  return [
    ...there.map((item): ProvisioningEffect => ({ type: "deleteCredential", secTag, item })),
    ...writeEffects(secTag, "privateKey", key.sha256, false),
  ];
}

/** Adds the CA that a power cut left out. */
export function completingPlan(
  progress: ProvisioningProgress,
  before: TagCredentials,
  ca: string,
): { credentials: TagCredentials; plan: ProvisioningEffect[] } {
  const credentials: TagCredentials = {
    ...before,
    sha256: { ...before.sha256, ca },
  };
  const { secTag } = credentials;
  const plan: ProvisioningEffect[] = [
    { type: "writeCredential", secTag, item: "ca", sha256: ca },
    { type: "readDigest", secTag, item: "ca" },
    { type: "saveProgress", progress: written(progress, credentials) },
  ];
  return { credentials, plan };
}
