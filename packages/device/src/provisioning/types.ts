import type { ErrorCode, JsonObject, ThinglineError } from "@thingline/protocol";
import type { SplitProvisioningRejection } from "@thingline/protocol/provisioning";
import type { KeyOrigin, ProvisioningWay } from "./method.js";
import type { DeviceKey, ProvisioningProgress, Registration, TagCredentials } from "./progress.js";
import type { ProvisioningStepInfo, ProvisioningStepName, ProvisioningStepNumber } from "./steps.js";

/** The credentials of a security tag, in the order in which the sample writes them. */
export const tagItems = ["privateKey", "certificate", "ca"] as const;
export type TagItem = (typeof tagItems)[number];

/** What a tag holds: digests by item, an item that is not there left out. */
export type TagContent = Readonly<Partial<Record<TagItem, string>>>;

export type CaSource = "option" | "claimTag" | "builtIn";

export interface ProvisioningLimits {
  /** From the first request to the complete pair. Default 60 s. */
  answerTimeoutMs: number;
  /** The request is QoS 0 and may be lost: the first is repeated after this, the next after twice this. Default 15 s. */
  resendAfterMs: number;
  /** Requests in one connection, without those that the cloud had no time for (429), which are repeated sooner. Default 3. */
  requestsPerConnectionMax: number;
  /** Connections with the claim that may end before the answer is there. Default 3. */
  claimConnectionsMax: number;
  /** Attempts to connect, for each of the two tags. Default 5. */
  connectAttemptsMax: number;
  /** Pause after the first failed attempt, or the first 429; doubles with each, up to {@link retryMaxMs}. Default 1 s. */
  retryMinMs: number;
  /** Default 30 s. */
  retryMaxMs: number;
  /** Requests without an accepted certificate, over restarts; after that one per {@link requestRefillMs}. Default 50. */
  requestsMax: number;
  /** Certificates that were written and not accepted, over restarts; after that as above. Default 5. */
  unprovedMax: number;
  /** With `ownCertificate`: attempts to connect while the cloud registers the certificate. Default 10. */
  ownCertificateAttemptsMax: number;
  /** Certificates that are asked for anew in one run because the token of the one before was refused. Default 1. */
  renewalsMax: number;
  /** Default 1 h. */
  requestRefillMs: number;
}

export const defaultProvisioningLimits: Readonly<ProvisioningLimits> = {
  answerTimeoutMs: 60_000,
  resendAfterMs: 15_000,
  requestsPerConnectionMax: 3,
  claimConnectionsMax: 3,
  connectAttemptsMax: 5,
  retryMinMs: 1_000,
  retryMaxMs: 30_000,
  requestsMax: 50,
  unprovedMax: 5,
  ownCertificateAttemptsMax: 10,
  renewalsMax: 1,
  requestRefillMs: 3_600_000,
};

/** Keys or certificates that are kept until their counterpart comes. */
export const candidatesMax = 8;

/** Requests in one connection that are made again because the cloud answered that too many were made, each after a longer pause. */
export const throttledRequestsMax = 5;

/** How long AWS IoT lets a certificate wait for RegisterThing. */
export const ownershipTokenLifetimeMs = 3_600_000;
/** A token that is about to end is not worth a connection. */
export const ownershipMarginMs = 60_000;

/** A claim by its digests. Without a CA it is whatever the tag holds, and the fallback where that holds none. */
export interface ClaimConfig {
  sha256: TagContent;
  fallbackCa: string;
  expiresAtUnixMs: number | undefined;
}

export interface ProvisioningConfig {
  clientId: string;
  claimTag: number;
  deviceTag: number;
  limits: ProvisioningLimits;
  way: ProvisioningWay;
  steps: readonly ProvisioningStepInfo[];
  keys: KeyOrigin | "own";
  /** RegisterThing follows a certificate. */
  registers: boolean;
  /** A key that was received is kept while the connection is open: the store takes it. */
  keepsOnline: boolean;
  /** What the claim's tag shall hold before it is used. Undefined: as it is. */
  claim?: ClaimConfig;
}

