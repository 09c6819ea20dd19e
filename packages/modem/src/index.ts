export { createModemCredentialStore } from "./commands/credentials.js";
export { askModem } from "./commands/ask.js";
export type { AskParameters, CommandSession, SequenceSession } from "./commands/ask.js";
export type { CommandAnswer, CommandFormKey, CommandValues } from "./at/table.js";
export type { NetworkClock } from "./at/times.js";
export { readNetworkTimeNotification } from "./at/network-time.js";
export type { NetworkTime } from "./at/network-time.js";
export type { EdrxTechnology } from "./at/timers.js";
export type { RegistrationRead } from "./at/network.js";
export { attestedParts, parseAttestationToken, parseClaimToken } from "./commands/attestation.js";
export type { AttestationTrust, DeviceAttestation, KeyAttestation, OwnershipClaim } from "./commands/attestation.js";
export { readCommandKey, runAuthenticated, writeCommandKey } from "./commands/authenticated.js";
export type { AuthenticatedOptions, KeySlotOptions } from "./commands/authenticated.js";
export { readCertificateExpiry } from "./commands/certificate-expiry.js";
export type { CertificateExpiry } from "./commands/certificate-expiry.js";
export { listCommands, readModemDescription, readModemIdentification } from "./commands/identity.js";
export type { ModemDescription, ModemIdentification } from "./commands/identity.js";
export { createModemKeyMaker } from "./commands/key-maker.js";
export type { ModemKeyMaker, ModemKeyMakerOptions, ModemMadeKey } from "./commands/key-maker.js";
export { createLinkControl, defaultNetworkTimeoutMs } from "./commands/link-control.js";
export type { LinkControlOptions, LteLinkControl } from "./commands/link-control.js";
export {
  readBand,
  readRadioConnection,
  readRegistration,
  readSupportedBands,
  readSystemMode,
  setSystemMode,
} from "./commands/network.js";
export type { RadioConnection } from "./commands/network.js";
export { readOperator, searchOperators, selectOperator } from "./commands/operator.js";
export type { CurrentOperator, FoundOperator, OperatorChoice } from "./commands/operator.js";
export {
  activateContext,
  readActiveContexts,
  readContextAddresses,
  readPacketContexts,
  setPacketContext,
} from "./commands/packet-data.js";
export type { PacketAddresses, PacketContext, PacketContextSetting } from "./commands/packet-data.js";
export { readEdrx, readPowerSaving, requestEdrx, requestPowerSaving } from "./commands/power-saving.js";
export type { EdrxRequest, EdrxSetting, PowerSaving, PowerSavingRequest } from "./commands/power-saving.js";
export { finishProduction, readErrorLevel, resetToFactory, setErrorLevel } from "./commands/production.js";
export type { FactoryResetScope } from "./commands/production.js";
export { readNetworkTime, readSupplyVoltage, readTemperature, setModemClock } from "./commands/readings.js";
export { readNetworkMonitor, readSignalQuality } from "./commands/signal.js";
export { enterPin, readSim } from "./commands/sim.js";
export type { SimCard, SimLock } from "./commands/sim.js";
export { subscribeModem } from "./commands/subscriptions.js";
export type { ModemSubscriptions, SleepSubscription } from "./commands/subscriptions.js";
export { readAttestationToken, readClaimToken, readIdentityKey } from "./commands/tokens.js";
export type { TokenOptions } from "./commands/tokens.js";
export { deleteBoardCredentials, listBoardCredentials } from "./credential-writing/board-credentials.js";
export type { BoardCredential } from "./credential-writing/board-credentials.js";
export { checkCredentials } from "./credential-writing/check-credentials.js";
export type { CredentialCheck, CredentialTexts } from "./credential-writing/check-credentials.js";
export { checkWritableTag, nrfCloudSecTag } from "./credential-writing/checked-plan.js";
export { generateModemKey } from "./credential-writing/generate-key.js";
export type { GeneratedKey, GenerateKeyOptions } from "./credential-writing/generate-key.js";
export { normalizePem } from "./credential-writing/pem-text.js";
export type { NormalizedPem, NormalizePemOptions, PemLineEnds } from "./credential-writing/pem-text.js";
export { defaultScratchTag } from "./credential-writing/types.js";
export type {
  CredentialPlan,
  ProveCredentials,
  WriteCredentialsOptions,
  WriteCredentialsReport,
  WritingStepName,
  WrittenItem,
} from "./credential-writing/types.js";
export { whileOffline } from "./credential-writing/while-offline.js";
export { writeCredentials } from "./credential-writing/write-credentials.js";
export { imageSegmentsMax, readFullImage } from "./firmware-upload/full-image.js";
export type { FullImage, ImageSegment } from "./firmware-upload/full-image.js";
export { firmwareNeeds, judgeFirmware } from "./firmware-upload/needs.js";
export type { FirmwareJudgement, FirmwareNeed, JudgedNeed } from "./firmware-upload/needs.js";
export { readFirmwarePackage } from "./firmware-upload/package.js";
export type { FirmwarePackage, ReadPackageOptions } from "./firmware-upload/package.js";
export { compareFirmwareVersions, parseFirmwareRevision } from "./firmware-upload/revision.js";
export type { FirmwareRevision } from "./firmware-upload/revision.js";
export { defaultPieceBytes } from "./firmware-upload/types.js";
export type {
  FirmwareUpload,
  UploadedBoardState,
  UploadEvent,
  UploadFirmwareOptions,
  UploadReport,
} from "./firmware-upload/types.js";
export { uploadAttemptsMax, uploadFirmware, uploadPieceAttemptsMax } from "./firmware-upload/upload.js";
export { archiveBytesMax, archiveFileBytesMax, archiveFilesMax } from "./firmware-upload/zip.js";
export type { Inflate } from "./firmware-upload/zip.js";
export type { LinkEvents, LteMode } from "./link-state.js";
export { notificationsQueuedMax } from "./notification-stream.js";
export type { ModemLineEnd, ModemManner, ModemProbe } from "./probe.js";
export type { CommandOptions, RunCommand } from "./command-options.js";
export { answerBytesMax } from "./exchange.js";
export { payloadBytesMax } from "./payload.js";
export type { CommandPayload } from "./payload.js";
export type { RawDataHead, RawDataListener } from "./raw-data.js";
export { rawDataBytesMax } from "./raw-data.js";
export { rawDataSilenceMs } from "./raw-intake.js";
export { keepLinkAfterRestarts } from "./serial-modem-host/steady-link.js";
export type { SerialModemDialect } from "./serial-modem-host/dialect.js";
export { openSerialModemSockets } from "./serial-modem-host/sockets.js";
export type { SerialModemSockets, SerialModemSocketsOptions } from "./serial-modem-host/sockets.js";
export { defaultCommandTimeoutMs, defaultLineEnd, openModemSession } from "./session.js";
export type { ModemSession, ModemSessionCounters, ModemSessionOptions } from "./session.js";
export { sessionQueueMax } from "./turn-queue.js";
