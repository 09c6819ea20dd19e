import type { ThinglineError } from "@thingline/protocol";
import { isTransientRejection } from "@thingline/protocol/provisioning";
import { addAnswer, matchAnswers, noAnswers } from "./answers.js";
import {
  attemptsMax,
  claimMissing,
  exhausted,
  isRefusal,
  mismatch,
  notProved,
  notVerified,
  rejected,
  resumedSession,
  retryDelayMs,
  unanswered,
} from "./failures.js";
import { completingPlan, deletesOf, deviceEffects, writingPlan } from "./plans.js";
import type { ProvisioningProgress } from "./progress.js";
import { discardCredentials, discardOpen, recordCertificate, recordOutcome, recordRequest } from "./progress.js";
import { decideRecovery } from "./recovery.js";
import type { ProvisioningStage, ProvisioningState, ProvisioningStep } from "./state.js";
import { provisioningSteps } from "./steps.js";
import { TurnBase } from "./turn.js";
import type {
  EffectResult,
  ProvisioningAnswer,
  ProvisioningEffect,
  ProvisioningInput,
  ProvisioningNow,
  ProvisioningOutcome,
  TagItem,
} from "./types.js";
import { tagItems } from "./types.js";

/** One input, one new state, what to do about it. Pure: the state that is given stays as it is. */
export function stepProvisioning(
  state: ProvisioningState,
  input: ProvisioningInput,
  now: ProvisioningNow,
): ProvisioningStep {
  const turn = new Turn(state, now);
  turn.handle(input);
  return [turn.state, turn.outputs];
}

class Turn extends TurnBase {
  handle(input: ProvisioningInput): void {
    if (this.state.stage.name === "finished") return;
    switch (input.type) {
      case "start":
        return this.#enter({ name: "loading" }, [{ type: "loadProgress" }, { type: "inspectTags" }]);
      case "succeeded":
        return this.#succeeded(input.result);
      case "failed": {
        const { inFlight } = this.state;
        this.set({ inFlight: undefined });
        if (inFlight) this.#failed(inFlight, input.error);
        return;
      }
      case "answer":
        return this.#answer(input.answer);
      case "connectionLost":
        if (this.isIdle && this.state.stage.name === "awaiting") this.#claimLost(input.error);
        return;
      case "tick":
        if (this.isIdle && this.state.stage.name === "awaiting") this.#await(this.state.stage);
        return;
      case "aborted":
        return this.#finishFailed(input.error);
    }
  }

  // What an effect brought

  #succeeded(result: EffectResult): void {
    const { stage, config, inFlight } = this.state;
    this.set({ inFlight: undefined });
    if (inFlight?.type === "saveProgress") this.#saved(inFlight.progress);
    switch (result.of) {
      case "loadProgress":
        if (result.problem !== undefined) this.note(result.problem);
        this.set({ remembered: result.progress });
        break;
      case "inspectTags":
        this.set({ tags: { claim: result.claim, device: result.device } });
        break;
      case "connect":
        if (stage.name === "connectingDevice" && result.isResumed) {
          return this.#connectFailed(resumedSession(config.deviceTag), "device");
        }
        break;
      case "chooseCa":
        this.event({ type: "caChosen", source: result.source });
        if (result.note !== undefined) this.note(result.note);
        if (stage.name === "writing") {
          const { credentials, plan } = writingPlan(this.state, stage.pair, result.sha256);
          this.set({ stage: { ...stage, credentials }, plan });
        } else if (stage.name === "completing") {
          const { credentials, plan } = completingPlan(this.state.progress, stage.credentials, result.sha256);
          this.set({ stage: { ...stage, credentials }, plan });
        }
        break;
      case "readDigest":
        if (inFlight?.type === "readDigest" && !this.#verified(inFlight.item, result.sha256)) return;
        break;
      case "nothing":
        if (result.note !== undefined) this.note(result.note);
        break;
    }
    this.#next();
  }

