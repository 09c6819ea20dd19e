import { concatBytes, isRecord, isThinglineError, optionInvalid, ThinglineError } from "@thingline/protocol";
import {
  type Clock,
  type Files,
  type ModemFirmwareError,
  modemFirmwareErrors,
  type ModemFirmwareState,
  type ModemUpdateResult,
  modemUpdateResults,
} from "@thingline/transport";
import { isAuthenticDelta, readDeltaHead } from "./delta-image.js";
import { isOlderFirmware } from "./firmware.js";
import { readRecord, writeRecord } from "./record-file.js";
import type { SimulatedModemFirmware } from "./simulated-modem.js";

/** The area of an nRF91's modem for a delta image: what its library calls dirty lies just beyond. */
export const firmwareAreaBytes = 2_621_440;
/** All of it, offline; twice as long while the modem has its radio on. */
export const firmwareEraseMs = 54_000;

/** What survives a power cut, beside the bytes of the area. */
interface FirmwareRecord {
  /** Undefined: as it left the factory. */
  revision?: string;
  isScheduled: boolean;
  result?: ModemUpdateResult;
  /** The area has been used, and has to be erased. */
  isDirty: boolean;
  /** `%XPRODDONE`: older firmware is not taken any more. */
  isProductionDone?: boolean;
}

export interface FirmwareAreaOptions {
  clock: Clock;
  files?: Files;
  folder?: string;
  /** What the modem left the factory with. */
  factoryRevision: string;
  /** The supply is too low to write firmware: an update is put off. */
  isVoltageLow: boolean;
}

/** What `AT+CGMR` can tell. */
const revisionPattern = /^[\x21-\x7e]{1,128}$/;
const blank: FirmwareRecord = { isScheduled: false, isDirty: false };

/** The firmware of a simulated modem: which one runs, and the area for the next. */
export class FirmwareArea implements SimulatedModemFirmware {
  readonly #options: FirmwareAreaOptions;
  readonly #isRadioOn: () => boolean;
  #record: FirmwareRecord;
  /** What was written, with room behind it. */
  #buffer: Uint8Array;
  #length: number;
  /** Of the erasure under way. */
  #erasure: object | undefined;
  #isOver = false;

  private constructor(
    options: FirmwareAreaOptions,
    isRadioOn: () => boolean,
    stored: { record: FirmwareRecord; content: Uint8Array },
  ) {
    this.#options = options;
    this.#isRadioOn = isRadioOn;
    this.#record = stored.record;
    this.#buffer = stored.content;
    this.#length = stored.content.length;
  }

  /** The modem starts: what is scheduled is applied. @throws {ThinglineError} STORE_CORRUPT, FILE_UNREADABLE */
  static async open(options: FirmwareAreaOptions, isRadioOn: () => boolean): Promise<FirmwareArea> {
    const area = new FirmwareArea(options, isRadioOn, await readStored(options));
    await area.start();
    return area;
  }

