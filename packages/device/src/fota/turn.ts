import type { ThinglineError } from "@thingline/protocol";
import type { UpdateEnding, UpdateJournal } from "./journal.js";
import type { FotaPhase } from "./status-details.js";
import { statusDetailsOf } from "./status.js";
import type { UpdateStage, UpdateState } from "./state.js";
import type { FotaEvent, UpdateEffect, UpdateNow, UpdateOutcome, UpdateOutput } from "./types.js";

/** One step of the machine in the making: the new state and the outputs. */
export class TurnBase {
  state: UpdateState;
  readonly outputs: UpdateOutput[] = [];
  protected readonly now: UpdateNow;

  constructor(state: UpdateState, now: UpdateNow) {
    this.state = state;
    this.now = now;
  }

  protected set(change: Partial<UpdateState>): void {
    this.state = { ...this.state, ...change };
  }

  protected get journal(): UpdateJournal {
    const { journal } = this.state;
    if (!journal) throw new Error("an update is under way without a journal");
    return journal;
  }

  /** Remembers it, here at once and on disk by the effect. */
  protected save(change: Partial<UpdateJournal>): UpdateEffect {
    const journal = { ...this.journal, ...change };
    this.set({ journal });
    return { type: "saveJournal", journal };
  }

  /** As {@link save}, when a phase begins; the cloud hears of it. */
  protected savePhase(phase: FotaPhase, change: Partial<UpdateJournal> = {}): UpdateEffect {
    const isNew = this.journal.phase !== phase;
    const effect = this.save({ ...change, phase, ...(isNew && { sinceMs: this.now.unixMs }) });
    this.report();
    return effect;
  }

  protected plan(...plan: readonly UpdateEffect[]): void {
    this.set({ plan });
  }

  protected stage(stage: UpdateStage): void {
    this.set({ stage });
  }

  protected event(event: FotaEvent): void {
    this.outputs.push({ type: "event", event });
  }

  protected note(message: string, error?: ThinglineError): void {
    this.event({ type: "note", message, ...(error && { code: error.code }) });
  }

  protected report(): void {
    if (!this.state.job) return;
    this.outputs.push({ type: "report", details: statusDetailsOf(this.state) });
  }

  /** What the handler of the job is told; nothing when nobody waits. */
  protected finish(outcome: UpdateOutcome): void {
    if (!this.state.job) return;
    this.outputs.push({ type: "finished", outcome });
    this.set({ job: undefined, order: undefined });
  }

  protected finishWith(ending: UpdateEnding, { isAboutJournal = true } = {}): void {
    const state = isAboutJournal ? this.state : { ...this.state, journal: undefined };
    this.finish({ status: ending.status, statusDetails: statusDetailsOf(state, ending) });
  }
}
