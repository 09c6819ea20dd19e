import type { ThinglineError } from "@thingline/protocol";
import { isTransientRejection } from "@thingline/protocol/provisioning";
import { addAnswer, type AnswerPair, issuedOf, matchAnswers, noAnswers } from "./answers.js";
import { EndingTurn } from "./ending-turn.js";
import {
  claimExpired,
  claimMissing,
  exhausted,
  isThrottled,
  mismatch,
  rejected,
  retryDelayMs,
  unanswered,
} from "./failures.js";
import { claimPlan, claimToWrite, keepingPlan, keyPlan } from "./plans.js";
import { discardOpen, type DeviceKey, recordCertificate, recordLate, recordRequest } from "./progress.js";
import type { ProvisioningStage } from "./state.js";
import {
  candidatesMax,
  type ProvisioningAnswer,
  type ProvisioningEffect,
  tagItems,
  throttledRequestsMax,
} from "./types.js";

type AnswerOf<Kind extends ProvisioningAnswer["kind"]> = Extract<ProvisioningAnswer, { kind: Kind }>;

/** The part of the machine that brings a certificate: claim, key, request and answers. */
export abstract class IssueTurn extends EndingTurn {
  protected abstract connectLte(): void;
  /** RegisterThing was answered. */
  protected abstract thingAnswered(answer: AnswerOf<"registered"> | AnswerOf<"rejected">): void;

  // Before the claim is used

  /** Whatever has to lie in a security tag first, which wants the modem offline; then the network. */
  protected prepareClaim(before: readonly ProvisioningEffect[] = []): void {
    const { progress } = this.state;
    if (Object.keys(claimToWrite(this.state)).length > 0) {
      this.stepStarted("writeClaim");
      return this.enter({ name: "writingClaim" }, [...before, ...claimPlan(this.state)]);
    }
    if (this.state.stage.name !== "writingClaim") this.stepsSkipped("writeClaim", "writeClaim");
    if (!this.needsKey) this.stepsSkipped("makeKey", "makeKey");
    // What was good once stays in its tag until it is known that the claim is.
    if (this.needsKey && progress.phase.name === "claim") return this.makeKey(before);
    if (before.length > 0) return this.connectClaim(before);
    this.connectLte();
  }

  protected makeKey(before: readonly ProvisioningEffect[] = []): void {
    this.stepStarted("makeKey");
    this.enter({ name: "makingKey" }, [...before, ...keyPlan(this.state)]);
  }

  protected keyMade(key: DeviceKey): void {
    const { progress, config } = this.state;
    const { registration: _, ...rest } = progress;
    const made = {
      ...rest,
      way: config.way,
      phase: { name: "keyReady", key },
    } as const;
    this.set({ plan: [{ type: "saveProgress", progress: made }] });
  }

  /** The device makes its own key, and it is not there yet. */
  protected get needsKey(): boolean {
    const { config, progress } = this.state;
    const makes = config.keys === "csr" || config.keys === "modem";
    return makes && progress.phase.name !== "keyReady" && progress.phase.name !== "issued";
  }

  // The claim's connection

  protected connectClaim(before: readonly ProvisioningEffect[] = []): void {
    const { config, tags } = this.state;
    this.stepStarted("connectClaim");
    this.set({
      stage: { name: "connectingClaim" },
      answers: noAnswers,
      problem: undefined,
      connectAttempts: 0,
      requestsInConnection: 0,
      registrationsInConnection: 0,
      throttled: { count: 0 },
    });
    const expiresAtUnixMs = config.claim?.expiresAtUnixMs;
    if (expiresAtUnixMs !== undefined && expiresAtUnixMs <= this.now.unixMs) {
      return this.fail(claimExpired(config.claimTag, expiresAtUnixMs));
    }
    const missing = tagItems.filter((item) => tags.claim[item] === undefined);
    if (missing.length > 0) return this.fail(claimMissing(config.claimTag, missing));
    this.enter({ name: "connectingClaim" }, [...before, { type: "connect", as: "claim", secTag: config.claimTag }]);
  }

