export type { SerialModemApplication } from "../serial-modem/application.js";
export { createSerialModemApplication } from "../serial-modem/create.js";
export { makeSimulatedModemPackage, readModemPackage } from "../serial-modem/dfu-modem-package.js";
export type { ModemPackage, ModemSegment, SimulatedModemPackageOptions } from "../serial-modem/dfu-modem-package.js";
export { isSerialModemDialect } from "../serial-modem/dialect.js";
export type { SerialModemDialect } from "../serial-modem/dialect.js";
export { defaultBaudRate, defaultSerialModemDialect, serialModemPortsMax } from "../serial-modem/options.js";
export type { SerialModemCounters, SerialModemOptions, SerialModemPortOptions } from "../serial-modem/options.js";
export { memoryBufferBytesMax } from "./at-port.js";
export type { AtPortCounters, AtPortOptions } from "./at-port.js";
export { behaviourCountMax, behaviourStepsMax, defaultSlowMs, resetLoopBlockMs } from "./behaviour/behaviour.js";
export type {
  BehaviourStep,
  CommandFault,
  CommandStep,
  ModemBehaviour,
  ModemEvent,
  ModemSurroundings,
  TimedStep,
  WriteStep,
} from "./behaviour/behaviour.js";
export { checkModemBehaviour } from "./behaviour/check.js";
export { isModemBehaviourName, modemBehaviourPresets } from "./behaviour/presets.js";
export type { ModemBehaviourName } from "./behaviour/presets.js";
export { makeSimulatedModemDelta } from "./delta-image.js";
export type { SimulatedDeltaOptions } from "./delta-image.js";
export { makeSimulatedArchive } from "./firmware-archive.js";
export type { SimulatedArchiveOptions } from "./firmware-archive.js";
export { firmwareAreaBytes, firmwareEraseMs } from "./firmware-area.js";
export { defaultFirmware, firmwareProfiles, isFirmwareName, isModemPart, modemParts } from "./firmware.js";
export type { FirmwareName, FirmwareProfile, ModemPart } from "./firmware.js";
export { openCredentialFolder } from "./folder.js";
export type { CredentialFolder, CredentialFolderOptions } from "./folder.js";
export type { ModemIdentity } from "./identity.js";
export { defaultCell, defaultConditions, defaultLteTiming } from "./lte-link.js";
export type { Cell, LteTiming, OtherNetwork, RadioChanges, RadioConditions, SimState } from "./lte-link.js";
export { heldNotificationsMax, queuedCommandsMax } from "./command-executor.js";
export { contextIdMax } from "./packet-contexts.js";
export { otherNetworksMax } from "./surroundings.js";
export { commandsNotSimulated } from "./commands/absent.js";
export { createSimulatedModem, factoryCredentialsMax } from "./modem.js";
export { defaultPin, defaultPuk } from "./simulated-modem.js";
export type { ModemFaults, SimulatedModem, SimulatedModemFirmware, SimulatedModemOptions } from "./simulated-modem.js";
export { ipHeaderBytes, segmentBytesMax, segmentSizeOptionBytes, tcpHeaderBytes } from "./ip-estimate.js";
export type { RadioTime } from "./radio-time.js";
export { pinAttemptsMax, pukAttemptsMax } from "./sim-card.js";
export { storageBytesMax } from "./secure-storage.js";
export { modemCipherSuites, receivedRecordBytesMax, socketsMax, tlsSessionsMax, tlsSocketsMax } from "./sockets.js";
export { trafficBetween, trafficSocketsMax } from "./traffic.js";
export type { BothWays, ModemTraffic, SocketTraffic, TrafficCounts, TrafficSnapshot } from "./traffic.js";
