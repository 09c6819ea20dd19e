import {
  checkOptionTypes,
  isThinglineError,
  optionInvalid,
  type OptionTypes,
  ThinglineError,
} from "@thingline/protocol";
import { clockOption } from "@thingline/transport";
import { isBanner } from "../board-start.js";
import { type ModemSession, sessionOption } from "../session.js";
import { DfuCommands, type DfuType, dfuTypes } from "./dfu-commands.js";
import type { FullImage, ImageSegment } from "./full-image.js";
import { HeardNotifications } from "./notifications.js";
import {
  defaultPieceBytes,
  type FirmwareUpload,
  type UploadedBoardState,
  type UploadEvent,
  type UploadFirmwareOptions,
  type UploadReport,
} from "./types.js";
import { isSessionOver, unlessRejectedTwice } from "../failures.js";

/** An upload is begun so often, when the board lost or refused a piece that cannot be sent by itself again. */
export const uploadAttemptsMax = 3;
/** A piece of modem firmware, which has an address, is sent so often before all is begun again. */
export const uploadPieceAttemptsMax = 3;
/** What a board says when its line is opened comes at once. */
const bannerMs = 200;
/** Into the bootloader's mode and back. */
const restartMs = 60_000;
/** MCUboot swaps an application meanwhile, or the modem applies a delta. */
const activationMs = 600_000;

const optionTypes = {
  clock: clockOption,
  onEvent: "function",
  signal: "signal",
  pieceBytes: "number",
  activates: "boolean",
} as const satisfies OptionTypes<UploadFirmwareOptions>;

const words: Readonly<Record<UploadedBoardState, string>> = {
  unchanged: "the board runs what it ran before",
  transferOpen: "the board runs what it ran before; a part of the new firmware lies in its area and is not started",
  applyUnanswered:
    "the board was told to apply the new firmware and did not answer; its next restart shows which one runs",
  scheduled: "the new firmware is on the board, and its next restart goes over to it",
  bootloaderMode: "the modem waits for a whole firmware and does nothing else; the old one is still whole",
  noFirmware:
    "the old firmware may be overwritten in part: the modem works again when an upload has come to its end; its bootloader is intact",
  unverified: "the new firmware was applied, but what runs now was not confirmed",
};

/**
 * Sends firmware to a board by the DFU commands of Nordic's serial modem application, lets it run, and asks which one does.
 *
 * A piece of an application's or a delta's image cannot be sent again by itself, for the board only ever adds: all begins anew then, up to
 * {@link uploadAttemptsMax} times. There is no resuming: a new upload drops what an earlier one left.
 *
 * @throws {ThinglineError} MODEM_DFU_FAILED with `details.state`, an {@link UploadedBoardState}; ABORTED with the same; OPTION_INVALID;
 * MODEM_APPLICATION_MISSING when the board takes no firmware of this kind.
 */
export async function uploadFirmware(
  session: ModemSession,
  upload: FirmwareUpload,
  options: UploadFirmwareOptions,
): Promise<UploadReport> {
  const of = "uploadFirmware()";
  checkOptionTypes({ session }, { session: sessionOption }, { of, required: ["session"] });
  checkOptionTypes(options, optionTypes, { of, required: ["clock"] });
  const { pieceBytes = defaultPieceBytes } = options;
  if (!Number.isInteger(pieceBytes) || pieceBytes < 1 || pieceBytes > 65_535) {
    throw optionInvalid("pieceBytes", "a whole number from 1 to 65535", pieceBytes);
  }
  const heard = new HeardNotifications(session, options.clock);
  try {
    return await new Uploading(session, { upload, options, heard, pieceBytes }).run();
  } finally {
    heard.close();
  }
}

interface UploadingParts {
  upload: FirmwareUpload;
  options: UploadFirmwareOptions;
  heard: HeardNotifications;
  pieceBytes: number;
}

class Uploading {
  readonly #session: ModemSession;
  readonly #upload: FirmwareUpload;
  readonly #options: UploadFirmwareOptions;
  readonly #heard: HeardNotifications;
  readonly #pieceBytes: number;
  readonly #commands: DfuCommands;
  readonly #type: DfuType;
  readonly #totalBytes: number;
  #state: UploadedBoardState = "unchanged";
  #sentBytes = 0;
  #attempts = 0;
  /** The firmware that ran is written over: only a whole new one helps. */
  #isPastReturn = false;

  constructor(session: ModemSession, { upload, options, heard, pieceBytes }: UploadingParts) {
    this.#session = session;
    this.#upload = upload;
    this.#options = options;
    this.#heard = heard;
    this.#pieceBytes = pieceBytes;
    this.#commands = new DfuCommands(session, heard);
    this.#type = dfuTypes[upload.kind];
    this.#totalBytes = upload.kind === "full" ? upload.image.sizeBytes : upload.image.length;
  }