  #failed(effect: ProvisioningEffect, error: ThinglineError): void {
    if (error.code === "ABORTED") return this.#finishFailed(error);
    const { stage } = this.state;
    switch (stage.name) {
      case "loading":
      case "connectingLte":
      case "recording":
      case "goingNormal":
        return this.#fail(error);
      case "cleaning":
        // The claim does not look at what is left in the device's tag; only the memory of that must be kept.
        if (effect.type === "saveProgress") return this.#fail(error);
        this.noteError(error);
        return this.#next();
      case "completing":
        this.noteError(error);
        return this.#clean(`the CA could not be added: ${error.message}`);
      case "connectingClaim":
        return effect.type === "connect" ? this.#connectFailed(error, "claim") : this.#skipDisconnect(effect, error);
      case "subscribing":
      case "requesting":
      case "awaiting":
        if (effect.type === "saveProgress" || error.code === "MQTT_SUBSCRIPTION_REFUSED") return this.#fail(error);
        return this.#claimLost(error);
      case "disconnecting":
      case "clearing":
        this.noteError(error);
        return this.#next();
      case "goingOffline":
        return this.#undo(error, []);
      case "writing":
        // Until it was remembered that the tag is written, it holds what it held before.
        return this.#undo(error, this.state.progress.phase.name === "writing" ? deletesOf(this.state) : []);
      case "connectingDevice":
        if (effect.type === "saveProgress") return this.#fail(error);
        if (effect.type === "disconnect") return this.#skipDisconnect(effect, error);
        return this.#connectFailed(error, "device");
      case "undoing":
      case "failing":
        this.noteError(error);
        return this.#next();
      case "finished":
        return;
    }
  }

  /** A connection that is dropped anyhow may fail to say goodbye. */
  #skipDisconnect(effect: ProvisioningEffect, error: ThinglineError): void {
    if (effect.type !== "disconnect") return this.#fail(error);
    this.noteError(error);
    this.#next();
  }

  /** While answers may come, what is remembered can be ahead of what was saved. */
  #saved(progress: ProvisioningProgress): void {
    const { name } = this.state.stage;
    if (name !== "requesting" && name !== "awaiting") this.set({ progress });
  }

  // From stage to stage

  #next(): void {
    const { plan, refusal, stage } = this.state;
    if (refusal && (stage.name === "requesting" || stage.name === "awaiting")) return this.#fail(refusal);
    const [effect, ...rest] = plan;
    if (!effect) return this.#advance();
    this.set({ plan: rest, inFlight: effect });
    this.outputs.push({ type: "run", effect });
  }

  #advance(): void {
    const { stage, config } = this.state;
    switch (stage.name) {
      case "loading":
        return this.#recover();
      case "cleaning":
      case "completing":
        return this.#connectLte();
      case "connectingLte":
        this.stepDone("connectLte");
        if (this.state.progress.phase.name === "claim") return this.#connectClaim();
        for (const { name } of provisioningSteps.slice(1, -1)) this.stepSkipped(name);
        return this.#connectDevice();
      case "connectingClaim":
        this.stepDone("connectClaim");
        this.stepStarted("subscribe");
        return this.#enter({ name: "subscribing" }, [{ type: "subscribe" }]);
      case "subscribing":
        this.stepDone("subscribe");
        return this.#request();
      case "requesting": {
        this.stepDone("request");
        this.stepStarted("receiveKey");
        this.stepStarted("receiveCertificate");
        // The answer can be faster than the end of the request.
        if (this.state.answers.keys.length > 0) this.stepDone("receiveKey");
        if (this.state.answers.certificates.length > 0) this.stepDone("receiveCertificate");
        const { answerTimeoutMs, resendAfterMs } = config.limits;
        const { monotonicMs } = this.now;
        const deadlineMs = monotonicMs + answerTimeoutMs;
        const awaiting = { name: "awaiting", deadlineMs, resendAtMs: monotonicMs + resendAfterMs } as const;
        return this.#enter(awaiting, []);
      }
      case "awaiting":
        return this.#await(stage);
      case "recording":
        this.stepStarted("disconnect");
        return this.#enter({ name: "disconnecting", pair: stage.pair }, [{ type: "disconnect" }]);
      case "disconnecting":
        this.stepDone("disconnect");
        this.stepStarted("modemOffline");
        return this.#enter({ name: "goingOffline", pair: stage.pair }, [{ type: "linkOffline" }]);
      case "goingOffline":
        this.stepDone("modemOffline");
        this.stepStarted("writeCredentials");
        return this.#enter({ name: "writing", pair: stage.pair, credentials: undefined }, [{ type: "chooseCa" }]);
      case "writing":
        this.stepDone("writeCredentials");
        this.stepStarted("clearSubscriptions");
        return this.#enter({ name: "clearing" }, [{ type: "clearSubscriptions" }]);
      case "clearing":
        this.stepDone("clearSubscriptions");
        this.stepStarted("modemNormal");
        return this.#enter({ name: "goingNormal" }, [{ type: "linkConnect" }]);
      case "goingNormal":
        this.stepDone("modemNormal");
        return this.#connectDevice();
      case "connectingDevice":
        return this.#provisioned();
      case "undoing":
      case "failing":
        return this.#finishFailed(stage.error);
      case "finished":
        return;
    }
  }

  #recover(): void {
    const { config, tags, remembered } = this.state;
    const decision = decideRecovery(remembered, tags.device, config);
    this.set({ progress: decision.progress });
    if (decision.note !== undefined) this.note(decision.note);
    switch (decision.action) {
      case "claim":
      case "useDevice":
        return this.#connectLte();
      case "prove":
        return decision.save
          ? this.#enter({ name: "cleaning" }, [{ type: "saveProgress", progress: decision.progress }])
          : this.#connectLte();
      case "completeCa":
        return this.#enter({ name: "completing", credentials: decision.credentials }, [
          { type: "linkOffline" },
          { type: "chooseCa" },
        ]);
      case "clean":
        return this.#enter({ name: "cleaning" }, [
          { type: "linkOffline" },
          ...deletesOf(this.state),
          { type: "saveProgress", progress: decision.progress },
        ]);
    }
  }

  #clean(reason: string): void {
    const { progress } = this.state;
    if (progress.phase.name !== "claim") {
      this.set({ progress: discardCredentials(progress, progress.phase.credentials, reason) });
    }
    this.#enter({ name: "cleaning" }, [
      { type: "linkOffline" },
      ...deletesOf(this.state),
      { type: "saveProgress", progress: this.state.progress },
    ]);
  }

  #connectLte(): void {
    this.stepStarted("connectLte");
    this.#enter({ name: "connectingLte" }, [{ type: "linkConnect" }]);
  }

  #connectClaim(before: readonly ProvisioningEffect[] = []): void {
    const { config, tags } = this.state;
    this.stepStarted("connectClaim");
    this.set({
      stage: { name: "connectingClaim" },
      answers: noAnswers,
      problem: undefined,
      connectAttempts: 0,
      requestsInConnection: 0,
    });
    const missing = tagItems.filter((item) => tags.claim[item] === undefined);
    if (missing.length > 0) return this.#fail(claimMissing(config.claimTag, missing));
    this.#enter({ name: "connectingClaim" }, [...before, { type: "connect", as: "claim", secTag: config.claimTag }]);
  }

  #connectDevice(): void {
    this.stepStarted("connectDevice");
    this.set({ connectAttempts: 0, isNew: this.state.progress.phase.name === "written" });
    this.#enter({ name: "connectingDevice" }, deviceEffects(this.state));
  }

  #connectFailed(error: ThinglineError, as: "claim" | "device"): void {
    const { config } = this.state;
    const attempts = this.state.connectAttempts + 1;
    this.set({ connectAttempts: attempts });
    const max = attemptsMax(error, as, config.limits);
    if (attempts < max) {
      this.note(`attempt ${attempts} of ${max} failed: ${error.message}`, error);
      const wait: ProvisioningEffect[] = [
        { type: "disconnect" },
        { type: "wait", delayMs: retryDelayMs(attempts, config.limits) },
      ];
      const again: ProvisioningEffect[] =
        as === "claim" ? [{ type: "connect", as: "claim", secTag: config.claimTag }] : deviceEffects(this.state);
      return this.#enter(this.state.stage, [...wait, ...again]);
    }
    if (as === "claim" || !isRefusal(error)) return this.#fail(error);
    this.#deviceRefused(error, attempts);
  }

  #deviceRefused(error: ThinglineError, attempts: number): void {
    const { progress, config } = this.state;
    if (progress.phase.name === "provisioned") {
      // What was good once and is refused now was revoked. It stays in its tag until there is something better.
      this.note(`security tag ${config.deviceTag} is refused, back to the claim: ${error.message}`, error);
      this.stepFailed(error);
      return this.#connectClaim([{ type: "disconnect" }]);
    }
    this.set({ progress: { ...progress, unprovedCount: progress.unprovedCount + 1 } });
    this.#undo(notProved(error, attempts, config.deviceTag), [
      { type: "disconnect" },
      { type: "linkOffline" },
      ...deletesOf(this.state),
    ]);
  }

  // The request and its answers

  #request(): void {
    const error = exhausted(this.state.progress, this.state.config.limits, this.now.unixMs);
    this.stepStarted("request");
    if (error) return this.#fail(error);
    this.#enter({ name: "requesting" }, this.#requestEffects());
  }

  /** A request is remembered before it is made: whatever the cloud makes of it can be explained. */
  #requestEffects(): ProvisioningEffect[] {
    const progress = recordRequest(this.state.progress, this.now.unixMs);
    this.set({ progress, requestsInConnection: this.state.requestsInConnection + 1 });
    return [{ type: "saveProgress", progress }, { type: "publishRequest" }];
  }

  #await(stage: Extract<ProvisioningStage, { name: "awaiting" }>): void {
    const pair = matchAnswers(this.state.answers);
    if (pair) {
      this.set({ progress: recordOutcome(this.state.progress, pair.certificate.certificateId, "received") });
      return this.#enter({ name: "recording", pair }, [{ type: "saveProgress", progress: this.state.progress }]);
    }
    const { monotonicMs } = this.now;
    const { limits } = this.state.config;
    const { requestsInConnection: requestCount, answers, problem } = this.state;
    if (monotonicMs >= stage.deadlineMs) {
      return this.#fail(unanswered(answers, problem, { requestCount, timeoutMs: limits.answerTimeoutMs }));
    }
    const mayResend = requestCount < limits.requestsPerConnectionMax;
    if (mayResend && monotonicMs >= stage.resendAtMs) {
      this.note(`no complete answer yet: request ${requestCount + 1} of ${limits.requestsPerConnectionMax}`);
      const resendAtMs = monotonicMs + limits.resendAfterMs * 2 ** requestCount;
      return this.#enter({ ...stage, resendAtMs }, this.#requestEffects());
    }
    const atMs = mayResend ? Math.min(stage.deadlineMs, stage.resendAtMs) : stage.deadlineMs;
    this.outputs.push({ type: "wakeAt", atMs });
  }

  #answer(answer: ProvisioningAnswer): void {
    const { stage } = this.state;
    const isWanted = stage.name === "subscribing" || stage.name === "requesting" || stage.name === "awaiting";
    if (!isWanted) return this.note(`a message (${answer.kind}) came when none was waited for and was ignored`);
    if (answer.kind === "unusable") {
      this.note(answer.error.message, answer.error);
      // A topic that nobody knows says nothing about the answer that is waited for.
      if (answer.error.code !== "PROVISIONING_TOPIC_UNKNOWN") this.set({ problem: answer.error });
    } else if (answer.kind === "rejected") {
      this.#rejected(rejected(answer.rejection), isTransientRejection(answer.rejection));
    } else {
      this.#received(answer);
    }
  }

  #rejected(error: ThinglineError, isTransient: boolean): void {
    if (isTransient) {
      this.note(error.message, error);
      this.set({ problem: error });
    } else if (this.isIdle) {
      this.#fail(error);
    } else {
      this.set({ refusal: error });
    }
  }

  #received(answer: Extract<ProvisioningAnswer, { kind: "key" | "certificate" }>): void {
    const answers = addAnswer(this.state.answers, answer);
    if (!answers) {
      const message = `the same ${answer.kind} came twice; the second was ignored`;
      return this.event({ type: "note", message, code: "PROVISIONING_DUPLICATE" });
    }
    this.set({ answers });
    if (answer.kind === "certificate") {
      const { progress } = this.state;
      this.set({ progress: recordCertificate(progress, answer.certificateId, this.now.unixMs) });
    }
    this.stepDone(answer.kind === "key" ? "receiveKey" : "receiveCertificate");
    if (!matchAnswers(answers) && answers.keys.length > 0 && answers.certificates.length > 0) {
      const error = mismatch(answers);
      this.set({ problem: error });
      this.note(`${error.message}; waiting for the others`, error);
    }
    if (this.isIdle && this.state.stage.name === "awaiting") this.#await(this.state.stage);
  }

  #claimLost(error: ThinglineError): void {
    const { config } = this.state;
    const connections = this.state.claimConnections + 1;
    const max = config.limits.claimConnectionsMax;
    if (connections >= max) return this.#fail(error);
    this.note(
      `the connection was lost before the answer was complete (${connections} of ${max}): ${error.message}`,
      error,
    );
    this.stepFailed(error);
    const progress = discardOpen(this.state.progress, "the connection was lost before the answer was complete");
    this.set({ claimConnections: connections, progress });
    this.#connectClaim([{ type: "disconnect" }, { type: "wait", delayMs: retryDelayMs(connections, config.limits) }]);
  }

  // Writing

  /** @returns false when the flow went another way. */
  #verified(item: TagItem, found: string | undefined): boolean {
    const { stage, config } = this.state;
    if (stage.name !== "writing" && stage.name !== "completing") return true;
    if (found !== undefined && found === stage.credentials?.sha256[item]) return true;
    const error = notVerified(config.deviceTag, item, found);
    if (stage.name === "completing") this.#clean(error.message);
    else this.#undo(error, deletesOf(this.state));
    return false;
  }

  // The end

  #undo(error: ThinglineError, effects: readonly ProvisioningEffect[]): void {
    this.stepFailed(error);
    const { progress, stage } = this.state;
    const reason = error.message;
    let undone = progress;
    if (progress.phase.name === "writing" || progress.phase.name === "written") {
      undone = discardCredentials(progress, progress.phase.credentials, reason);
    } else if ("pair" in stage) {
      undone = recordOutcome(progress, stage.pair.certificate.certificateId, "discarded", reason);
    }
    undone = discardOpen(undone, reason);
    this.set({ progress: undone });
    this.#enter({ name: "undoing", error }, [
      ...effects,
      { type: "saveProgress", progress: undone },
      { type: "linkNormal" },
    ]);
  }

  /** Ends without touching a security tag. What is open is closed in the history, if there is anything. */
  #fail(error: ThinglineError): void {
    this.stepFailed(error);
    const progress = discardOpen(this.state.progress, error.message);
    const isOpen = this.state.progress.history.some(({ outcome }) => outcome === "requested" || outcome === "received");
    // A progress that could not be read or written is not written over.
    const save: ProvisioningEffect[] =
      isOpen && error.code !== "FILE_UNREADABLE" ? [{ type: "saveProgress", progress }] : [];
    this.set({ progress });
    this.#enter({ name: "failing", error }, [...save, { type: "disconnect" }]);
  }

  #finishFailed(error: ThinglineError): void {
    this.stepFailed(error);
    this.#finish({ type: "failed", error });
  }

  #provisioned(): void {
    const { phase } = this.state.progress;
    if (phase.name === "claim") throw new Error("the device was connected without credentials of its own");
    this.stepDone("connectDevice");
    const { isNew } = this.state;
    this.#finish({ type: "provisioned", isNew, credentials: phase.credentials });
  }

  #finish(outcome: ProvisioningOutcome): void {
    this.set({ stage: { name: "finished", outcome }, plan: [], inFlight: undefined });
    this.outputs.push({ type: "finished", outcome });
  }

  #enter(stage: ProvisioningStage, plan: readonly ProvisioningEffect[]): void {
    this.set({ stage, plan });
    this.#next();
  }
}
