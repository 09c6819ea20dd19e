import type { ThinglineError } from "@thingline/protocol";
import type { MessageFormat } from "@thingline/protocol/cbor";
import type { CommandStatusReason, FinalCommandStatus } from "@thingline/protocol/commands";

/** What a payload in JSON or CBOR says; bytes are of CBOR. */
export type CommandDocument =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | readonly CommandDocument[]
  | { readonly [name: string]: CommandDocument };

/** What a command came to, by names of letters, digits, `_` and `-`. */
export type CommandResults = Readonly<Record<string, string | boolean | Uint8Array>>;

/** What is said of a status. */
export interface CommandReport {
  /** Capital letters, digits, `_` and `-`: what people and programs go by. */
  readonly reasonCode?: string;
  /** For people. Needs a code. */
  readonly reasonDescription?: string;
  readonly result?: CommandResults;
}

/**
 * How the work of a handler ended. `IN_PROGRESS`: it goes on after a restart, and the handler is called again, with `isResumed`, in the next
 * process; needs a folder.
 */
export interface CommandOutcome extends CommandReport {
  readonly status: FinalCommandStatus | "IN_PROGRESS";
}

/** A command's execution that a handler works on. */
export interface RunningCommand {
  readonly executionId: string;
  /** The name by which the handler was found; of a fallback handler, what the payload says, or undefined. */
  readonly operation: string | undefined;
  readonly payload: Uint8Array;
  /** By the topic: undefined for a payload that is neither. */
  readonly format: MessageFormat | undefined;
  /** MQTT 5 only. */
  readonly contentType: string | undefined;
  /** The payload, where it is JSON or CBOR. */
  readonly document: CommandDocument | undefined;
  /** The handler had ended with `IN_PROGRESS` in an earlier process. */
  readonly isResumed: boolean;
  /**
   * Aborted when the work is in vain, or has to stop. `reason` is a ThinglineError: TIMEOUT when the time of the execution is over, COMMAND_ENDED
   * when the cloud takes nothing more of it, CLOSED when this process stops.
   */
  readonly signal: AbortSignal;
  /** Reports progress; of reports that come faster than they are sent, the latest is sent. @throws {ThinglineError} OPTION_INVALID */
  report(report: CommandReport): void;
}

/** Does the work of a command. What it throws is reported as FAILED, with the code of the error; nothing returned means SUCCEEDED. */
export type CommandHandler = (command: RunningCommand) => Promise<CommandOutcome | undefined | void>;

export interface CommandEvents {
  /** Its handler is called now. */
  commandStarted: { executionId: string; operation: string | undefined; isResumed: boolean };
  /** The cloud has taken what it came to. */
  commandEnded: { executionId: string; status: FinalCommandStatus; reasonCode: string | undefined };
  /** The cloud took nothing more of it, and says why. */
  commandLost: { executionId: string; code: string };
  /** Its handler was told to stop and did not return in time: it is no longer waited for. */
  commandAbandoned: { executionId: string };
  /** What has no caller to go to: a report that failed, a file that could not be written, a message that cannot be read. */
  error: { error: ThinglineError };
}

export type CommandEventName = keyof CommandEvents;

// ---- within the folder -------------------------------------------------------------------------------------------

/** A command as it came. */
export interface ReceivedCommand {
  readonly executionId: string;
  readonly payload: Uint8Array;
  readonly format: MessageFormat | undefined;
  readonly contentType: string | undefined;
}

/** What is told of an execution, checked and cut to what AWS IoT takes. */
export interface Told {
  readonly status: "IN_PROGRESS" | FinalCommandStatus;
  readonly statusReason?: CommandStatusReason | undefined;
  readonly result?: CommandResults | undefined;
}
export type FinalTold = Told & { readonly status: FinalCommandStatus };

/**
 * What is remembered of an execution over a restart. `begun`: a handler was called; `parked`: it said that it goes on after a restart; `ended`:
 * what it came to, which the cloud has not taken yet.
 */
export type CommandRecord =
  | { readonly executionId: string; readonly phase: "begun" }
  | {
      readonly executionId: string;
      readonly phase: "parked";
      readonly command: ReceivedCommand;
      readonly calls: number;
    }
  | { readonly executionId: string; readonly phase: "ended"; readonly told: FinalTold };

export interface Remembered {
  readonly records: readonly CommandRecord[];
  /** Ids of executions that are over, the oldest first. */
  readonly finished: readonly string[];
}

export type AbortReason = "timeout" | "ended" | "closing";

export type CommandsInput =
  | { type: "loaded"; remembered: Remembered }
  /** @param expirySeconds of the message, where it says so */
  | { type: "received"; command: ReceivedCommand; expirySeconds: number | undefined }
  | { type: "saved"; sequence: number }
  | { type: "reported"; executionId: string; told: Told }
  | { type: "handlerEnded"; executionId: string; told: Told | "parked" | undefined }
  /** `code` of a rejection; undefined: it was accepted. */
  | { type: "answered"; executionId: string; code: string | undefined; message: string }
  /** There is no answer, or the message could not be sent. */
  | { type: "unanswered"; executionId: string; error: ThinglineError }
  | { type: "tick" }
  | { type: "closing" };

export type CommandsEffect =
  | { type: "save"; sequence: number; remembered: Remembered }
  | { type: "call"; command: ReceivedCommand; isResumed: boolean }
  | { type: "abort"; executionId: string; reason: AbortReason }
  | { type: "send"; executionId: string; told: Told }
  | { type: "event"; event: CommandsMachineEvent }
  | { type: "wakeAt"; atMs: number };

export type CommandsMachineEvent = {
  [Name in CommandEventName]: { name: Name; event: CommandEvents[Name] };
}[CommandEventName];
