export { createModemCredentialStore } from "./commands/credentials.js";
export { readModemDescription } from "./commands/identity.js";
export type { ModemDescription } from "./commands/identity.js";
export type { KeyAttestation } from "./commands/attestation.js";
export { createModemKeyMaker } from "./commands/key-maker.js";
export type { ModemKeyMaker, ModemKeyMakerOptions, ModemMadeKey } from "./commands/key-maker.js";
export { createLinkControl, defaultNetworkTimeoutMs } from "./commands/link-control.js";
export type { LinkControlOptions, LteLinkControl } from "./commands/link-control.js";
export { readNetworkTime, readPacketContexts, readSupplyVoltage, readTemperature } from "./commands/readings.js";
export type { PacketContext } from "./commands/readings.js";
export { readNetworkMonitor, readSignalQuality } from "./commands/signal.js";
export { checkWritableTag, nrfCloudSecTag } from "./credential-writing/checked-plan.js";
export { defaultScratchTag } from "./credential-writing/types.js";
export type {
  CredentialPlan,
  ProveCredentials,
  WriteCredentialsOptions,
  WriteCredentialsReport,
  WritingStepName,
  WrittenItem,
} from "./credential-writing/types.js";
export { writeCredentials } from "./credential-writing/write-credentials.js";
export type { LinkEvents, LteMode } from "./link-state.js";
export { notificationsQueuedMax } from "./notification-stream.js";
export type { ModemLineEnd, ModemManner, ModemProbe } from "./probe.js";
export type { CommandOptions, RunCommand } from "./command-options.js";
export { answerBytesMax } from "./exchange.js";
export type { CommandPayload } from "./payload.js";
export type { RawDataHead, RawDataListener } from "./raw-data.js";
export { rawDataBytesMax } from "./raw-data.js";
export type { SerialModemDialect } from "./serial-modem-host/dialect.js";
export { openSerialModemSockets } from "./serial-modem-host/sockets.js";
export type { SerialModemSockets, SerialModemSocketsOptions } from "./serial-modem-host/sockets.js";
export {
  defaultCommandTimeoutMs,
  defaultLineEnd,
  openModemSession,
  rawDataSilenceMs,
  sessionQueueMax,
} from "./session.js";
export type { ModemSession, ModemSessionCounters, ModemSessionOptions } from "./session.js";