  /** The modem starts, once more maybe: an erasure that was under way is not finished, and what is scheduled is applied. */
  async start(): Promise<void> {
    this.#checkOn();
    this.#erasure = undefined;
    if (this.#record.isScheduled) await this.#apply();
  }

  /** A whole firmware was programmed through the bootloader: it runs from the next start on, and nothing is known of an update. */
  async program(revision: string): Promise<void> {
    this.#checkOn();
    if (!revisionPattern.test(revision))
      throw optionInvalid("revision", "a name of 1 to 128 characters", "something else");
    await this.#save({
      ...this.#withRevision,
      ...blank,
      revision,
      isDirty: this.#record.isDirty || this.#content.length > 0,
    });
  }

  get revision(): string {
    return this.#record.revision ?? this.#options.factoryRevision;
  }

  /** The power is gone, or the modem is switched off: nothing is written any more. */
  close(): void {
    this.#isOver = true;
  }

  async state(): Promise<ModemFirmwareState> {
    const { isScheduled, isDirty, result } = this.#record;
    const writtenBytes = isDirty ? "dirty" : this.#content.length;
    return { version: this.revision, writtenBytes, isScheduled, result };
  }

  async areaBytes(): Promise<number> {
    return firmwareAreaBytes;
  }

  async erase({ signal }: { signal: AbortSignal }): Promise<void> {
    this.#checkOn();
    if (this.#erasure) throw refused("erasePending");
    const erasure = {};
    this.#erasure = erasure;
    try {
      // Nothing of it is worth anything from here on, whenever the power goes.
      await this.#save({ ...this.#withRevision, isScheduled: false, isDirty: true });
      await this.#options.clock.sleep(firmwareEraseMs * (this.#isRadioOn() ? 2 : 1), { signal });
      this.#checkOn();
      // The modem was restarted meanwhile: the area is as dirty as it was.
      if (this.#erasure !== erasure) throw refused("eraseError");
      const { files, folder } = this.#options;
      if (files !== undefined && folder !== undefined) await files.remove(contentPath(folder));
      this.#buffer = new Uint8Array(0);
      this.#length = 0;
      await this.#save({ ...this.#withRevision, ...blank });
    } finally {
      if (this.#erasure === erasure) this.#erasure = undefined;
    }
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    this.#checkOn();
    const { isDirty, isScheduled } = this.#record;
    if (this.#erasure) throw refused("erasePending");
    if (isScheduled) throw refused("notAllowed");
    if (isDirty) throw refused("areaNotBlank");
    if (offset !== this.#content.length) throw refused("invalidOffset");
    if (offset + bytes.length > firmwareAreaBytes) throw refused("writeError");
    // Behind what counts, until it is accepted.
    this.#makeRoom(bytes.length);
    const buffer = this.#buffer;
    buffer.set(bytes, offset);
    const content = buffer.subarray(0, offset + bytes.length);
    const head = readDeltaHead(content);
    if (head === "invalid") throw refused("invalidHeader");
    if (head && head.from !== this.revision) throw refused("invalidUuid");
    if (head && content.length > head.sizeBytes) throw refused("invalidData");
    if (head && this.#record.isProductionDone === true && isOlderFirmware(head.to, this.revision)) {
      throw refused("notAllowed");
    }
    const { files, folder } = this.#options;
    if (files !== undefined && folder !== undefined) {
      await files.append(contentPath(folder), bytes);
      await files.flush(contentPath(folder));
    }
    // Erased meanwhile: it is gone.
    if (this.#buffer === buffer) this.#length = content.length;
  }

  get #content(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  #makeRoom(lengthBytes: number): void {
    const needed = this.#length + lengthBytes;
    if (needed <= this.#buffer.length) return;
    const room = Math.min(firmwareAreaBytes, Math.max(2 * this.#buffer.length, needed));
    this.#buffer = concatBytes([this.#content, new Uint8Array(room - this.#length)]);
  }

  async schedule(): Promise<void> {
    this.#checkOn();
    const head = readDeltaHead(this.#content);
    if (this.#record.isDirty || this.#erasure) throw refused("notAllowed");
    if (head === undefined || head === "invalid") throw refused("invalidHeader");
    if (head.sizeBytes !== this.#content.length) throw refused("incompleteData");
    await this.#save({ ...this.#withRevision, isScheduled: true, isDirty: false });
  }

  /** From now on older firmware is refused. */
  async endProduction(): Promise<void> {
    await this.#save({ ...this.#record, isProductionDone: true });
  }

  async #apply(): Promise<void> {
    if (this.#options.isVoltageLow) return this.#save({ ...this.#record, result: "voltageLow" });
    const head = readDeltaHead(this.#content);
    const used = { ...this.#withRevision, isScheduled: false, isDirty: true };
    if (head === undefined || head === "invalid" || !isAuthenticDelta(this.#content)) {
      return this.#save({ ...used, result: "authenticationError" });
    }
    if (head.from !== this.revision) return this.#save({ ...used, result: "uuidError" });
    await this.#save({ ...used, revision: head.to, result: "ok" });
  }

  get #withRevision(): Pick<FirmwareRecord, "revision" | "isProductionDone"> {
    const { revision, isProductionDone } = this.#record;
    return { ...(revision !== undefined && { revision }), ...(isProductionDone !== undefined && { isProductionDone }) };
  }

  async #save(record: FirmwareRecord): Promise<void> {
    const { files, folder } = this.#options;
    if (files !== undefined && folder !== undefined) await writeRecord(files, recordPath(folder), record);
    this.#record = record;
  }

  #checkOn(): void {
    if (this.#isOver) throw new ThinglineError("CLOSED", "the simulated modem is off");
  }
}

const recordPath = (folder: string): string => `${folder}/firmware.json`;
const contentPath = (folder: string): string => `${folder}/firmware-area.bin`;

async function readStored({ files, folder }: FirmwareAreaOptions) {
  if (files === undefined || folder === undefined) return { record: blank, content: new Uint8Array(0) };
  const remedy = "Remove it, and firmware-area.bin, to go back to the firmware of the factory.";
  const record = await readRecord(files, { path: recordPath(folder), check: checkRecord, remedy });
  let content = new Uint8Array(0);
  try {
    content = Uint8Array.from(await files.read(contentPath(folder), { bytesMax: firmwareAreaBytes }));
  } catch (error) {
    if (!isThinglineError(error, "FILE_NOT_FOUND")) throw error;
  }
  return { record: record ?? blank, content };
}

function checkRecord(value: unknown): FirmwareRecord | undefined {
  if (!isRecord(value)) return undefined;
  const { revision, isScheduled, isDirty, result, isProductionDone } = value;
  if (isProductionDone !== undefined && typeof isProductionDone !== "boolean") return undefined;
  const isResult = result === undefined || (typeof result === "string" && Object.hasOwn(modemUpdateResults, result));
  const isRevision = revision === undefined || (typeof revision === "string" && revisionPattern.test(revision));
  if (typeof isScheduled !== "boolean" || typeof isDirty !== "boolean" || !isResult || !isRevision) return undefined;
  return value as unknown as FirmwareRecord;
}

function refused(modemError: ModemFirmwareError): ThinglineError {
  const modemErrorCode = modemFirmwareErrors[modemError];
  const message = `the modem refused its firmware: ${modemError} (${modemErrorCode})`;
  return new ThinglineError("MODEM_FIRMWARE_REFUSED", message, { details: { modemError, modemErrorCode } });
}
