import type { ProvisioningProgress, ProgressPhase, TagCredentials } from "./progress.js";
import { discardIssued, discardOpen, discardPhase, newProgress } from "./progress.js";
import type { ProvisioningConfig, TagContent } from "./types.js";
import { ownershipMarginMs, ownershipTokenLifetimeMs, tagItems } from "./types.js";

/** What to do first, given what was remembered and what the device's tag holds. */
export type RecoveryDecision = {
  progress: ProvisioningProgress;
  note?: string;
} & (
  | {
      action:
        /** Nothing to use in the device's tag but the key of `keyReady`. */
        | "claim"
        /** What the device's tag holds must not be used: delete it, then the claim. */
        | "clean"
        /** The certificate that was issued is to be registered, with the claim. */
        | "register"
        /** The certificate that was issued is to be written, and the CA. */
        | "write"
        | "useDevice";
    }
  /** Key and certificate are there; only the CA was not written yet. */
  | { action: "completeCa"; credentials: TagCredentials }
  /** Everything was written, which `save` says was not remembered yet; it is to be proved. */
  | { action: "prove"; save: boolean }
);

type PhaseOf<Name extends ProgressPhase["name"]> = Extract<ProgressPhase, { name: Name }>;

/** What a decision is made from, once it is clear that the progress is this device's. */
interface Found {
  progress: ProvisioningProgress;
  device: TagContent;
  deviceTag: number;
  unixMs: number;
}

export function decideRecovery(
  remembered: ProvisioningProgress | undefined,
  device: TagContent,
  { clientId, deviceTag, way }: ProvisioningConfig,
  unixMs: number,
): RecoveryDecision {
  if (!remembered) {
    const isEmpty = tagItems.every((item) => device[item] === undefined);
    const note = `security tag ${deviceTag} holds credentials of unknown origin, which are not used`;
    return {
      action: "claim",
      progress: newProgress(clientId),
      ...(!isEmpty && { note }),
    };
  }
  const progress = discardOpen(remembered, "interrupted before it was written");
  const { phase } = progress;
  if (phase.name === "claim") {
    return progress.clientId === clientId
      ? { action: "claim", progress }
      : { action: "claim", progress: renamed(progress, clientId), note: changed("client id") };
  }
  const secTag = tagOf(phase);
  const discard = (reason: string): RecoveryDecision => {
    const discarded = renamed(discardPhase(progress, reason), clientId);
    return { action: secTag === deviceTag ? "clean" : "claim", progress: discarded, note: reason };
  };
  if (progress.clientId !== clientId) return discard(changed("client id"));
  if (secTag !== deviceTag) return discard(changed("device's security tag"));
  const isHalfway = phase.name === "keyReady" || phase.name === "issued";
  if (isHalfway && progress.way !== way) return discard(changed("method"));

  const found: Found = { progress, device, deviceTag, unixMs };
  switch (phase.name) {
    case "keyReady":
      return device.privateKey === phase.key.sha256
        ? {
            action: "claim",
            progress,
            note: `the key in security tag ${deviceTag} was made in an earlier run`,
          }
        : discard(`security tag ${deviceTag} does not hold the key that was made`);
    case "issued":
      return device.privateKey === phase.issued.sha256.privateKey
        ? decideIssued(phase, found)
        : discard(`security tag ${deviceTag} does not hold the key of the certificate that was issued`);
    case "writing":
      return decideWriting(phase, found) ?? discard(`${cutIn(deviceTag)} (${differing(phase, device).join(", ")})`);
    case "written":
    case "provisioned": {
      const lacking = differing(phase, device);
      if (lacking.length > 0) {
        return discard(`security tag ${deviceTag} does not hold what was written (${lacking.join(", ")})`);
      }
      if (phase.name === "provisioned") {
        return {
          action: "useDevice",
          progress,
          note: `already provisioned: security tag ${deviceTag} is in use`,
        };
      }
      const note = `the last run ended before the credentials in security tag ${deviceTag} were proved`;
      return { action: "prove", progress, save: false, note };
    }
  }
}

/** What was issued holds as long as its token, or for good once RegisterThing was called with it. */
function decideIssued({ issued }: PhaseOf<"issued">, { progress, unixMs }: Found): RecoveryDecision {
  const { ownership } = issued;
  if (ownership === undefined) {
    return { action: "write", progress, note: "the certificate that the last run was given is written now" };
  }
  // A clock that went back says nothing of an age: the service will.
  const ageMs = unixMs - ownership.receivedAtUnixMs;
  if (ageMs < ownershipTokenLifetimeMs - ownershipMarginMs) {
    return { action: "register", progress, note: "the certificate that the last run was given is registered now" };
  }
  if (ownership.isUsed) {
    const note = "the last run registered a certificate and ended before it heard of it: connecting will tell";
    return { action: "write", progress, note };
  }
  const reason = "the certificate that the last run was given was not registered within the hour that its token holds";
  const discarded = discardIssued(progress, reason);
  return { action: discarded.phase.name === "keyReady" ? "claim" : "clean", progress: discarded, note: reason };
}

function decideWriting(
  phase: PhaseOf<"writing">,
  { progress, device, deviceTag }: Found,
): RecoveryDecision | undefined {
  const { credentials, certificatePem } = phase;
  const lacking = differing(phase, device);
  const cut = cutIn(deviceTag);
  if (lacking.length === 0) return { action: "prove", progress: written(progress, credentials), save: true, note: cut };
  const isCaAlone = lacking.length === 1 && lacking[0] === "ca" && device.ca === undefined;
  if (isCaAlone)
    return {
      action: "completeCa",
      progress,
      credentials,
      note: `${cut}; only the CA is missing`,
    };
  if (certificatePem === undefined || lacking.includes("privateKey")) return undefined;
  return { action: "write", progress, note: `${cut}; the key is there` };
}

function differing({ credentials }: { credentials: TagCredentials }, device: TagContent): string[] {
  return tagItems.filter((item) => device[item] !== credentials.sha256[item]);
}

function tagOf(phase: Exclude<ProgressPhase, { name: "claim" }>): number {
  if (phase.name === "keyReady") return phase.key.secTag;
  return phase.name === "issued" ? phase.issued.secTag : phase.credentials.secTag;
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

function cutIn(deviceTag: number): string {
  return `the last run ended while it wrote security tag ${deviceTag}`;
}

function changed(what: string): string {
  return `the ${what} is another one than in the last run`;
}