  async run(): Promise<UploadReport> {
    try {
      this.#phase("preparing");
      const before = await this.#prepare();
      const upload = this.#upload;
      // No modem takes an update from what it does not run any more.
      const isThere = upload.kind === "delta" && before !== undefined && before === upload.revision;
      if (isThere) return { kind: upload.kind, attempts: 0, before, after: before };
      await this.#transferAnew();
      const activates = this.#options.activates !== false;
      // A whole firmware runs by itself.
      if (activates && upload.kind !== "full") await this.#activate();
      const after = activates || upload.kind === "full" ? await this.#verify(before) : undefined;
      return { kind: upload.kind, attempts: this.#attempts, before, after };
    } catch (error) {
      throw this.#told(error);
    }
  }

  // ---- before ----------------------------------------------------------------------------------------------------

  /** @returns the version that runs, undefined when the board waits for a whole modem firmware. */
  async #prepare(): Promise<string | undefined> {
    const isOrdinary = await this.#isOrdinary();
    const types = await this.#commands.types();
    if (types === undefined) throw missing("the board has no commands to take firmware by (AT#XDFUINIT)");
    if (!isOrdinary) {
      this.#state = "bootloaderMode";
      if (this.#upload.kind === "full") return undefined;
      const message = "the modem waits for a whole firmware: nothing else can be uploaded before it has one";
      throw new ThinglineError("MODEM_DFU_FAILED", message);
    }
    if (!types.includes(this.#type)) {
      const why = this.#upload.kind === "full" ? " (its build option is CONFIG_SM_DFU_MODEM_FULL)" : "";
      throw missing(`the board's application takes no firmware of this kind${why}`);
    }
    return this.#askVersion();
  }

  /** Whether the board answers AT. What it says when its line is opened would be taken for a restart. */
  async #isOrdinary(): Promise<boolean> {
    await this.#awaitStart(bannerMs);
    return (await unlessRejectedTwice(() => this.#session.command("AT"))) !== undefined;
  }

  async #askVersion(): Promise<string | undefined> {
    const command = this.#upload.kind === "application" ? "AT#XSMVER" : "AT+CGMR";
    const [line] = (await unlessRejectedTwice(() => this.#session.command(command))) ?? [];
    return line;
  }

  // ---- transfer --------------------------------------------------------------------------------------------------

  async #transferAnew(): Promise<void> {
    for (this.#attempts = 1; ; this.#attempts++) {
      try {
        await (this.#upload.kind === "full"
          ? this.#transferFull(this.#upload.image)
          : this.#transferImage(this.#upload.image));
        return;
      } catch (error) {
        if (this.#attempts >= uploadAttemptsMax || !isThinglineError(error) || !this.#isWorthAnother(error))
          throw error;
        this.#tell({ type: "begunAgain", attempt: this.#attempts + 1, reason: error.message });
      }
    }
  }

  #isWorthAnother(error: ThinglineError): boolean {
    return error.code !== "ABORTED" && !isSessionOver(error);
  }

  async #transferImage(image: Uint8Array): Promise<void> {
    this.#phase("preparing");
    this.#checkAborted();
    await this.#commands.begin(this.#type, image.length);
    this.#state = "transferOpen";
    this.#phase("image");
    await this.#writeFirst({ address: 0, bytes: image });
    if ((await this.#apply()) === "restarted") {
      throw new ThinglineError("MODEM_RESPONSE_INVALID", "the board started again instead of applying the firmware");
    }
    this.#state = "scheduled";
  }

  async #transferFull({ bootloader, firmware }: FullImage): Promise<void> {
    this.#checkAborted();
    this.#phase("preparing");
    await this.#enterBootloader();
    this.#phase("bootloader");
    await this.#writeFirst(bootloader);
    if ((await this.#commands.apply(this.#type)) === "restarted") {
      throw new ThinglineError("MODEM_RESPONSE_INVALID", "the board started again instead of starting the bootloader");
    }
    this.#checkAborted();
    this.#isPastReturn = true;
    this.#state = "noFirmware";
    this.#phase("firmware");
    for (const segment of firmware) {
      for (const piece of this.#pieces(segment)) await this.#writeFirmware(piece);
    }
    const outcome = await this.#apply();
    this.#state = "unverified";
    this.#phase("restarting");
    if (outcome === "applied") await this.#awaitStart(restartMs);
  }

  async #enterBootloader(): Promise<void> {
    try {
      await this.#commands.beginFull(restartMs);
    } catch (error) {
      const isElsewhere = !isThinglineError(error, "MODEM_COMMAND_REJECTED") && !this.#isPastReturn;
      if (isElsewhere) this.#state = "bootloaderMode";
      throw error;
    }
    if (!this.#isPastReturn) this.#state = "bootloaderMode";
  }

  /** The last word: until the board answers, either firmware may be the one that it starts. */
  async #apply(): Promise<"applied" | "restarted"> {
    this.#phase("applying");
    const before = this.#state;
    this.#state = "applyUnanswered";
    try {
      return await this.#commands.apply(this.#type);
    } catch (error) {
      // A board that says no has not applied it.
      if (isThinglineError(error) && ["MODEM_DFU_FAILED", "MODEM_COMMAND_REJECTED"].includes(error.code))
        this.#state = before;
      throw error;
    }
  }

  /** What is sent first, each piece once: the board adds it to what it has. */
  async #writeFirst(segment: ImageSegment): Promise<void> {
    this.#sent(0);
    for (const { address, bytes } of this.#pieces(segment)) {
      this.#checkAborted();
      await this.#commands.write(this.#type, address, bytes);
      this.#sent(this.#sentBytes + bytes.length);
    }
  }

  /** A piece with an address may be sent again: it is written over. */
  async #writeFirmware({ address, bytes }: ImageSegment): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#commands.write(this.#type, address, bytes);
        return this.#sent(this.#sentBytes + bytes.length);
      } catch (error) {
        // A board that started again has lost the bootloader that it was sent.
        const isOver = !isThinglineError(error) || error.code === "MODEM_RESPONSE_INVALID";
        if (isOver || attempt >= uploadPieceAttemptsMax || !this.#isWorthAnother(error)) throw error;
        this.#tell({ type: "repeated", address, reason: error.message });
      }
    }
  }

  *#pieces({ address, bytes }: ImageSegment): Generator<ImageSegment> {
    for (let offset = 0; offset < bytes.length; offset += this.#pieceBytes) {
      yield { address: address + offset, bytes: bytes.subarray(offset, offset + this.#pieceBytes) };
    }
  }

  // ---- afterwards ------------------------------------------------------------------------------------------------

  async #activate(): Promise<void> {
    this.#phase("restarting");
    this.#heard.forget();
    this.#state = "applyUnanswered";
    try {
      await this.#restart();
      this.#state = "unverified";
    } catch (error) {
      if (isThinglineError(error, "MODEM_COMMAND_REJECTED")) this.#state = "scheduled";
      throw error;
    }
  }

  async #restart(): Promise<void> {
    if (this.#upload.kind === "delta") {
      await this.#session.command("AT#XMODEMRESET", { timeoutMs: activationMs });
    } else {
      try {
        await this.#session.command("AT#XRESET");
      } catch (error) {
        // It started before its answer came through.
        if (!isThinglineError(error, "MODEM_RESPONSE_INVALID")) throw error;
      }
      await this.#awaitStart(activationMs);
    }
  }

