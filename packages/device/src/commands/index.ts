export {
  commandCallsMax,
  commandReportAttemptsMax,
  finishedCommandsMax,
  unreportedCommandsMax,
  waitingCommandsMax,
} from "./machine.js";
export {
  defaultCommandAbortGraceMs,
  defaultCommandAnswerTimeoutMs,
  defaultCommandsCloseTimeoutMs,
  defaultParallelCommands,
  parallelCommandsMax,
} from "./options.js";
export type {
  CommandListener,
  CommandListeners,
  CommandOperationOf,
  CommandsDevice,
  RunCommandsOptions,
} from "./options.js";
export { runCommands } from "./run-commands.js";
export type { CommandRunner } from "./run-commands.js";
export type {
  CommandDocument,
  CommandEventName,
  CommandEvents,
  CommandHandler,
  CommandOutcome,
  CommandReport,
  CommandResults,
  ReceivedCommand,
  RunningCommand,
} from "./types.js";
