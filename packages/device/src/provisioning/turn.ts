import type { ThinglineError } from "@thingline/protocol";
import type { ProvisioningState } from "./state.js";
import type { ProvisioningStepName } from "./steps.js";
import { provisioningStepsOf } from "./steps.js";
import { adviceOf } from "./advice.js";
import type { ProvisioningEvent, ProvisioningNow, ProvisioningOutput, StepEvent } from "./types.js";

/** One step of the machine in the making: the new state, the outputs, and the events of its steps. */
export class TurnBase {
  state: ProvisioningState;
  readonly outputs: ProvisioningOutput[] = [];
  protected readonly now: ProvisioningNow;

  constructor(state: ProvisioningState, now: ProvisioningNow) {
    this.state = state;
    this.now = now;
  }

  protected stepStarted(name: ProvisioningStepName): void {
    this.set({ openSteps: { ...this.state.openSteps, [name]: this.now.monotonicMs } });
    this.event({ type: "stepStarted", ...this.#place(name) });
  }

  protected stepDone(name: ProvisioningStepName): void {
    const durationMs = this.#closeStep(name);
    if (durationMs === undefined) return;
    this.event({ type: "stepFinished", ...this.#place(name), durationMs, result: "done" });
  }

  protected stepSkipped(name: ProvisioningStepName): void {
    this.event({ type: "stepFinished", ...this.#place(name), durationMs: 0, result: "skipped" });
  }

  /** Whatever step is under way has failed. */
  protected stepFailed(error: ThinglineError): void {
    for (const { name } of this.#steps) {
      const durationMs = this.#closeStep(name);
      if (durationMs === undefined) continue;
      const advice = adviceOf(name, error);
      this.event({ type: "stepFinished", ...this.#place(name), durationMs, result: "failed", error, ...advice });
    }
  }

  get #steps() {
    return provisioningStepsOf({ kind: "split" });
  }

  #place(name: ProvisioningStepName): StepEvent {
    return { step: this.#steps.findIndex((step) => step.name === name) + 1, of: this.#steps.length, name };
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

  /** Nothing runs and nothing is planned: the machine waits for the peer. */
  protected get isIdle(): boolean {
    return this.state.inFlight === undefined && this.state.plan.length === 0;
  }

  protected set(change: Partial<ProvisioningState>): void {
    this.state = { ...this.state, ...change };
  }
}
