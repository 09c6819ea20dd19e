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
  /** Writes the CA that a power cut left out. */
  | { name: "completing"; credentials: TagCredentials }
  | { name: "connectingLte" }
  | { name: "connectingClaim" }
  | { name: "subscribing" }
  | { name: "requesting" }
  | { name: "awaiting"; deadlineMs: number; resendAtMs: number }
  | { name: "recording"; pair: AnswerPair }
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

/** Serializable but for errors; holds no key and no certificate, only their digests. */
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
    claimConnections: 0,
    connectAttempts: 0,
    isNew: false,
    openSteps: {},
  };
}
