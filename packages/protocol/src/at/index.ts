export { CommandLineReader } from "./command-line-reader.js";
export type { AtTerminator, CommandLine, CommandLineReaderOptions } from "./command-line-reader.js";
export { slowCommandTimeMs } from "./command-times.js";
export { atCommandBytesMax, formatAtCommand, parseAtCommand } from "./command.js";
export type { AtCommand, AtCommandForm } from "./command.js";
export {
  contentOfLine,
  credentialTypeName,
  credentialTypeNumbers,
  formatCredentialLine,
  hasSoundDigest,
  parseCredentialLine,
  reservedSecTags,
  secTagMax,
} from "./credential.js";
export type { CredentialLine, CredentialTypeName } from "./credential.js";
export { functionalModes, isFunctionalMode, isLteActive, parseFunctionalMode } from "./functional-mode.js";
export type { FunctionalMode } from "./functional-mode.js";
export { classifyLine, notificationNames, parseInformation } from "./information.js";
export type { Information, LineKind } from "./information.js";
export { formatMonitor, parseMonitor } from "./monitor.js";
export type { NetworkMonitor } from "./monitor.js";
export type { NeighborCell, NeighborCells } from "./neighbor-cells.js";
export { parseNotification } from "./notification.js";
export type { ModemNotification } from "./notification.js";
export {
  atParametersMax,
  formatAtParameters,
  integerAt,
  isAbsentAt,
  parseAtParameters,
  stringAt,
} from "./parameters.js";
export type { AtParameter, AtValue } from "./parameters.js";
export { decodeActiveTime, decodePeriodicTau, isTimerString, timerOff } from "./power-saving.js";
export {
  effectiveStatus,
  formatRegistration,
  parseRegistrationNotification,
  parseRegistrationRead,
  registrationNumber,
  registrationStatuses,
} from "./registration.js";
export type { AccessTechnology, Registration, RegistrationStatus } from "./registration.js";
export { ResponseLineReader, responseLineBytesMax } from "./response-line-reader.js";
export type { ResponseLine, ResponseSink } from "./response-line-reader.js";
export {
  cmeErrors,
  cmsErrors,
  describeCmeError,
  describeCmsError,
  formatFinalResult,
  formatNotification,
  formatResponse,
  parseFinalResult,
} from "./result.js";
export type { AtFraming, CmeErrorCode, FinalResult } from "./result.js";
export {
  formatSignalNotification,
  formatSignalQuality,
  parseSignalQuality,
  rsrpIndex,
  rsrqIndex,
  signalOf,
  signalThresholds,
} from "./signal.js";
export type { SignalQuality, SignalThresholds } from "./signal.js";
export { formatSystemMode, parseSystemMode } from "./system-mode.js";
export type { SystemMode } from "./system-mode.js";
