import type { AnswerPair } from "./answers.js";
import { isTokenRefused, rejected, unregistered } from "./failures.js";
import { isTransientRejection } from "@thingline/protocol/provisioning";
import { IssueTurn } from "./issue-turn.js";
import { deletesOf } from "./plans.js";
import {
  discardIssued,
  type IssuedCertificate,
  type ProvisioningProgress,
  recordRegistration,
  type Registration,
} from "./progress.js";
import type { ProvisioningStage } from "./state.js";
import type { ProvisioningAnswer, ProvisioningEffect } from "./types.js";

type Answer = Extract<ProvisioningAnswer, { kind: "registered" | "rejected" }>;

/** The part of the machine that calls RegisterThing for what was issued. */
export abstract class ThingTurn extends IssueTurn {
  /** The certificate is good, as far as can be known: on to the device's tag. */
  protected abstract leaveClaim(pair: AnswerPair): void;

  protected registerThing(pair: AnswerPair): void {
    this.stepStarted("registerThing");
    this.set({ problem: undefined, wasRegistering: this.#pending.ownership.isUsed, throttled: { count: 0 } });
    this.enter({ name: "registering", pair }, this.#registerEffects());
  }

  /** That the token is used is remembered before it is: its second use cannot be told from a wrong one. */
  #registerEffects(): ProvisioningEffect[] {
    const { progress } = this.state;
    const { issued, ownership } = this.#pending;
    const used = { ...issued, ownership: { ...ownership, isUsed: true } };
    const remembered = {
      ...recordRegistration(progress, issued.certificateId),
      phase: { name: "issued", issued: used },
    } as const;
    this.set({ registrationsInConnection: this.state.registrationsInConnection + 1 });
    this.askedAgain();
    const save: ProvisioningEffect[] = ownership.isUsed ? [] : [{ type: "saveProgress", progress: remembered }];
    return [...save, { type: "registerThing", token: ownership.token }];
  }

  get #pending(): { issued: IssuedCertificate; ownership: NonNullable<IssuedCertificate["ownership"]> } {
    const { phase } = this.state.progress;
    const issued = phase.name === "issued" ? phase.issued : undefined;
    if (issued?.ownership === undefined) throw new Error("a thing is to be registered without a token");
    return { issued, ownership: issued.ownership };
  }

  protected awaitThing(stage: Extract<ProvisioningStage, { name: "awaitingThing" }>): void {
    const { registrationsInConnection: count, problem, config } = this.state;
    const { answerTimeoutMs } = config.limits;
    if (this.now.monotonicMs >= stage.deadlineMs) return this.fail(unregistered(count, answerTimeoutMs, problem));
    if (!this.isToResend(stage, count)) return;
    this.note(`RegisterThing is not answered yet: request ${count + 1}`);
    this.enter({ ...stage, resendAtMs: this.resendAtMs(count) }, this.#registerEffects());
  }

  protected thingAnswered(answer: Answer): void {
    const { stage } = this.state;
    if (stage.name !== "registering" && stage.name !== "awaitingThing") return;
    if (answer.kind === "registered") return this.#registered(answer.registration, stage.pair);
    const { rejection } = answer;
    const error = rejected(rejection);
    if (isTransientRejection(rejection)) {
      this.noteError(error);
      this.set({ problem: error });
      this.throttled(rejection);
      if (this.isIdle && stage.name === "awaitingThing") this.awaitThing(stage);
      return;
    }
    if (!isTokenRefused(rejection)) {
      this.#tokenIsGood();
      return this.refused(error);
    }
    if (this.#mayBeRegistered) {
      this.note(`${error.message}. An earlier request may have taken effect: connecting will tell`, error);
      return this.#registered(undefined, stage.pair);
    }
    this.#tokenRefused(error);
  }

  /** A refusal for another reason says that the token is as good as before: the next run may use it. */
  #tokenIsGood(): void {
    if (this.#mayBeRegistered) return;
    const { issued, ownership } = this.#pending;
    const unused = { ...issued, ownership: { ...ownership, isUsed: false } };
    this.set({ progress: { ...this.state.progress, phase: { name: "issued", issued: unused } } });
  }

  /** An earlier call with this token has no answer. */
  get #mayBeRegistered(): boolean {
    return this.state.registrationsInConnection > 1 || this.state.wasRegistering;
  }

  #registered(registration: Registration | undefined, pair: AnswerPair): void {
    const { issued } = this.#pending;
    const { ownership: _, ...rest } = issued;
    const progress: ProvisioningProgress = {
      ...this.state.progress,
      phase: { name: "issued", issued: rest },
      ...(registration && { registration }),
    };
    if (registration) {
      const { thingName, deviceConfiguration } = registration;
      this.event({ type: "thingRegistered", thingName, deviceConfiguration });
    }
    // An answer can be faster than the end of its request.
    const { inFlight } = this.state;
    const stage: ProvisioningStage = { name: "recordingThing", pair };
    const plan: ProvisioningEffect[] = [{ type: "saveProgress", progress }];
    if (inFlight) this.set({ stage, plan });
    else this.enter(stage, plan);
  }

  /** The certificate can never be registered: another one, if there is still room for it. */
  #tokenRefused(error: ReturnType<typeof rejected>): void {
    const { renewals, config, progress } = this.state;
    const discarded = discardIssued(progress, error.message);
    if (renewals >= config.limits.renewalsMax) {
      this.stepFailed(error);
      this.set({ progress: discarded });
      const deletes = discarded.phase.name === "keyReady" ? [] : deletesOf(this.state);
      return this.#whenIdle({ name: "undoing", error }, [
        { type: "disconnect" },
        ...(deletes.length > 0 ? [{ type: "linkOffline" } as const, ...deletes] : []),
        { type: "saveProgress", progress: discarded },
        { type: "linkNormal" },
      ]);
    }
    this.note(`${error.message}. Another certificate is asked for`, error);
    this.stepFailed(error);
    this.set({
      renewals: renewals + 1,
      progress: discarded,
      requestsInConnection: 0,
      registrationsInConnection: 0,
      throttled: { count: 0 },
    });
    this.#whenIdle({ name: "subscribing" }, [{ type: "saveProgress", progress: discarded }]);
  }

  #whenIdle(stage: ProvisioningStage, plan: readonly ProvisioningEffect[]): void {
    if (this.state.inFlight) this.set({ stage, plan });
    else this.enter(stage, plan);
  }
}