  /** The connection is made again, a bounded number of times. */
  protected claimLost(error: ThinglineError): void {
    const { config } = this.state;
    const connections = this.state.claimConnections + 1;
    const max = config.limits.claimConnectionsMax;
    if (connections >= max) return this.fail(error);
    const lost = "the connection was lost before the answer was complete";
    this.note(`${lost} (${connections} of ${max}): ${error.message}`, error);
    this.stepFailed(error);
    this.set({ claimConnections: connections, progress: discardOpen(this.state.progress, lost) });
    this.connectClaim([{ type: "disconnect" }, { type: "wait", delayMs: retryDelayMs(connections, config.limits) }]);
  }

  // The request

  protected request(): void {
    const { progress, config } = this.state;
    const error = exhausted(progress, config.limits, this.now.unixMs);
    this.stepStarted("request");
    if (error) return this.fail(error);
    const { phase } = progress;
    const { sha256, publicKey } = phase.name === "keyReady" ? phase.key : { sha256: "", publicKey: "" };
    const own = phase.name === "keyReady" ? [{ kind: "key" as const, sha256, publicKey }] : [];
    this.set({ answers: { keys: own, certificates: [] }, problem: undefined });
    this.enter({ name: "requesting" }, this.#requestEffects());
  }

  /** A request is remembered before it is made: whatever the cloud makes of it can be explained. */
  #requestEffects(): ProvisioningEffect[] {
    const progress = recordRequest(this.state.progress, this.now.unixMs);
    this.set({ progress, requestsInConnection: this.state.requestsInConnection + 1 });
    this.askedAgain();
    const { phase } = progress;
    const requestPem = phase.name === "keyReady" ? phase.key.requestPem : undefined;
    const publish: ProvisioningEffect = {
      type: "publishRequest",
      ...(requestPem !== undefined && { requestPem }),
    };
    return [{ type: "saveProgress", progress }, publish];
  }

  protected requested(): void {
    this.stepDone("request");
    this.stepStarted("receiveKey");
    this.stepStarted("receiveCertificate");
    // The answer can be faster than the end of the request.
    if (this.state.answers.keys.length > 0) this.stepDone("receiveKey");
    if (this.state.answers.certificates.length > 0) this.stepDone("receiveCertificate");
    this.enter({ name: "awaiting", ...this.waiting }, []);
  }

  protected get waiting(): { deadlineMs: number; resendAtMs: number } {
    const { answerTimeoutMs, resendAfterMs } = this.state.config.limits;
    const { monotonicMs } = this.now;
    return { deadlineMs: monotonicMs + answerTimeoutMs, resendAtMs: monotonicMs + resendAfterMs };
  }

  protected await(stage: Extract<ProvisioningStage, { name: "awaiting" }>): void {
    const pair = matchAnswers(this.state.answers);
    if (pair) return this.#keep(pair);
    const { limits } = this.state.config;
    const { requestsInConnection: requestCount, answers, problem } = this.state;
    const { answerTimeoutMs: timeoutMs, requestsPerConnectionMax: requestsMax } = limits;
    if (this.now.monotonicMs >= stage.deadlineMs) {
      return this.fail(unanswered(answers, problem, { requestCount, timeoutMs, way: this.state.config.way }));
    }
    if (this.isToResend(stage, requestCount)) {
      this.note(`no complete answer yet: request ${this.#lost(requestCount) + 1} of ${requestsMax}`);
      this.enter({ ...stage, resendAtMs: this.resendAtMs(requestCount) }, this.#requestEffects());
    }
  }

  protected resendAtMs(requestCount: number): number {
    return this.now.monotonicMs + this.state.config.limits.resendAfterMs * 2 ** this.#lost(requestCount);
  }

  /** Requests that got no answer at all, of so many in this connection. */
  #lost(requestCount: number): number {
    return requestCount - this.state.throttled.count;
  }

