export type { Clock, Timer } from "./clock.js";
export { createConnectionPair, pairWindowBytes } from "./connection-pair.js";
export type { ConnectionPairOptions } from "./connection-pair.js";
export {
  closeTimeoutMs,
  defaultConnectionsMax,
  defaultHandshakesMax,
  defaultConnectTimeoutMs,
  defaultHandshakeTimeoutMs,
  highWaterBytes,
  lowWaterBytes,
  requestBodyBytesMax,
  requestsAtOnceMax,
  webSocketMessageBytesMax,
} from "./connection.js";
export type {
  Connection,
  ConnectionHandlers,
  Dialer,
  DialTarget,
  Endpoint,
  HttpPeer,
  Listener,
  ListenOptions,
  Network,
  SecureInfo,
  TlsClientOptions,
  TlsRecord,
  ServerChoice,
  TlsServerOptions,
  WebSocketRequest,
} from "./connection.js";
export type {
  CredentialEntry,
  CredentialStore,
  CredentialType,
  KeyMaker,
  KeyRequestOptions,
  LinkControl,
  MadeKey,
  SecTagDialer,
  SecTagDialTarget,
} from "./credentials.js";
export { defaultListedNamesMax, fileTooLarge, tooManyNames } from "./files.js";
export type { FileListOptions, FileReadOptions, FileReplaceOptions, Files, FileWriteOptions } from "./files.js";
export {
  checkFlashAccess,
  checkFlashGeometry,
  checkOnlyClears,
  defaultFlashPageBytes,
  defaultFlashWriteBytes,
  flashArea,
  flashBytesMax,
  flashWriteBytesMax,
  nrf91PageEraseMs,
} from "./flash.js";
export type { Flash, FlashGeometry, FlashRange } from "./flash.js";
export { defaultHttpBodyBytesMax, defaultHttpTimeoutMs } from "./http.js";
export type { Http, HttpRequest, HttpRequestOptions, HttpResponse } from "./http.js";
export type { KeyKind, KeyPair, Keys, SignedData } from "./keys.js";
export { modemFirmwareErrors, modemUpdateResults } from "./modem-firmware.js";
export type { ModemFirmware, ModemFirmwareError, ModemFirmwareState, ModemUpdateResult } from "./modem-firmware.js";
export { sleep } from "./sleep.js";
export { createSystemClock } from "./system-clock.js";
export { PairedChannel } from "./paired-channel.js";
export { makePrivateFolder } from "./private-folder.js";
export type { ChildEnd, ChildProcess, ProcessCommand, Processes } from "./processes.js";
export type { Random } from "./random.js";
export { lostError, StreamConnection } from "./stream-connection.js";
export type { Channel, ChannelEvents, StreamConnectionOptions } from "./stream-connection.js";
export { SlabPool } from "./write-plan.js";
export type { Batch, Slab } from "./write-plan.js";
export {
  clockOption,
  connectionOption,
  credentialStoreOption,
  dialerOption,
  filesOption,
  flashOption,
  httpOption,
  keyMakerOption,
  keysOption,
  linkControlOption,
  networkOption,
  processesOption,
  randomOption,
  secTagDialerOption,
  tlsClientOptionTypes,
} from "./option-types.js";
