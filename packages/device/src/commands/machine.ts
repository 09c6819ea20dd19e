import { ThinglineError } from "@thingline/protocol";
import { retryDelayMs } from "../retry.js";
import type {
  AbortReason,
  CommandRecord,
  CommandsEffect,
  CommandsInput,
  CommandsMachineEvent,
  FinalTold,
  ReceivedCommand,
  Told,
} from "./types.js";

/** Executions that wait for their turn; one more is REJECTED with DEVICE_TOO_BUSY. */
export const waitingCommandsMax = 100;
/** Executions that have ended and that the cloud has not taken; with one more, the oldest is given up. */
export const unreportedCommandsMax = 100;
/** Executions that are over and whose message is known again. */
export const finishedCommandsMax = 256;
/** Attempts to tell one thing that the cloud did not take, connections that ended aside. */
export const commandReportAttemptsMax = 100;
/** Calls of a handler that goes on after a restart. */
export const commandCallsMax = 10;

/** Answers after which the same is told again. */
const repeatable = new Set(["DataConflict", "InternalError", "RequestThrottled"]);

interface Execution {
  readonly executionId: string;
  stage: "waiting" | "recording" | "running" | "parked" | "recordingEnd" | "ended";
  command: ReceivedCommand | undefined;
  isResumed: boolean;
  calls: number;
  /** Of the write that has to be on disk before it goes on. */
  sequence: number;
  record: CommandRecord | undefined;
  deadlineMs: number;
  /** Its handler was told to stop, and is waited for until then. */
  graceUntilMs: number;
  aborted: AbortReason | undefined;
  sent: Told | undefined;
  /** What is told next, but for the end. */
  progress: Told | undefined;
  end: FinalTold | undefined;
  failures: number;
  retryAtMs: number;
}

export interface CommandsConfig {
  parallelMax: number;
  abortGraceMs: number;
  /** Of an execution whose message does not say. */
  timeoutMs: number;
  /** Why nobody does this here; undefined: somebody does. */
  refuse(command: ReceivedCommand): FinalTold | undefined;
}

export interface CommandsTurn {
  monotonicMs: number;
  /** 0 to 1, for the jitter of retries. */
  chance: number;
}

type Step = CommandsTurn & { effects: CommandsEffect[] };

/**
 * What a command client does about what it hears. Pure: no timers, no randomness, no input or output of its own.
 *
 * A handler is called once for an execution, after it is written down that it is: what a process did not survive is FAILED, and not done again.
 * One thing at a time is told of an execution, the next when that is answered: the cloud refuses updates that overtake each other.
 */
export class CommandsMachine {
  readonly #config: CommandsConfig;
  readonly #executions = new Map<string, Execution>();
  readonly #finished = new Set<string>();
  #sequence = 0;
  #isClosing = false;

  constructor(config: CommandsConfig) {
    this.#config = config;
  }

  /** Executions that are under way here, those included that the cloud has still to be told of. */
  get executionCount(): number {
    return this.#executions.size;
  }

  /** No handler runs, and nothing is on its way to the disk or the cloud. */
  get isDrained(): boolean {
    return [...this.#executions.values()].every(
      ({ stage, sent }) => stage === "parked" || (stage === "ended" && !sent),
    );
  }

