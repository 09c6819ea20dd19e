import type { ThinglineError } from "@thingline/protocol";
import { adviceOf } from "./advice.js";
import type { ProvisioningStage, ProvisioningState } from "./state.js";
import type { ProvisioningStepName } from "./steps.js";
import type { ProvisioningEffect, ProvisioningEvent, ProvisioningNow, ProvisioningOutput, StepEvent } from "./types.js";

/** One step of the machine in the making: the new state, the outputs, and the events of the method's steps. */
export abstract class TurnBase {
  state: ProvisioningState;
  readonly outputs: ProvisioningOutput[] = [];
  protected readonly now: ProvisioningNow;

  constructor(state: ProvisioningState, now: ProvisioningNow) {
    this.state = state;
    this.now = now;
  }

  // Events. A step that the method has not is none.

  protected stepStarted(name: ProvisioningStepName): void {
    if (!this.#has(name)) return;
    this.set({
      openSteps: { ...this.state.openSteps, [name]: this.now.monotonicMs },
    });
    this.event({ type: "stepStarted", ...this.#place(name) });
  }

  protected stepDone(name: ProvisioningStepName): void {
    const durationMs = this.#closeStep(name);
    if (durationMs === undefined) return;
    this.event({ type: "stepFinished", ...this.#place(name), durationMs, result: "done" });
  }

  /** What an earlier run has done, from a step up to another, both of them included. */
  protected stepsSkipped(from: ProvisioningStepName, to: ProvisioningStepName): void {
    const names = this.state.config.steps.map(({ name }) => name);
    for (const name of names.slice(Math.max(0, names.indexOf(from)), names.indexOf(to) + 1)) {
      this.event({ type: "stepFinished", ...this.#place(name), durationMs: 0, result: "skipped" });
    }
  }

  /** Whatever step is under way has failed. */
  protected stepFailed(error: ThinglineError): void {
    for (const { name } of this.state.config.steps) {
      const durationMs = this.#closeStep(name);
      if (durationMs === undefined) continue;
      const advice = adviceOf(name, error, this.state.config);
      this.event({ type: "stepFinished", ...this.#place(name), durationMs, result: "failed", error, ...advice });
    }
  }

  #has(name: ProvisioningStepName): boolean {
    return this.state.config.steps.some((step) => step.name === name);
  }

  #place(name: ProvisioningStepName): StepEvent {
    const { steps } = this.state.config;
    return { step: steps.findIndex((step) => step.name === name) + 1, of: steps.length, name };
  }

  #closeStep(name: ProvisioningStepName): number | undefined {
    const { [name]: startedMs, ...openSteps } = this.state.openSteps;
    if (startedMs === undefined) return undefined;
    this.set({ openSteps });
    return this.now.monotonicMs - startedMs;
  }

  protected note(message: string, error?: ThinglineError): void {
    this.event({ type: "note", message, ...(error && { code: error.code }) });
  }

  protected noteError(error: ThinglineError): void {
    this.note(error.message, error);
  }

  protected event(event: ProvisioningEvent): void {
    this.outputs.push({ type: "event", event });
  }

  // State

  protected set(change: Partial<ProvisioningState>): void {
    this.state = { ...this.state, ...change };
  }

  /** Nothing runs and nothing is planned: the machine waits for the peer. */
  protected get isIdle(): boolean {
    return this.state.inFlight === undefined && this.state.plan.length === 0;
  }

  protected enter(stage: ProvisioningStage, plan: readonly ProvisioningEffect[]): void {
    this.set({ stage, plan });
    this.next();
  }

  /** Runs what is planned next, or goes on to the next stage. */
  protected next(): void {
    const { plan, refusal, stage } = this.state;
    const isAsking = stage.name === "requesting" || stage.name === "awaiting" || stage.name === "registering";
    if (refusal && isAsking) return this.fail(refusal);
    const [effect, ...rest] = plan;
    if (!effect) return this.advance();
    this.set({ plan: rest, inFlight: effect });
    this.outputs.push({ type: "run", effect });
  }

  /** The stage is done. */
  protected abstract advance(): void;
  /** Ends without touching a security tag. */
  protected abstract fail(error: ThinglineError): void;
}
