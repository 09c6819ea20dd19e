import type { ThinglineError } from "@thingline/protocol";
import type { AnswerPair, Answers } from "./answers.js";
import { noAnswers } from "./answers.js";
import type { ProvisioningProgress, TagCredentials } from "./progress.js";
import { newProgress } from "./progress.js";
import type { ProvisioningStepName } from "./steps.js";
import type {
  ProvisioningConfig,
  ProvisioningEffect,
  ProvisioningOutcome,
  ProvisioningOutput,
  TagContent,
} from "./types.js";

export type ProvisioningStage =
  | { name: "loading" }
  /** Deletes what must not be used. */
  | { name: "cleaning" }
  /** Writes the claim to its tag. */
  | { name: "writingClaim" }
  | { name: "makingKey" }
  /** Finds out which certificate of its own the device has. */
  | { name: "identifying" }
  /** Writes the CA that a power cut left out. */
  | { name: "completing"; credentials: TagCredentials }
  | { name: "connectingLte" }
  | { name: "connectingClaim" }
  | { name: "subscribing" }
  | { name: "requesting" }
  | { name: "awaiting"; deadlineMs: number; resendAtMs: number }
  /** Keeps what was issued, so that no power cut loses it. */
  | { name: "keeping"; pair: AnswerPair }
  | { name: "registering"; pair: AnswerPair }
  | { name: "awaitingThing"; pair: AnswerPair; deadlineMs: number; resendAtMs: number }
  | { name: "recordingThing"; pair: AnswerPair }
  | { name: "disconnecting"; pair: AnswerPair }
  | { name: "goingOffline"; pair: AnswerPair }
  | { name: "writing"; pair: AnswerPair; credentials: TagCredentials | undefined }
  | { name: "clearing" }
  | { name: "goingNormal" }
  | { name: "connectingDevice" }
  /** Undoes what was written and restores the link, then fails. */
  | { name: "undoing"; error: ThinglineError }
  | { name: "failing"; error: ThinglineError }
  | { name: "finished"; outcome: ProvisioningOutcome };

/** Serializable but for errors; holds no private key, only its digest. */
export interface ProvisioningState {
  config: ProvisioningConfig;
  stage: ProvisioningStage;
  /** What is still to be done in this stage. */
  plan: readonly ProvisioningEffect[];
  /** At most one effect runs at a time. */
  inFlight: ProvisioningEffect | undefined;
  /** What the last run left. */
  remembered: ProvisioningProgress | undefined;
  progress: ProvisioningProgress;
  tags: { claim: TagContent; device: TagContent };
  answers: Answers;
  /** The last thing that was wrong with an answer: the reason to tell when none comes. */
  problem: ThinglineError | undefined;
  /** A refusal that came while an effect was running. */
  refusal: ThinglineError | undefined;
  requestsInConnection: number;
  registrationsInConnection: number;
  /** Of them those that the cloud had no time for, and when the next is made if the last was one. */
  throttled: { count: number; retryAtMs?: number };
  /** RegisterThing was called with this token before this connection. */
  wasRegistering: boolean;
  /** The cloud does not take the credentials that it took once. */
  isDeviceRefused: boolean;
  /** Certificates that were asked for anew, as their tokens were refused. */
  renewals: number;
  /** Certificates that came when none was waited for. */
  late: readonly { certificateId: string; unixMs: number }[];
  claimConnections: number;
  connectAttempts: number;
  /** The credentials in use were proved in this run. */
  isNew: boolean;
  /** Monotonic start of each step that is under way. */
  openSteps: Readonly<Partial<Record<ProvisioningStepName, number>>>;
}

export type ProvisioningStep = [next: ProvisioningState, outputs: readonly ProvisioningOutput[]];

export function newProvisioningState(config: ProvisioningConfig): ProvisioningState {
  return {
    config,
    stage: { name: "loading" },
    plan: [],
    inFlight: undefined,
    remembered: undefined,
    progress: newProgress(config.clientId),
    tags: { claim: {}, device: {} },
    answers: noAnswers,
    problem: undefined,
    refusal: undefined,
    requestsInConnection: 0,
    registrationsInConnection: 0,
    throttled: { count: 0 },
    wasRegistering: false,
    isDeviceRefused: false,
    renewals: 0,
    late: [],
    claimConnections: 0,
    connectAttempts: 0,
    isNew: false,
    openSteps: {},
  };
}
