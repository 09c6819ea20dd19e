import type { ThinglineError } from "@thingline/protocol";
import {
  type ExecutionAnswer,
  ExecutionSteps,
  type Fetches,
  type JobsStep,
  tooLargeAnswersMax,
} from "./execution-steps.js";
import { endingStage, Execution, keyOf } from "./execution.js";
import { rejectionError } from "./failures.js";
import { retryDelayMs } from "../retry.js";
import type {
  ExecutionId,
  FinalOutcome,
  JobsConfig,
  JobsEffect,
  JobsInput,
  JobsTurn,
  ReceivedExecution,
} from "./types.js";

/** Executions that ended here and are remembered: a late message about one of them is asked about before it is believed. */
export const finishedExecutionsMax = 32;

interface Reading {
  requestId: number;
  /** Something changed since it was asked. */
  isStale: boolean;
  /** The execution that a notification told of since then: another answer is older than that. */
  expectedKey: string | undefined;
  /** Else the one with the document does not arrive. */
  includesDocument: boolean;
}

/**
 * What a job client does about what it hears. Pure: no timers, no randomness, no input or output of its own.
 *
 * An execution is begun only after the cloud has taken its IN_PROGRESS, and so never for a message that is old or comes twice: the cloud
 * refuses to begin what has ended. Notifications are hints; what counts are answers to questions that were asked since the last change.
 */
export class JobsMachine {
  readonly #config: JobsConfig;
  readonly #executions = new Map<string, Execution>();
  /** With what they came to where the cloud may not know it. */
  readonly #finished = new Map<string, FinalOutcome | undefined>();
  readonly #steps: ExecutionSteps;
  #isUp = false;
  #isClosing = false;
  #isReadWanted = false;
  #reading: Reading | undefined;
  #readFailures = 0;
  #readRetryAtMs = 0;
  /** Answers in a row that this device's TLS could not take. */
  #tooLargeCount = 0;
  readonly #fetches: Fetches = { isCautious: false, others: 0 };
  /** Executions in a row that the cloud offered and did not let begin. */
  #fruitlessCount = 0;
  #pollAtMs = Infinity;
  #requestCount = 0;
  #runCount = 0;
  #saveCount = 0;

