export { commandRejectionCodes, decodeCommandAnswer, encodeCommandAccepted, encodeCommandRejected } from "./answers.js";
export type { CommandAnswer, CommandRejection, CommandRejectionCode } from "./answers.js";
export {
  commandClientTokenCharactersMax,
  commandIdCharactersMax,
  commandPayloadBytesMax,
  commandReasonCodeCharactersMax,
  commandReasonDescriptionCharactersMax,
  commandResultEntriesMax,
  commandResultKeyCharactersMax,
  commandTimeoutSecondsDefault,
  commandTimeoutSecondsMax,
} from "./limits.js";
export {
  commandStatuses,
  isCommandStatus,
  isReportableCommandStatus,
  isTerminalCommandState,
  refusedCommandTransition,
} from "./status.js";
export type { CommandState, CommandStatus, FinalCommandStatus, ReportableCommandStatus } from "./status.js";
export { commandRequestFilters, commandTopic, isCommandExecutionId, parseCommandTopic } from "./topics.js";
export type { CommandOutcome, CommandTarget, CommandTopic } from "./topics.js";
export { decodeCommandUpdate, encodeCommandUpdate, isCommandReasonCode, isCommandResultKey } from "./update.js";
export type { CommandResult, CommandStatusReason, CommandUpdate, ReadCommandUpdate } from "./update.js";
