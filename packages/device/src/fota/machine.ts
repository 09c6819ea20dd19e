import { ThinglineError } from "@thingline/protocol";
import { DownloadTurn } from "./download-turn.js";
import { causeOf, healthTimeout } from "./failures.js";
import { newJournal, type UpdateEnding } from "./journal.js";
import { decideRecovery, runsNewImage } from "./recovery.js";
import { noAttempts, stoppableStages, type UpdateState, type UpdateStep } from "./state.js";
import { statusDetailsOf } from "./status.js";
import type { FirmwareVerdict } from "./target.js";
import {
  type EffectResult,
  type StopReason,
  stubbornAttemptsMax,
  type UpdateEffect,
  type UpdateInput,
  type UpdateJob,
  type UpdateNow,
} from "./types.js";
import { isWantedVersion } from "./version.js";

/** One input, one new state, what to do about it. Pure: the state that is given stays as it is. */
export function stepUpdate(state: UpdateState, input: UpdateInput, now: UpdateNow): UpdateStep {
  const turn = new Turn(state, now);
  turn.handle(input);
  return [turn.state, turn.outputs];
}

/** What may be broken off when it is in vain. Everything else is short, and ends by itself. */
const abortable: ReadonlySet<UpdateEffect["type"]> = new Set<UpdateEffect["type"]>([
  "openDownload",
  "recognise",
  "begin",
  "resume",
  "pump",
  "verify",
  "announce",
  "refreshDocument",
  "wait",
]);

class Turn extends DownloadTurn {
  handle(input: UpdateInput): void {
    switch (input.type) {
      case "start":
        this.stage({ name: "loading" });
        this.plan({ type: "loadJournal" }, { type: "inspect" });
        return this.runNext();
      case "job":
        return this.#job(input.job);
      case "dropNext":
        return this.set({ nextJob: undefined });
      case "stop":
        return this.#stop(input.why);
      case "succeeded":
        this.set({ inFlight: undefined });
        return this.#succeeded(input.result);
      case "failed": {
        const { inFlight } = this.state;
        this.set({ inFlight: undefined });
        if (inFlight) this.#failed(inFlight, input.error);
        return;
      }
      case "progress":
        return this.progress(input.offset);
      case "tick":
        return this.#tick();
    }
  }

  // Jobs come and go