  /** Nothing is lost where the cloud said that it has no time: it is asked again soon, and less soon each time. */
  protected throttled(rejection: AnswerOf<"rejected">["rejection"]): void {
    const { throttled, config } = this.state;
    if (!isThrottled(rejection) || throttled.retryAtMs !== undefined || throttled.count >= throttledRequestsMax) return;
    const count = throttled.count + 1;
    const delayMs = Math.round(retryDelayMs(count, config.limits) * (0.75 + 0.5 * this.now.fraction));
    this.set({ throttled: { count, retryAtMs: this.now.monotonicMs + delayMs } });
  }

  protected askedAgain(): void {
    this.set({ throttled: { count: this.state.throttled.count } });
  }

  /** It is time to ask once more; else there is a time to look again. */
  protected isToResend({ deadlineMs, resendAtMs }: { deadlineMs: number; resendAtMs: number }, count: number): boolean {
    const mayResend = this.#lost(count) < this.state.config.limits.requestsPerConnectionMax;
    const atMs = this.state.throttled.retryAtMs ?? (mayResend ? resendAtMs : deadlineMs);
    if (atMs < deadlineMs && this.now.monotonicMs >= atMs) return true;
    this.outputs.push({ type: "wakeAt", atMs: Math.min(deadlineMs, atMs) });
    return false;
  }

  /** What can be kept is: the certificate with its token, where its key is in the device's tag, or can be put there now. */
  #keep(pair: AnswerPair): void {
    const { config, progress } = this.state;
    this.stepStarted("keepIssued");
    if (config.way === "splitCloudKeys") {
      return this.enter({ name: "keeping", pair }, [{ type: "saveProgress", progress }]);
    }
    const issued = issuedOf(pair, progress, { secTag: config.deviceTag, unixMs: this.now.unixMs });
    const { registration: _, ...rest } = progress;
    const kept = {
      ...rest,
      way: config.way,
      phase: { name: "issued", issued },
    } as const;
    this.enter({ name: "keeping", pair }, [...keepingPlan(this.state, pair), { type: "saveProgress", progress: kept }]);
  }

  // Answers

  protected answer(answer: ProvisioningAnswer): void {
    const { name } = this.state.stage;
    const asksCertificate = name === "subscribing" || name === "requesting" || name === "awaiting";
    const asksThing = name === "registering" || name === "awaitingThing";
    if (answer.kind === "unusable" && (asksCertificate || asksThing)) {
      this.noteError(answer.error);
      // A topic that nobody knows says nothing about the answer that is waited for.
      if (answer.error.code !== "PROVISIONING_TOPIC_UNKNOWN") this.set({ problem: answer.error });
      return;
    }
    const isOfThing = answer.kind === "registered" || (answer.kind === "rejected" && answer.of === "registerThing");
    if (isOfThing && asksThing) return this.thingAnswered(answer);
    if (!isOfThing && asksCertificate && answer.kind === "rejected") return this.#rejected(answer);
    if (asksCertificate && (answer.kind === "key" || answer.kind === "certificate")) return this.#received(answer);
    this.note(`a message (${answer.kind}) came when none was waited for and was ignored`);
    if (answer.kind === "certificate") this.#late(answer.certificateId);
  }

  #late(certificateId: string): void {
    const { unixMs } = this.now;
    const progress = recordLate(this.state.progress, certificateId, unixMs);
    if (progress === this.state.progress) return;
    this.set({
      progress,
      late: [...this.state.late, { certificateId, unixMs }].slice(-candidatesMax),
    });
  }

  #rejected({ rejection }: AnswerOf<"rejected">): void {
    const error = rejected(rejection);
    if (isTransientRejection(rejection)) {
      this.noteError(error);
      this.set({ problem: error });
      this.throttled(rejection);
      if (this.isIdle && this.state.stage.name === "awaiting") this.await(this.state.stage);
    } else this.refused(error);
  }

  protected refused(error: ThinglineError): void {
    if (this.isIdle) this.fail(error);
    else this.set({ refusal: error });
  }

  #received(answer: AnswerOf<"key" | "certificate">): void {
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
    if (this.isIdle && this.state.stage.name === "awaiting") this.await(this.state.stage);
  }
}