  /** Its banner may get lost; whether it is there shows when it is asked. */
  async #awaitStart(timeoutMs: number): Promise<void> {
    try {
      await this.#heard.next((line) => isBanner(line) || undefined, timeoutMs);
    } catch (error) {
      if (!isThinglineError(error, "TIMEOUT")) throw error;
    }
  }

  async #verify(before: string | undefined): Promise<string> {
    this.#phase("verifying");
    const after = await this.#askVersion();
    if (after === undefined) {
      throw new ThinglineError("MODEM_DFU_FAILED", "the board does not tell which firmware runs now");
    }
    // Two builds of an application may call themselves the same.
    if (this.#upload.kind === "application") return after;
    const { revision } = this.#upload;
    const isExpected = revision === undefined ? after !== before : after === revision;
    if (isExpected) return after;
    if (after === before) this.#state = "unchanged";
    const expected = revision ?? "another firmware than before";
    const message = `the modem runs ${after} after the update, expected ${expected}`;
    throw new ThinglineError("MODEM_DFU_FAILED", message, { details: { running: after } });
  }

  // ---- telling ---------------------------------------------------------------------------------------------------

  #checkAborted(): void {
    if (this.#options.signal?.aborted !== true || this.#isPastReturn) return;
    throw new ThinglineError("ABORTED", "the upload was aborted", { cause: this.#options.signal.reason });
  }

  #phase(phase: Extract<UploadEvent, { type: "phase" }>["phase"]): void {
    this.#tell({ type: "phase", phase });
  }

  #sent(sentBytes: number): void {
    this.#sentBytes = sentBytes;
    this.#tell({ type: "sent", sentBytes, totalBytes: this.#totalBytes });
  }

  #tell(event: UploadEvent): void {
    this.#options.onEvent?.(event);
  }

  /** What went wrong, and what the board is left with. */
  #told(error: unknown): unknown {
    if (!isThinglineError(error) || error.code === "OPTION_INVALID") return error;
    const isNamed = error.code === "ABORTED" || error.code === "MODEM_APPLICATION_MISSING";
    const details = {
      ...error.details,
      ...{ state: this.#state, kind: this.#upload.kind, sentBytes: this.#sentBytes, totalBytes: this.#totalBytes },
      ...(!isNamed && error.code !== "MODEM_DFU_FAILED" && { reason: error.code }),
    };
    const message = `${error.message}: ${words[this.#state]}`;
    return new ThinglineError(isNamed ? error.code : "MODEM_DFU_FAILED", message, { details, cause: error });
  }
}

function missing(message: string): ThinglineError {
  return new ThinglineError("MODEM_APPLICATION_MISSING", message);
}