/** What the shell does, one at a time; each ends with `succeeded` or `failed`. */
export type ProvisioningEffect =
  | { type: "loadProgress" }
  | { type: "saveProgress"; progress: ProvisioningProgress }
  | { type: "inspectTags" }
  | { type: "linkConnect" }
  | { type: "linkOffline" }
  | { type: "linkNormal" }
  /** Always a full TLS handshake: a resumed session shows the certificate of the first one. */
  | { type: "connect"; as: "claim" | "device"; secTag: number }
  | { type: "subscribe" }
  /** Makes a key pair in the device's tag, which holds none. */
  | { type: "makeKey"; secTag: number }
  /** `requestPem`: for the device's own key. */
  | { type: "publishRequest"; requestPem?: string }
  | { type: "registerThing"; token: string }
  /** Tells which certificate the device's tag holds. */
  | { type: "identify"; secTag: number }
  | { type: "disconnect" }
  | { type: "clearSubscriptions" }
  /** Decides which CA the device's tag gets. */
  | { type: "chooseCa" }
  | { type: "deleteCredential"; secTag: number; item: TagItem }
  | { type: "writeCredential"; secTag: number; item: TagItem; sha256: string }
  | { type: "readDigest"; secTag: number; item: TagItem }
  /** An exchange with the broker that shows that it accepted us. */
  | { type: "prove" }
  /** `delayMs` is without jitter. */
  | { type: "wait"; delayMs: number };

export type ProvisioningEffectType = ProvisioningEffect["type"];

export type EffectResult =
  /** `problem`: a progress was there and could not be understood. */
  | { of: "loadProgress"; progress: ProvisioningProgress | undefined; problem?: string }
  | { of: "inspectTags"; claim: TagContent; device: TagContent }
  | { of: "connect"; isResumed: boolean }
  | { of: "makeKey"; key: DeviceKey }
  | { of: "identify"; certificateId: string }
  | { of: "chooseCa"; source: CaSource; sha256: string; note?: string }
  | { of: "readDigest"; sha256: string | undefined }
  | { of: "nothing"; note?: string };

/** A message on one of the flow's topics, looked into by the shell. The machine sees no key. */
export type ProvisioningAnswer =
  | { kind: "key"; sha256: string; publicKey: string }
  /** `token`: RegisterThing wants to see it. */
  | { kind: "certificate"; sha256: string; publicKey: string; certificateId: string; pem: string; token?: string }
  | { kind: "registered"; registration: Registration }
  /** `of`: which request. */
  | { kind: "rejected"; of: "request" | "registerThing"; rejection: SplitProvisioningRejection }
  | { kind: "unusable"; error: ThinglineError };

export type ProvisioningInput =
  | { type: "start" }
  | { type: "succeeded"; result: EffectResult }
  | { type: "failed"; error: ThinglineError }
  | { type: "answer"; answer: ProvisioningAnswer }
  /** The claim's connection ended by itself. */
  | { type: "connectionLost"; error: ThinglineError }
  | { type: "tick" }
  | { type: "aborted"; error: ThinglineError };

/** Which step an event is about: the `step`th of `of`. */
export interface StepEvent {
  step: ProvisioningStepNumber;
  of: number;
  name: ProvisioningStepName;
}

export type ProvisioningEvent =
  | ({ type: "stepStarted" } & StepEvent)
  | ({
      type: "stepFinished";
      durationMs: number;
      result: "done" | "skipped";
    } & StepEvent)
  /** `reason`: what went wrong, `next`: the next thing to try, both in words for people. */
  | ({
      type: "stepFinished";
      durationMs: number;
      result: "failed";
      error: ThinglineError;
      reason: string;
      next: string;
    } & StepEvent)
  | { type: "caChosen"; source: CaSource }
  /** RegisterThing was accepted, in this run. */
  | { type: "thingRegistered"; thingName: string | undefined; deviceConfiguration: JsonObject }
  /** Something worth a line: a retry, a message that was ignored, what a restart found. `code` where an error code fits. */
  | { type: "note"; message: string; code?: ErrorCode };

export type ProvisioningOutcome =
  | { type: "provisioned"; isNew: boolean; credentials: TagCredentials }
  | { type: "failed"; error: ThinglineError };

export type ProvisioningOutput =
  | { type: "run"; effect: ProvisioningEffect }
  | { type: "wakeAt"; atMs: number }
  | { type: "event"; event: ProvisioningEvent }
  | { type: "finished"; outcome: ProvisioningOutcome };

export interface ProvisioningNow {
  /** For deadlines and durations. */
  monotonicMs: number;
  /** For the history. */
  unixMs: number;
  /** By chance, from 0 to less than 1: devices that were turned away together must not come back together. */
  fraction: number;
}