  constructor(config: JobsConfig) {
    this.#config = config;
    this.#steps = new ExecutionSteps(config, {
      request: (step, request) => this.#request(step, request),
      save: (step) => this.#save(step),
      finish: (step, execution, isFruitful, outcome) => this.#finish(step, execution, isFruitful, outcome),
      isClosing: () => this.#isClosing,
      fetches: (execution) => this.#fetchesBeside(execution),
    });
  }

  /** Nothing is under way that a process that stops has to wait for. */
  get isDrained(): boolean {
    return [...this.#executions.values()].every(({ stage: { name } }) => {
      if (name === "ending") return !this.#isUp;
      return name === "parked" || name === "interrupted" || name === "fetching" || name === "starting";
    });
  }

  /** Executions that are under way here. */
  get executionCount(): number {
    return this.#executions.size;
  }

  input(input: JobsInput, turn: JobsTurn): JobsEffect[] {
    const step: JobsStep = { ...turn, effects: [] };
    this.#handle(input, step);
    for (const execution of [...this.#executions.values()]) this.#steps.drive(execution, step, this.#isUp);
    this.#poll(step);
    this.#readIfWanted(step);
    const atMs = this.#wakeAtMs();
    if (Number.isFinite(atMs)) step.effects.push({ type: "wakeAt", atMs });
    return step.effects;
  }

  #handle(input: JobsInput, step: JobsStep): void {
    switch (input.type) {
      case "loaded":
        for (const record of input.records) {
          const stage = record.phase === "ended" ? endingStage(record.outcome) : ({ name: "fetching" } as const);
          this.#add(new Execution(record, ++this.#runCount, stage, record));
        }
        return;
      case "linkUp":
        return this.#linkUp(step);
      case "linkDown":
        this.#isUp = false;
        return;
      case "nextChanged":
        return this.#nextChanged(input.execution, step);
      case "jobsChanged":
        this.#wantRead();
        if (this.#freeCount === 0) this.#wantChecks();
        return;
      case "answered":
        return this.#answered(input.requestId, { answer: input.answer }, step);
      case "unanswered":
        return this.#answered(input.requestId, { error: input.error }, step);
      case "saved":
        for (const execution of this.#executions.values()) this.#steps.saved(execution, input.sequence, step);
        return;
      case "handlerEnded": {
        const execution = this.#byRun(input.runId);
        if (execution !== undefined) this.#steps.handlerEnded(execution, input.result, step);
        return;
      }
      case "reported": {
        const execution = this.#byRun(input.runId);
        if (execution !== undefined) this.#steps.reported(execution, input.report, step);
        return;
      }
      case "tick":
        return;
      case "closing":
        this.#isClosing = true;
        for (const execution of this.#executions.values()) this.#steps.closing(execution, step);
        return;
    }
  }

  // ---- reading what is pending ---------------------------------------------------------------------------------

  #linkUp(step: JobsStep): void {
    this.#isUp = true;
    this.#readRetryAtMs = 0;
    this.#pollAtMs = step.monotonicMs + this.#config.pollIntervalMs;
    // Notifications may have been lost with the last connection, and so may the answer to a question.
    this.#wantRead();
    this.#wantChecks();
    for (const execution of this.#executions.values()) execution.retryAtMs = 0;
  }

  #wantRead(): void {
    this.#isReadWanted = true;
    if (this.#reading !== undefined) this.#reading.isStale = true;
  }

  #wantChecks(): void {
    for (const execution of this.#executions.values()) if (execution.isAtWork) execution.isCheckWanted = true;
  }

  #poll(step: JobsStep): void {
    if (!this.#isUp || step.monotonicMs < this.#pollAtMs) return;
    this.#pollAtMs = step.monotonicMs + this.#config.pollIntervalMs;
    this.#wantRead();
    this.#wantChecks();
    for (const execution of this.#executions.values()) this.#steps.drive(execution, step, this.#isUp);
  }

  get #freeCount(): number {
    return this.#config.parallelMax - this.#executions.size;
  }

  get #mayRead(): boolean {
    return this.#isReadWanted && this.#isUp && !this.#isClosing && this.#reading === undefined && this.#freeCount > 0;
  }

  #readIfWanted(step: JobsStep): void {
    if (!this.#mayRead || step.monotonicMs < this.#readRetryAtMs) return;
    this.#isReadWanted = false;
    const includesDocument = this.#tooLargeCount < tooLargeAnswersMax;
    const isList = this.#config.parallelMax > 1;
    const requestId = this.#request(step, isList ? { type: "list" } : { type: "next", includesDocument });
    this.#reading = { requestId, isStale: false, expectedKey: undefined, includesDocument };
  }

  #read(reading: Reading, { answer, error }: ExecutionAnswer, step: JobsStep): void {
    this.#reading = undefined;
    if (answer === undefined || answer.type === "rejected") {
      const failure = error ?? rejectionError("the executions that are pending", answer);
      this.#readFailures += 1;
      if (failure.code === "TLS_RECORD_TOO_LARGE") this.#tooLargeCount += 1;
      this.#readRetryAtMs = step.monotonicMs + retryDelayMs(this.#readFailures, step.chance);
      this.#isReadWanted = true;
      return this.#report(failure, step);
    }
    this.#readFailures = 0;
    this.#tooLargeCount = 0;
    const execution = answer.type === "execution" ? answer.execution : undefined;
    const isOld =
      reading.expectedKey !== undefined && (execution === undefined || keyOf(execution) !== reading.expectedKey);
    if (reading.isStale || isOld) return this.#wantRead();
    if (execution !== undefined) {
      this.#consider(reading.includesDocument ? execution : { ...execution, document: "tooLarge" }, step);
    }
    if (answer.type === "list") this.#considerAll([...answer.inProgress, ...answer.queued], step);
  }

  /** The list has no documents: each is asked for. */
  #considerAll(pending: readonly ExecutionId[], step: JobsStep): void {
    const keys = new Set(pending.map(keyOf));
    for (const execution of this.#executions.values()) {
      if (execution.isAtWork && !keys.has(execution.key)) execution.isCheckWanted = true;
    }
    for (const id of pending) {
      if (this.#freeCount <= 0) return;
      if (this.#isTaken(id)) continue;
      const execution = new Execution(id, ++this.#runCount, { name: "fetching" }, undefined);
      this.#add(execution);
      this.#steps.drive(execution, step, this.#isUp);
    }
  }

  #nextChanged(received: ReceivedExecution | undefined, step: JobsStep): void {
    if (received !== undefined && this.#executions.has(keyOf(received))) return;
    // What runs here is not the first any more: perhaps it is not ours any more.
    this.#wantChecks();
    if (received === undefined) return;
    if (this.#reading !== undefined) {
      this.#reading.expectedKey = keyOf(received);
      return;
    }
    const isNews = !this.#finished.has(keyOf(received)) && this.#fruitlessCount === 0;
    if (isNews && this.#freeCount > 0 && this.#isUp) this.#consider(received, step);
    else this.#wantRead();
  }

  /** Works on it, unless it is worked on already; the cloud has the last word on whether it may begin. */
  #consider(received: ReceivedExecution, step: JobsStep): void {
    if (this.#isClosing || this.#freeCount <= 0 || this.#isTaken(received)) return;
    const execution = new Execution(received, ++this.#runCount, { name: "fetching" }, undefined);
    this.#add(execution);
    if (execution.stage.name === "fetching") this.#steps.received(execution, received, step);
    this.#steps.drive(execution, step, this.#isUp);
  }

  /** It is under way, or another run of the same job is. */
  #isTaken({ jobId }: ExecutionId): boolean {
    return [...this.#executions.values()].some(({ id }) => id.jobId === jobId);
  }

  // ---- what executions need ------------------------------------------------------------------------------------

  #answered(requestId: number, answer: ExecutionAnswer, step: JobsStep): void {
    const reading = this.#reading;
    if (reading?.requestId === requestId) return this.#read(reading, answer, step);
    for (const execution of this.#executions.values()) {
      if (execution.request?.requestId === requestId) return this.#steps.answered(execution, answer, step);
    }
  }

  #fetchesBeside(execution: Execution | undefined): Fetches {
    const all = [...this.#executions.values()];
    this.#fetches.others = all.filter((each) => each !== execution && each.request?.purpose === "fetch").length;
    return this.#fetches;
  }

  #add(execution: Execution): void {
    const outcome = this.#finished.get(execution.key);
    if (outcome !== undefined) execution.stage = endingStage(outcome);
    this.#executions.set(execution.key, execution);
  }

  #byRun(runId: number): Execution | undefined {
    return [...this.#executions.values()].find((execution) => execution.runId === runId);
  }

  #request(step: JobsStep, request: (JobsEffect & { type: "request" })["request"]): number {
    const requestId = ++this.#requestCount;
    step.effects.push({ type: "request", requestId, request });
    return requestId;
  }

  #save(step: JobsStep): number {
    const records = [...this.#executions.values()].flatMap(({ record }) => (record === undefined ? [] : [record]));
    const sequence = ++this.#saveCount;
    step.effects.push({ type: "save", sequence, records });
    return sequence;
  }

  /** Its place is free. `isFruitful`: it was worked on, or the cloud has taken what it came to. */
  #finish(step: JobsStep, execution: Execution, isFruitful: boolean, outcome: FinalOutcome | undefined): void {
    this.#fruitlessCount = isFruitful ? 0 : this.#fruitlessCount + 1;
    // A cloud that offers again and again what it does not let begin is not asked without a pause.
    if (!isFruitful) this.#readRetryAtMs = step.monotonicMs + retryDelayMs(this.#fruitlessCount, step.chance);
    this.#executions.delete(execution.key);
    if (execution.record !== undefined) this.#save(step);
    this.#finished.delete(execution.key);
    this.#finished.set(execution.key, outcome);
    if (this.#finished.size > finishedExecutionsMax) {
      const [oldest = ""] = this.#finished.keys();
      this.#finished.delete(oldest);
    }
    this.#wantRead();
  }

  #report(error: ThinglineError, step: JobsStep): void {
    // The device tells of its connection itself.
    if (error.code !== "CONNECTION_LOST")
      step.effects.push({ type: "event", event: { name: "error", event: { error } } });
  }

  #wakeAtMs(): number {
    const reads = this.#mayRead ? this.#readRetryAtMs : Infinity;
    const polls = this.#isUp ? this.#pollAtMs : Infinity;
    const executions = [...this.#executions.values()].map((each) => this.#steps.wakeAtMs(each, this.#isUp));
    return Math.min(reads, polls, ...executions);
  }
}