  #job(job: UpdateJob): void {
    const { stage, job: current } = this.state;
    if (stage.name === "resting") return this.#take(job);
    // The new image runs already, or what was decided about it is carried out.
    const isOurs = !current && ["proving", "confirming", "ending"].includes(stage.name) && this.#isOf(job);
    if (!isOurs) return this.set({ nextJob: job });
    this.set({ job });
    this.report();
  }

  #isOf({ jobId, executionNumber, document }: UpdateJob): boolean {
    const { journal } = this.state;
    return (
      journal?.jobId === jobId &&
      journal.executionNumber === executionNumber &&
      "order" in document &&
      journal.documentId === document.order.documentId
    );
  }

  #take(job: UpdateJob): void {
    this.set({ job, nextJob: undefined, stop: undefined, attempts: noAttempts, problem: undefined, percent: -1 });
    this.set({ order: "order" in job.document ? job.document.order : undefined, sourceIndex: 0 });
    this.stage({ name: "taking" });
    this.plan({ type: "inspect" });
    this.runNext();
  }

  #taken(job: UpdateJob): void {
    const { document } = job;
    const { journal, states, config } = this.state;
    if ("refused" in document) {
      const { reason, message } = document.refused;
      this.event({ type: "error", cause: "invalidUpdate", reason, message, versionRunning: undefined });
      this.finishWith({ status: "REJECTED", reason, message }, { isAboutJournal: false });
      return this.#rest();
    }
    const { exhausted } = job;
    if (!journal || !this.#isOf(job)) {
      if (exhausted) {
        this.finishWith({ status: "FAILED", ...exhausted }, { isAboutJournal: false });
        return this.#rest();
      }
      if (job.isResumed && !journal) this.note("what was remembered of the update is gone: it begins again");
      return this.#clear();
    }
    if (journal.isEnded) {
      if (journal.ending) this.finishWith(journal.ending);
      return this.#rest();
    }
    const recovery = decideRecovery(journal, states, config);
    if (recovery.action !== "rest") return this.#recover();
    if (journal.target !== undefined && states[journal.target]?.isScheduled === true) return this.#reboot("install");
    if (exhausted) return this.#end({ status: "FAILED", ...exhausted });
    if (journal.phase !== "downloading") return this.verify();
    this.open();
  }

  /** Something of another job may lie where it was going. */
  #clear(): void {
    const { journal } = this.state;
    this.stage({ name: "clearing" });
    const isLeft = journal?.target !== undefined && !journal.isEnded;
    this.plan(...(isLeft ? [{ type: "discard", target: journal.target ?? "" } as const] : []));
    this.runNext();
  }

  #begin(): void {
    const { job, order } = this.state;
    if (!job || !order) return this.#rest();
    const { documentId, versionWanted } = order;
    this.set({ journal: newJournal({ ...job, documentId, versionWanted }, this.now.unixMs) });
    this.stage({ name: "waiting" });
    this.plan(this.save({}));
    this.runNext();
  }

  #stop(why: StopReason): void {
    const { inFlight, stage } = this.state;
    this.set({ stop: why });
    if (!stoppableStages.has(stage.name) && !this.#isStoppableReboot) return this.#detach(why);
    if (inFlight && abortable.has(inFlight.type)) {
      const message = why === "closing" ? "the process ends" : "the job was taken away";
      return void this.outputs.push({ type: "abortEffect", error: abortError(message) });
    }
    if (!inFlight) this.#stopped(why);
  }

  /** What was decided goes on without the job. */
  #detach(why: StopReason): void {
    this.set({ stop: undefined });
    if (why === "closing") return this.finish({ status: "IN_PROGRESS" });
    this.finishWith({
      status: "FAILED",
      reason: "cancelled",
      message: "the job was taken away when its image ran already",
    });
  }

  #stopped(why: StopReason): void {
    this.set({ stop: undefined, plan: [] });
    if (why === "closing") {
      const isBegun = this.state.journal?.isEnded === false;
      this.stage({ name: "closing" });
      this.plan({ type: "closeDownload" }, ...(isBegun ? [this.save({})] : []));
      return this.runNext();
    }
    const { job, journal } = this.state;
    const ending = { status: "FAILED", reason: "cancelled", message: "the cloud took the job away" } as const;
    const isBegun = job !== undefined && this.#isOf(job);
    if (job) this.event({ type: "cancelled", jobId: job.jobId, phase: isBegun ? journal?.phase : undefined });
    if (isBegun) return this.#end(ending);
    this.finishWith(ending, { isAboutJournal: false });
    this.#rest();
  }

  get #isStoppableReboot(): boolean {
    const { stage, plan } = this.state;
    return stage.name === "rebooting" && stage.why === "install" && plan.some(({ type }) => type === "reboot");
  }

  // What an effect brought

  #succeeded(result: EffectResult): void {
    this.set({ tries: 0 });
    switch (result.of) {
      case "loadJournal":
        if (result.problem !== undefined) this.note(result.problem);
        this.set({ journal: result.journal });
        return this.runNext();
      case "inspect":
        this.set({ states: result.states });
        return this.runNext();
      case "openDownload":
        return this.isToStop ? this.runNext() : this.opened(result.identity);
      case "recognise":
        return this.isToStop ? this.runNext() : this.recognised(result);
      case "resume":
        return this.isToStop ? this.runNext() : this.resumed(result.offset);
      case "pump":
        return this.pumped(result);
      case "verify":
        return this.isToStop ? this.runNext() : this.#verified(result.verdict);
      case "refreshDocument":
        return this.refreshed(result.document);
      case "checkHealth":
        if (!result.isHealthy) {
          return this.#unhealthy("healthCheckFailed", result.message ?? "the health check of the new image failed");
        }
        return this.runNext();
      case "nothing":
        return this.runNext();
    }
  }

  #failed(effect: UpdateEffect, error: ThinglineError): void {
    const { stop } = this.state;
    if (stop && this.isToStop) return this.#stopped(stop);
    switch (effect.type) {
      case "loadJournal":
        this.note(`what is remembered of updates cannot be read: ${error.message}`, error);
        return this.runNext();
      case "saveJournal":
        return this.#saveFailed(effect, error);
      case "openDownload":
      case "recognise":
        return this.trouble(error);
      case "refreshDocument":
        // The wait is over for it; the old URL may still do, and says so if not.
        this.note(`the job document could not be read again: ${error.message}`, error);
        return this.runNext();
      case "announce":
      case "closeDownload":
      case "wait":
        return this.runNext();
      case "inspect":
        return this.#inspectFailed(effect, error);
      case "checkHealth":
      case "awaitConnected":
        return this.#unhealthy(error.code === "TIMEOUT" ? "healthCheckTimeout" : "healthCheckFailed", error.message);
      case "confirm":
        if (this.#again(effect, error)) return;
        return this.#unhealthy("targetFailed", `the new image could not be confirmed: ${error.message}`);
      case "discard":
        if (this.#again(effect, error)) return;
        this.note(`what is left of the image could not be discarded: ${error.message}`, error);
        return this.runNext();
      case "begin":
      case "resume":
      case "pump":
      case "verify":
      case "schedule":
      case "reboot":
        return this.fail("targetFailed", `${effect.target}: ${error.message} (${error.code})`);
    }
  }

  /** What must be tried more than once. @returns whether it is */
  #again(effect: UpdateEffect, error: ThinglineError): boolean {
    const { tries, plan } = this.state;
    if (tries + 1 >= stubbornAttemptsMax) {
      this.set({ tries: 0 });
      return false;
    }
    this.note(`${effect.type} failed and is tried again: ${error.message}`, error);
    this.set({ tries: tries + 1 });
    this.plan(effect, ...plan);
    this.runNext({ keepsTries: true });
    return true;
  }

  #saveFailed(effect: UpdateEffect & { type: "saveJournal" }, error: ThinglineError): void {
    if (this.#again(effect, error)) return;
    const message = `what has to be remembered could not be written: ${error.message} (${error.code})`;
    if (this.state.stage.name !== "closing" && stoppableStages.has(this.state.stage.name)) {
      return this.fail("journalFailed", message);
    }
    // What runs is judged, confirmed or given up all the same: the next start asks the target.
    this.note(message, error);
    this.runNext();
  }

  #inspectFailed(effect: UpdateEffect, error: ThinglineError): void {
    if (this.#again(effect, error)) return;
    this.note(`a target does not say what runs: ${error.message}`, error);
    const { stage } = this.state;
    if (stage.name === "taking") return this.fail("targetFailed", `${error.message} (${error.code})`);
    this.runNext();
  }

  // From stage to stage

  protected runNext({ keepsTries = false } = {}): void {
    const { stop } = this.state;
    if (stop && this.isToStop) return this.#stopped(stop);
    const [effect, ...rest] = this.state.plan;
    if (!effect) return this.#advance();
    this.set({ plan: rest, inFlight: effect, ...(!keepsTries && { tries: 0 }) });
    this.outputs.push({ type: "run", effect });
  }

  protected get isToStop(): boolean {
    const { stop, stage } = this.state;
    return stop !== undefined && (stoppableStages.has(stage.name) || this.#isStoppableReboot);
  }

  #advance(): void {
    const { stage, job } = this.state;
    switch (stage.name) {
      case "loading":
        return this.#recover();
      case "taking":
        return job ? this.#taken(job) : this.#rest();
      case "clearing":
        return this.#begin();
      case "waiting":
        return this.open();
      case "making":
        return this.made();
      case "scheduling":
        return this.#scheduled();
      case "rebooting":
        return this.finish({ status: "IN_PROGRESS" });
      case "proving":
        return this.#healthy(stage.target);
      case "confirming":
        return this.#confirmed(stage.target);
      case "ending":
        return this.#ended(stage.ending);
      case "closing":
        this.finish({ status: "IN_PROGRESS" });
        return this.stage({ name: "resting" });
      case "off":
      case "resting":
      case "opening":
      case "fetching":
      case "verifying":
        return;
    }
  }

  #recover(): void {
    const { journal, states, config } = this.state;
    const recovery = decideRecovery(journal, states, config);
    switch (recovery.action) {
      case "rest":
        return this.#rest();
      case "prove":
        return this.#prove(recovery.target);
      case "revert":
        return this.#reboot("revert");
      case "end":
        return this.#end(recovery.ending);
    }
  }

  #rest(): void {
    const { nextJob } = this.state;
    this.stage({ name: "resting" });
    this.set({ plan: [], stop: undefined });
    if (nextJob) this.#take(nextJob);
  }

  protected verify(): void {
    const { file, target, phase } = this.journal;
    if (!file || target === undefined) return this.open();
    if (phase === "downloading") this.event({ type: "downloaded", sizeBytes: file.sizeBytes });
    this.stage({ name: "verifying" });
    const saved = phase === "verified" ? [] : [this.savePhase("downloaded", { offset: file.sizeBytes })];
    this.plan({ type: "closeDownload" }, ...saved, { type: "verify", target, sizeBytes: file.sizeBytes });
    this.runNext();
  }

  #verified(verdict: FirmwareVerdict): void {
    const { target = "", versionWanted } = this.journal;
    if (!verdict.isAccepted) return this.fail(verdict.reason, verdict.message);
    const { version, imageId } = verdict;
    const running = this.state.states[target]?.running;
    const image = { ...(version !== undefined && { version }), ...(imageId !== undefined && { imageId }) };
    this.save({ image });
    if (this.#isWrong(versionWanted, version)) {
      return this.fail("versionMismatch", `the job document wants ${versionWanted}, and the image is ${version}`);
    }
    this.event({ type: "verified", version });
    if (imageId !== undefined && running?.imageId === imageId && running.trial !== "onTrial") {
      this.note(`this very image, ${running.version}, runs already`);
      return this.#end({ status: "SUCCEEDED" });
    }
    this.stage({ name: "scheduling" });
    const { scheduleCount } = this.journal;
    const previousId = running?.imageId;
    const change = { scheduleCount: scheduleCount + 1, ...(previousId !== undefined && { previousId }) };
    this.plan(this.savePhase("verified", change), { type: "schedule", target });
    this.runNext();
  }

  #isWrong(wanted: string | undefined, found: string | undefined): boolean {
    if (wanted === undefined || found === undefined || this.state.config.ignoresVersion) return false;
    return !isWantedVersion(wanted, found);
  }

  #scheduled(): void {
    const { phase, image } = this.journal;
    if (phase !== "installed") {
      this.plan(this.savePhase("installed"));
      return this.runNext();
    }
    this.event({ type: "installed", version: image?.version });
    this.event({ type: "done" });
    this.#reboot("install");
  }

  #reboot(why: "install" | "revert", ending?: UpdateEnding): void {
    const { journal } = this.state;
    const target = journal?.target ?? this.#onTrial ?? "";
    this.stage({ name: "rebooting", why });
    const effects: UpdateEffect[] = [];
    if (journal) {
      const change = { rebootCount: journal.rebootCount + 1, ...(ending && { ending }) };
      effects.push(why === "install" ? this.savePhase("rebooting", change) : this.save(change));
    }
    this.event({ type: "rebooting", why });
    const details = statusDetailsOf(this.state, ending ?? journal?.ending);
    this.plan(...effects, { type: "announce", details }, { type: "reboot", target, why });
    this.runNext();
  }

  get #onTrial(): string | undefined {
    return Object.entries(this.state.states).find(([, { running }]) => running.trial === "onTrial")?.[0];
  }

  // The new image

  #prove(target: string): void {
    const { states, config, journal } = this.state;
    const deadlineMs = this.now.monotonicMs + config.limits.healthTimeoutMs;
    const version = states[target]?.running.version ?? "unknown";
    this.stage({ name: "proving", target, deadlineMs });
    const isOurs = this.#isJournalOf(target);
    const isBefore = isOurs && !["booted", "healthy", "confirmed"].includes(this.journal.phase);
    const saved = isBefore ? [this.savePhase("booted")] : [];
    this.event({ type: "booted", version });
    this.outputs.push({ type: "wakeAt", atMs: deadlineMs });
    if (isOurs && this.#isWrong(journal?.versionWanted, version)) {
      return this.#unhealthy(
        "versionMismatch",
        `the job document wants ${journal?.versionWanted}, and ${version} runs`,
      );
    }
    this.plan(...saved, { type: "checkHealth", target, version }, { type: "awaitConnected" });
    this.runNext();
  }

  /** Whether the journal is about the image that runs there. */
  #isJournalOf(target: string): boolean {
    const { journal, states } = this.state;
    const state = states[target];
    return journal?.target === target && !journal.isEnded && state !== undefined && runsNewImage(journal, state);
  }

  #tick(): void {
    const { stage, inFlight, config } = this.state;
    if (stage.name !== "proving" || this.now.monotonicMs < stage.deadlineMs) return;
    if (inFlight?.type !== "checkHealth" && inFlight?.type !== "awaitConnected") return;
    this.outputs.push({ type: "abortEffect", error: healthTimeout(config.limits.healthTimeoutMs) });
  }

  #healthy(target: string): void {
    const version = this.state.states[target]?.running.version ?? "unknown";
    this.event({ type: "healthy", version });
    const saved = this.#isJournalOf(target) ? [this.savePhase("healthy")] : [];
    this.stage({ name: "confirming", target });
    this.plan(...saved, { type: "confirm", target }, { type: "inspect" });
    this.runNext();
  }

  #confirmed(target: string): void {
    const running = this.state.states[target]?.running;
    if (running?.trial === "onTrial") {
      return this.#unhealthy("targetFailed", `${target} says that the image is still on trial after it was confirmed`);
    }
    this.event({ type: "confirmed", version: running?.version ?? "unknown" });
    if (!this.#isJournalOf(target)) return this.#rest();
    this.#end({ status: "SUCCEEDED" });
  }

  #unhealthy(reason: string, message: string): void {
    const { stage, config, states } = this.state;
    const target = "target" in stage ? stage.target : "";
    const isOurs = this.#isJournalOf(target);
    const ending: UpdateEnding = { status: "FAILED", reason, message };
    const canRevert = config.targets.some((each) => each.name === target && each.canRevert);
    if (canRevert && states[target]?.running.trial === "onTrial") {
      this.note(message);
      return this.#reboot("revert", isOurs ? ending : undefined);
    }
    if (isOurs) return this.#end(ending);
    this.note(message);
    this.#rest();
  }

  // The end

  protected fail(reason: string, message: string): void {
    const { stage } = this.state;
    if (stage.name === "rebooting" && stage.why === "revert") {
      // The bootloader goes back with the next start, whoever makes it.
      this.note(message);
      return this.finish({ status: "IN_PROGRESS" });
    }
    this.#end({ status: "FAILED", reason, message });
  }

  #end(ending: UpdateEnding): void {
    const { journal } = this.state;
    this.stage({ name: "ending", ending });
    if (!journal || journal.isEnded) {
      this.plan({ type: "closeDownload" }, { type: "inspect" });
      return this.runNext();
    }
    // After a success what lies there is the way back.
    const isInstalled = !["downloading", "downloaded", "verified"].includes(journal.phase);
    const keeps = ending.status === "SUCCEEDED" && isInstalled;
    const { target } = journal;
    // The reason is remembered before what it was found in is gone.
    const discards: UpdateEffect[] =
      target === undefined || keeps ? [] : [this.save({ ending }), { type: "discard", target }];
    const change = { ending, isEnded: true };
    const saved = ending.status === "SUCCEEDED" ? this.savePhase("confirmed", change) : this.save(change);
    this.plan({ type: "closeDownload" }, ...discards, { type: "inspect" }, saved);
    this.runNext();
  }

  #ended(ending: UpdateEnding): void {
    const { journal, states } = this.state;
    const { status, reason = "", message = "" } = ending;
    if (status !== "SUCCEEDED" && reason !== "cancelled") {
      const versionRunning = journal?.target === undefined ? undefined : states[journal.target]?.running.version;
      this.event({ type: "error", cause: causeOf(reason), reason, message, versionRunning });
    }
    this.finishWith(ending);
    this.#rest();
  }
}

function abortError(message: string): ThinglineError {
  return new ThinglineError("ABORTED", message);
}
