/** What the modem said of the image that it had to apply when it started last. `voltageLow`: it tries again at the next start. */
export const modemUpdateResults = {
  ok: 0x5500001,
  internalError: 0x4400001,
  hardwareError: 0x4400002,
  authenticationError: 0x4400003,
  uuidError: 0x4400004,
  voltageLow: 0x4400005,
} as const;
export type ModemUpdateResult = keyof typeof modemUpdateResults;

/** Why a modem refuses what is written to its firmware area, by the numbers of Nordic's modem library. */
export const modemFirmwareErrors = {
  invalidHeader: 3,
  invalidData: 5,
  invalidUuid: 9,
  areaNotBlank: 11,
  writeError: 12,
  eraseError: 13,
  invalidOffset: 14,
  erasePending: 17,
  notAllowed: 18,
  incompleteData: 19,
  powerFailing: 23,
} as const;
export type ModemFirmwareError = keyof typeof modemFirmwareErrors;

export interface ModemFirmwareState {
  /** What runs, as `AT+CGMR` has it. */
  version: string;
  /**
   * How far the area is written: 0 when it is blank; `dirty` when it holds something that nothing can be added to, and has to be erased.
   */
  writtenBytes: number | "dirty";
  /** The next start of the modem applies what the area holds. */
  isScheduled: boolean;
  /** Of the last image that was scheduled; undefined when none was since the area was erased last. */
  result: ModemUpdateResult | undefined;
}

/**
 * Where a modem takes updates of its own firmware: an area for one delta image, which the modem checks and applies when it starts the next time.
 * After Nordic's `nrf_modem_delta_dfu`. What has resolved survives a power cut.
 */
export interface ModemFirmware {
  state(): Promise<ModemFirmwareState>;
  /** The size of the area. */
  areaBytes(): Promise<number>;
  /**
   * Makes the area blank, and nothing is scheduled any more. May take minutes while the modem is registered, less while it is offline.
   *
   * @throws {ThinglineError} MODEM_FIRMWARE_REFUSED, ABORTED: the erasure may go on
   */
  erase(options: { signal: AbortSignal }): Promise<void>;
  /**
   * Adds bytes; `offset` is how far the area is written.
   *
   * @throws {ThinglineError} MODEM_FIRMWARE_REFUSED, with `modemError` (a {@link ModemFirmwareError}) and `modemErrorCode` in its details: the
   * image is not for this modem, or is damaged
   */
  write(offset: number, bytes: Uint8Array): Promise<void>;
  /** Asks the modem to apply it at its next start. @throws {ThinglineError} MODEM_FIRMWARE_REFUSED */
  schedule(): Promise<void>;
}
