import type { ProvisioningProgress, TagCredentials } from "./progress.js";
import { discardCredentials, discardOpen, newProgress } from "./progress.js";
import type { ProvisioningConfig, TagContent } from "./types.js";
import { tagItems } from "./types.js";

/** What to do first, given what was remembered and what the device's tag holds. */
export type RecoveryDecision =
  /** Nothing to use in the device's tag. */
  | { action: "claim"; progress: ProvisioningProgress; note?: string }
  /** What the device's tag holds must not be used: delete it, then the claim. */
  | { action: "clean"; progress: ProvisioningProgress; note: string }
  /** Key and certificate are there; only the CA was not written yet. */
  | { action: "completeCa"; progress: ProvisioningProgress; credentials: TagCredentials; note: string }
  /** Everything was written, which `save` says was not remembered yet; it is to be proved. */
  | { action: "prove"; progress: ProvisioningProgress; save: boolean; note: string }
  | { action: "useDevice"; progress: ProvisioningProgress; note: string };

export function decideRecovery(
  remembered: ProvisioningProgress | undefined,
  device: TagContent,
  { clientId, deviceTag }: ProvisioningConfig,
): RecoveryDecision {
  if (!remembered) {
    const isEmpty = tagItems.every((item) => device[item] === undefined);
    const note = `security tag ${deviceTag} holds credentials of unknown origin, which are not used`;
    return { action: "claim", progress: newProgress(clientId), ...(!isEmpty && { note }) };
  }
  const progress = discardOpen(remembered, "interrupted before it was written");
  const { phase } = progress;
  if (phase.name === "claim") {
    return progress.clientId === clientId
      ? { action: "claim", progress }
      : { action: "claim", progress: renamed(progress, clientId), note: changed("client id") };
  }
  const { credentials } = phase;
  const discard = (reason: string): RecoveryDecision => {
    const discarded = renamed(discardCredentials(progress, credentials, reason), clientId);
    const isOwnTag = credentials.secTag === deviceTag;
    return { action: isOwnTag ? "clean" : "claim", progress: discarded, note: reason };
  };
  if (progress.clientId !== clientId) return discard(changed("client id"));
  if (credentials.secTag !== deviceTag) return discard(changed("device's security tag"));

  const differing = tagItems.filter((item) => device[item] !== credentials.sha256[item]);
  const lacks = `security tag ${deviceTag} does not hold what was written (${differing.join(", ")})`;
  if (phase.name === "writing") {
    const cut = `the last run ended while it wrote security tag ${deviceTag}`;
    if (differing.length === 0)
      return { action: "prove", progress: written(progress, credentials), save: true, note: cut };
    const onlyCaMissing = differing.length === 1 && differing[0] === "ca" && device.ca === undefined;
    if (onlyCaMissing) return { action: "completeCa", progress, credentials, note: `${cut}; only the CA is missing` };
    return discard(`${cut} (${differing.join(", ")})`);
  }
  if (differing.length > 0) return discard(lacks);
  if (phase.name === "written") {
    const note = `the last run ended before the credentials in security tag ${deviceTag} were proved`;
    return { action: "prove", progress, save: false, note };
  }
  return { action: "useDevice", progress, note: `already provisioned: security tag ${deviceTag} is in use` };
}

export function written(progress: ProvisioningProgress, credentials: TagCredentials): ProvisioningProgress {
  const history = progress.history.map((entry) => {
    return entry.certificateId === credentials.certificateId ? { ...entry, outcome: "written" as const } : entry;
  });
  return { ...progress, history, phase: { name: "written", credentials } };
}

/** The counts start again with another id; the history stays, because the certificates do. */
function renamed(progress: ProvisioningProgress, clientId: string): ProvisioningProgress {
  if (progress.clientId === clientId) return progress;
  const { history, historyDropped, phase } = progress;
  return { ...newProgress(clientId), history, historyDropped, phase };
}

function changed(what: string): string {
  return `the ${what} is another one than in the last run`;
}