  input(input: CommandsInput, turn: CommandsTurn): CommandsEffect[] {
    const step: Step = { ...turn, effects: [] };
    this.#handle(input, step);
    this.#begin(step);
    for (const execution of [...this.#executions.values()]) this.#drive(execution, step);
    const atMs = Math.min(...[...this.#executions.values()].map((one) => this.#wakeAtMs(one)));
    if (Number.isFinite(atMs)) step.effects.push({ type: "wakeAt", atMs });
    return step.effects;
  }

  #handle(input: CommandsInput, step: Step): void {
    if (input.type === "loaded") {
      for (const id of input.remembered.finished) this.#finished.add(id);
      for (const record of input.remembered.records) this.#load(record);
      return;
    }
    if (input.type === "received") return this.#received(input, step);
    if (input.type === "saved") {
      for (const one of this.#executions.values()) if (one.sequence === input.sequence) this.#saved(one, step);
      return;
    }
    if (input.type === "closing") {
      this.#isClosing = true;
      for (const one of this.#executions.values()) {
        if (one.stage === "waiting" && one.isResumed) one.stage = "parked";
        else if (one.stage === "waiting") this.#executions.delete(one.executionId);
        else if (one.stage === "running") this.#abort(one, "closing", step);
      }
      return;
    }
    if (input.type === "tick") return;
    const execution = this.#executions.get(input.executionId);
    if (execution === undefined) return;
    switch (input.type) {
      case "reported":
        if (execution.stage === "running") execution.progress = input.told;
        return;
      case "handlerEnded":
        return this.#handlerEnded(execution, input.told, step);
      case "answered":
        return this.#answered(execution, input.code, input.message, step);
      case "unanswered":
        return this.#failed(execution, input.error, step);
    }
  }

  #load(record: CommandRecord): void {
    const { executionId, phase } = record;
    const execution = this.#add(executionId, record);
    if (phase === "ended") {
      execution.stage = "ended";
      execution.end = record.told;
    } else if (phase === "begun") {
      // Nobody knows how far it came, and whether it may be done twice.
      execution.stage = "ended";
      execution.end = failed("INTERRUPTED", "the process ended while it worked on the command");
    } else {
      Object.assign(execution, { command: record.command, calls: record.calls, isResumed: true });
      if (record.calls < commandCallsMax) return;
      execution.stage = "ended";
      execution.end = failed("TOO_MANY_CALLS", `the process ended in it ${record.calls} times`);
    }
  }

  #add(executionId: string, record?: CommandRecord): Execution {
    const none = { aborted: undefined, sent: undefined, progress: undefined, end: undefined, command: undefined };
    const times = { deadlineMs: Infinity, graceUntilMs: Infinity, failures: 0, retryAtMs: 0 };
    const execution: Execution = {
      ...{ executionId, record, stage: "waiting", isResumed: false, calls: 0, sequence: 0, ...none, ...times },
    };
    this.#executions.set(executionId, execution);
    return execution;
  }

  #received({ command, expirySeconds }: CommandsInput & { type: "received" }, step: Step): void {
    const { executionId } = command;
    if (this.#isClosing || this.#finished.has(executionId) || this.#executions.has(executionId)) return;
    const waitingCount = [...this.#executions.values()].filter(({ stage }) => stage === "waiting").length;
    const execution = this.#add(executionId);
    execution.command = command;
    const timeoutMs = expirySeconds === undefined ? this.#config.timeoutMs : expirySeconds * 1_000;
    execution.deadlineMs = step.monotonicMs + timeoutMs;
    const isBusy = waitingCount >= waitingCommandsMax;
    const refused = isBusy ? ({ status: "REJECTED", statusReason: tooBusy } as const) : this.#config.refuse(command);
    if (refused !== undefined) this.#end(execution, refused, step);
  }

  /** Those whose turn it is. */
  #begin(step: Step): void {
    if (this.#isClosing) return;
    const all = [...this.#executions.values()];
    let free =
      this.#config.parallelMax - all.filter(({ stage }) => stage === "recording" || stage === "running").length;
    for (const execution of all) {
      if (execution.stage !== "waiting" || free <= 0) continue;
      free--;
      const { executionId, command, isResumed } = execution;
      execution.stage = "recording";
      execution.calls++;
      // One that goes on is parked until it has ended: it may be the work itself that ends the process.
      execution.record =
        isResumed && command !== undefined
          ? { executionId, phase: "parked", command, calls: execution.calls }
          : { executionId, phase: "begun" };
      this.#save(execution, step);
    }
  }

  #save(execution: Execution | undefined, step: Step): void {
    const sequence = ++this.#sequence;
    if (execution !== undefined) execution.sequence = sequence;
    const records = [...this.#executions.values()].flatMap(({ record }) => (record === undefined ? [] : [record]));
    step.effects.push({ type: "save", sequence, remembered: { records, finished: [...this.#finished] } });
  }

  #saved(execution: Execution, step: Step): void {
    const { stage, command, isResumed, executionId } = execution;
    if (stage === "recordingEnd") execution.stage = "ended";
    if (stage !== "recording" || command === undefined) return;
    execution.stage = "running";
    execution.progress = { status: "IN_PROGRESS" };
    step.effects.push({ type: "call", command, isResumed });
    if (this.#isClosing) this.#abort(execution, "closing", step);
    else if (execution.aborted !== undefined)
      step.effects.push({ type: "abort", executionId, reason: execution.aborted });
  }

  #handlerEnded(execution: Execution, told: Told | "parked" | undefined, step: Step): void {
    if (execution.stage !== "running") return;
    const { executionId, command, aborted, calls } = execution;
    if (told === "parked" && command !== undefined) {
      execution.stage = "parked";
      execution.record = { executionId, phase: "parked", command, calls };
      return this.#save(undefined, step);
    }
    if (aborted === "ended") return this.#finish(execution, step);
    if (told !== undefined && told !== "parked" && told.status !== "IN_PROGRESS") {
      return this.#end(execution, told as FinalTold, step);
    }
    if (aborted === "timeout") return this.#end(execution, timedOut, step);
    // What stopped because the process does has not succeeded.
    if (aborted === "closing") return this.#end(execution, failed("INTERRUPTED", "the process stopped"), step);
    this.#end(execution, { status: "SUCCEEDED" }, step);
  }

  #end(execution: Execution, told: FinalTold, step: Step): void {
    execution.stage = "recordingEnd";
    execution.end = told;
    execution.failures = 0;
    execution.record = { executionId: execution.executionId, phase: "ended", told };
    const ended = [...this.#executions.values()].filter(({ end }) => end !== undefined);
    if (ended.length > unreportedCommandsMax && ended[0] !== undefined) this.#lose(ended[0], "Unreported", step);
    this.#save(execution, step);
  }

  #abort(execution: Execution, reason: AbortReason, step: Step): void {
    if (execution.aborted !== undefined) return;
    execution.aborted = reason;
    execution.graceUntilMs = step.monotonicMs + this.#config.abortGraceMs;
    if (execution.stage === "running") {
      step.effects.push({ type: "abort", executionId: execution.executionId, reason });
    }
  }

  /** What time asks for, and what can be told. */
  #drive(execution: Execution, step: Step): void {
    const { monotonicMs: nowMs } = step;
    if (nowMs >= execution.deadlineMs) {
      if (execution.stage === "waiting")
        return this.#end(execution, { status: "TIMED_OUT", statusReason: tooBusy }, step);
      if (execution.stage === "running" || execution.stage === "recording") this.#abort(execution, "timeout", step);
      execution.deadlineMs = Infinity;
    }
    if (execution.stage === "running" && nowMs >= execution.graceUntilMs) {
      const { executionId, aborted } = execution;
      step.effects.push({ type: "event", event: { name: "commandAbandoned", event: { executionId } } });
      if (aborted === "ended") return this.#finish(execution, step);
      return this.#end(
        execution,
        aborted === "timeout" ? timedOut : failed("INTERRUPTED", "the process stopped"),
        step,
      );
    }
    if (execution.sent !== undefined || nowMs < execution.retryAtMs) return;
    // With the end at hand, what it was before is of no interest.
    const told = execution.stage === "ended" ? execution.end : execution.progress;
    if (told === undefined) return;
    execution.sent = told;
    execution.progress = undefined;
    step.effects.push({ type: "send", executionId: execution.executionId, told });
  }

  #answered(execution: Execution, code: string | undefined, message: string, step: Step): void {
    const { sent, executionId } = execution;
    if (sent === undefined) return;
    const isFinal = sent.status !== "IN_PROGRESS";
    const why = code === undefined ? undefined : refusal(executionId, code, message);
    if (why !== undefined && repeatable.has(code ?? "")) return this.#failed(execution, why, step);
    execution.sent = undefined;
    execution.failures = 0;
    execution.retryAtMs = 0;
    if (why === undefined) return isFinal ? this.#taken(execution, sent as FinalTold, step) : undefined;
    // The cloud's own TIMED_OUT: the end may still be told.
    if (!isFinal && code === "InvalidStateTransition") return;
    if (code === "InvalidRequest" && (sent.result !== undefined || sent.statusReason !== undefined)) {
      this.#event({ name: "error", event: { error: why } }, step);
      // The status alone is better than none.
      if (isFinal) execution.end = { status: sent.status };
      return;
    }
    this.#lose(execution, code ?? "", step);
  }

  #failed(execution: Execution, error: ThinglineError, step: Step): void {
    const { sent } = execution;
    if (sent === undefined) return;
    execution.sent = undefined;
    execution.failures++;
    this.#event({ name: "error", event: { error } }, step);
    if (execution.failures >= commandReportAttemptsMax) return this.#lose(execution, "Unreported", step);
    execution.retryAtMs = step.monotonicMs + retryDelayMs(execution.failures, step.chance);
    if (sent.status === "IN_PROGRESS") execution.progress ??= sent;
  }

  #taken(execution: Execution, { status, statusReason }: FinalTold, step: Step): void {
    const { executionId } = execution;
    this.#event({ name: "commandEnded", event: { executionId, status, reasonCode: statusReason?.reasonCode } }, step);
    this.#finish(execution, step);
  }

  /** The cloud takes nothing more of it. */
  #lose(execution: Execution, code: string, step: Step): void {
    const { executionId, stage } = execution;
    this.#event({ name: "commandLost", event: { executionId, code } }, step);
    if (stage === "running" || stage === "recording") this.#abort(execution, "ended", step);
    else this.#finish(execution, step);
  }

  #finish(execution: Execution, step: Step): void {
    const { executionId } = execution;
    this.#executions.delete(executionId);
    this.#finished.add(executionId);
    if (this.#finished.size > finishedCommandsMax) this.#finished.delete([...this.#finished][0] ?? "");
    this.#save(undefined, step);
  }

  #event(event: CommandsMachineEvent, step: Step): void {
    step.effects.push({ type: "event", event });
  }

  #wakeAtMs({ stage, deadlineMs, graceUntilMs, sent, progress, retryAtMs }: Execution): number {
    const isToTell = sent === undefined && (progress !== undefined || stage === "ended");
    const isAtWork = stage === "waiting" || stage === "recording" || stage === "running";
    return Math.min(
      isAtWork ? deadlineMs : Infinity,
      stage === "running" ? graceUntilMs : Infinity,
      isToTell ? retryAtMs : Infinity,
    );
  }
}

const tooBusy = { reasonCode: "DEVICE_TOO_BUSY", reasonDescription: "too many commands wait for this device" };
const timedOut: FinalTold = { status: "TIMED_OUT", statusReason: { reasonCode: "TIMEOUT" } };
const failed = (reasonCode: string, reasonDescription: string): FinalTold => ({
  status: "FAILED",
  statusReason: { reasonCode, reasonDescription },
});

function refusal(executionId: string, code: string, message: string): ThinglineError {
  const text = `the cloud did not take what was told of the command execution ${executionId}: ${code}${message === "" ? "" : `, ${message}`}`;
  const kind =
    code === "RequestThrottled" ? "THROTTLED" : code === "InternalError" ? "INTERNAL_FAILURE" : "REQUEST_INVALID";
  return new ThinglineError(kind, text, { details: { status: code } });
}
