import { concatBytes, isRecord, isThinglineError } from "@thingline/protocol";
import { compareVersions, formatVersion, parseVersion } from "@thingline/protocol/image";
import { modemUpdateResults } from "@thingline/transport";
import { checkImage, headerOf } from "./dfu-image-check.js";
import { UpdateImage } from "./dfu-image.js";
import { modemPackageBytesMax, readModemPackage, revisionOfFirmware } from "./dfu-modem-package.js";
import type { SerialModemBootMode, SerialModemServices } from "./feature.js";

/** A slot of the application's flash: of the running image, and of the next. */
export const applicationSlotBytes = 442_368;

/** Stages and status of `#XFOTA: <stage>,<status>[,<info>]`. */
export const fotaStages = { init: 0, download: 1, erasePending: 2, erased: 3, activate: 4, complete: 5 } as const;
export const fotaStatuses = { ok: 0, error: 1, cancelled: 2, reverted: 3 } as const;

/** A result that waits for the next start. */
export interface UpdateResult {
  stage: keyof typeof fotaStages;
  status: keyof typeof fotaStatuses;
  info?: number | undefined;
}

/** What lies in the slot for the next image, and shall run after the next start. */
export type SlotKind = "application" | "bootloader";

export interface StoredImage {
  version: string;
  /** The payload alone, as the header says. */
  sizeBytes: number;
}

/** Under which names the application stores what outlives a restart. */
const stored = {
  running: "application",
  previous: "application.previous",
  slot: "update.slot",
  modem: "update.modem",
  bootloader: "bootloader",
  bootMode: "bootloaderMode",
  broken: "modemBroken",
} as const;

/** What the build for the simulation has left in the primary slot. */
const factoryImageBytes = 295_288;
/** The error of a bootloader that found no image it could start. */
const badImage = -9;
/** MCUboot whose version did not rise is still the old one. */
const versionUnchanged = 1;

export const bootloaderBanner = "Bootloader mode ready";
const bootloaderCommands = ["#XDFUINIT", "#XDFUWRITE", "#XDFUAPPLY", "#XRESET"];

/**
 * Where the firmware of application, bootloader and modem goes, and what becomes of it at the next start. Downloads (`#XFOTA`) and uploads
 * (`#XDFU…`) write into the same places.
 */
export class FirmwareUpdates {
  readonly #services: SerialModemServices;
  #slot: UpdateImage | undefined;
  #modemPackage: UpdateImage | undefined;
  #result: UpdateResult | undefined;
  #isInBootloader = false;
  /** A transfer is under way, of one of both kinds of commands. */
  user: object | undefined;

  constructor(services: SerialModemServices) {
    this.#services = services;
  }

  /** The secondary slot. */
  get slot(): UpdateImage {
    return opened(this.#slot);
  }

  /** External flash, for the whole firmware of the modem. */
  get modemPackage(): UpdateImage {
    return opened(this.#modemPackage);
  }

  /** Only uploads of the whole firmware of the modem are taken. */
  get isInBootloader(): boolean {
    return this.#isInBootloader;
  }

  // ---- what is asked for ---------------------------------------------------------------------------------------

  /** Nothing of what lay there is started any more. */
  async eraseSlot(): Promise<void> {
    await this.#services.storage.set(stored.slot, undefined);
    await this.#services.storage.set(stored.previous, undefined);
    await this.slot.erase();
  }

  /** What lies in the slot is started the next time. `isTold` has the result told then. */
  async requestSlot(kind: SlotKind, { isTold }: { isTold: boolean }): Promise<void> {
    await this.#services.storage.set(stored.slot, `${kind},${isTold ? 1 : 0}`);
  }

  /** The modem's area holds a delta that it applies the next time it starts. @throws {ThinglineError} MODEM_FIRMWARE_REFUSED */
  async requestDelta(): Promise<void> {
    await this.#services.modem.firmware.schedule();
    await this.#services.storage.set(stored.modem, "delta");
  }

  async requestPackage(): Promise<void> {
    await this.#services.storage.set(stored.modem, "full");
  }

  async requestBootloader(): Promise<void> {
    await this.#services.storage.set(stored.bootMode, "1");
  }

  /** The first bytes of a whole firmware go over the old one: without the rest there is none. */
  async breakModem(): Promise<void> {
    await this.#services.storage.set(stored.broken, "1");
  }

  /** A whole firmware is there, and runs from the next start on. */
  async programModem(revision: string): Promise<void> {
    await this.#services.modem.firmware.program(revision);
    await this.#services.storage.set(stored.broken, undefined);
  }

  get bootloader(): { version: number; slot: 0 | 1 } {
    const match = /^(\d{1,3}),([01])$/u.exec(this.#services.storage.get(stored.bootloader) ?? "");
    return match === null ? { version: 1, slot: 0 } : { version: Number(match[1]), slot: match[2] === "1" ? 1 : 0 };
  }

  /** The image that runs. */
  get running(): StoredImage {
    const image = readStoredImage(this.#services.storage.get(stored.running));
    if (image !== undefined) return image;
    const version = /^v?(\d+\.\d+\.\d+)/u.exec(this.#services.options.version ?? this.#services.traits.version)?.[1];
    return { version: `${version ?? "0.0.0"}+0`, sizeBytes: factoryImageBytes };
  }

  /** The image in the slot for the next one, if what lies there begins with a header: after an update, the one that ran before. */
  get next(): StoredImage | undefined {
    const header = headerOf(this.slot.content);
    if (header === undefined) return readStoredImage(this.#services.storage.get(stored.previous));
    return { version: formatVersion(header.version), sizeBytes: header.payloadBytes };
  }

  // ---- start ---------------------------------------------------------------------------------------------------

  /** The application starts: what was asked for before is done. The modem has started already. */
  async start(): Promise<SerialModemBootMode | undefined> {
    await this.#open();
    this.#result = undefined;
    await this.#startModem();
    const { storage } = this.#services;
    this.#isInBootloader = storage.get(stored.bootMode) !== undefined || storage.get(stored.broken) !== undefined;
    // Asked for once: the next start is an ordinary one, if the modem has a firmware.
    await storage.set(stored.bootMode, undefined);
    if (this.#isInBootloader) return { banner: bootloaderBanner, commands: bootloaderCommands };
    await this.#startSlot();
    return undefined;
  }

  /** The modem alone has started again. */
  async modemRestarted(): Promise<void> {
    this.#result = undefined;
    await this.#startModem();
  }

  /** What is told behind the banner, once. */
  takeResult(): UpdateResult | undefined {
    const result = this.#result;
    this.#result = undefined;
    return result;
  }

  async #open(): Promise<void> {
    const { files, folder } = this.#services.options;
    const pathOf = (name: string): string | undefined => (folder === undefined ? undefined : `${folder}/${name}`);
    this.#slot ??= await UpdateImage.open({
      files,
      path: pathOf("serial-modem-slot.bin"),
      bytesMax: applicationSlotBytes,
    });
    this.#modemPackage ??= await UpdateImage.open({
      files,
      path: pathOf("serial-modem-package.bin"),
      bytesMax: modemPackageBytesMax,
    });
  }

  async #startModem(): Promise<void> {
    const { storage, modem } = this.#services;
    const pending = storage.get(stored.modem);
    if (pending === "full") return this.#startPackage();
    if (pending === undefined) return;
    const { isScheduled, result } = await modem.firmware.state();
    // A low supply puts it off; the modem tries again at its next start.
    if (!isScheduled) await storage.set(stored.modem, undefined);
    if (result === "ok") this.#result = { stage: "complete", status: "ok" };
    else if (result !== undefined) {
      const stage = result === "voltageLow" ? "activate" : "complete";
      this.#result = { stage, status: "error", info: modemUpdateResults[result] };
    }
  }

  async #startPackage(): Promise<void> {
    const { storage, modem } = this.#services;
    const content = readModemPackage(this.modemPackage.content);
    const revision = content && revisionOfFirmware(concatBytes(content.firmware.map(({ bytes }) => bytes)));
    if (revision !== undefined) {
      await this.programModem(revision);
      await modem.restart();
    }
    await storage.set(stored.modem, undefined);
    await this.modemPackage.erase();
    this.#result =
      revision === undefined
        ? { stage: "complete", status: "error", info: modemUpdateResults.authenticationError }
        : { stage: "complete", status: "ok" };
  }

  async #startSlot(): Promise<void> {
    const [kind, isTold] = (this.#services.storage.get(stored.slot) ?? "").split(",");
    if (kind === "application") await this.#startApplication();
    else if (kind === "bootloader") await this.#startBootloader(isTold === "1");
  }

  async #startApplication(): Promise<void> {
    const { options, modem, storage, traits } = this.#services;
    const header = await checkImage(this.slot.content, { keys: modem.keys, slotBytes: applicationSlotBytes });
    const isOlder = header !== undefined && traits.dialect === "serialModem" && this.#isOlder(header.version);
    if (header === undefined || isOlder) {
      // MCUboot erases what it refuses. Only SLM of 2022 remembers that something should have come.
      await this.eraseSlot();
      if (traits.dialect === "slm-1.x") this.#result = { stage: "complete", status: "error", info: badImage };
      return;
    }
    if (options.updatedApplication === "crashes") {
      // MCUboot takes it back at the start after; the image stays in the slot.
      await storage.set(stored.slot, undefined);
      this.#result = { stage: "complete", status: "reverted", info: 0 };
      return;
    }
    const running: StoredImage = { version: formatVersion(header.version), sizeBytes: header.payloadBytes };
    const previous = this.running;
    await storage.set(stored.running, JSON.stringify(running));
    await this.eraseSlot();
    await storage.set(stored.previous, JSON.stringify(previous));
    this.#result = { stage: "complete", status: "ok" };
  }

  /** The bootloader is built with MCUBOOT_DOWNGRADE_PREVENTION. */
  #isOlder(version: Parameters<typeof compareVersions>[0]): boolean {
    const running = parseVersion(this.running.version);
    return running !== undefined && compareVersions(version, running, { withBuild: false }) < 0;
  }

  async #startBootloader(isTold: boolean): Promise<void> {
    const { modem, storage } = this.#services;
    const header = await checkImage(this.slot.content, { keys: modem.keys, slotBytes: applicationSlotBytes });
    const { version, slot } = this.bootloader;
    const isNewer = header !== undefined && header.version.major > version;
    if (isNewer) await storage.set(stored.bootloader, `${header.version.major},${slot === 0 ? 1 : 0}`);
    await this.eraseSlot();
    if (!isTold) return;
    this.#result = isNewer
      ? { stage: "complete", status: "ok" }
      : { stage: "complete", status: "error", info: versionUnchanged };
  }
}

/** The application that was updated to, as its version command tells it. @returns undefined: it is the one it was delivered with */
export function updatedVersion({ storage }: Pick<SerialModemServices, "storage">): string | undefined {
  const version = readStoredImage(storage.get(stored.running))?.version;
  return version === undefined ? undefined : `v${version.replace(/\+\d+$/u, "")}`;
}

function readStoredImage(text: string | undefined): StoredImage | undefined {
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (!isRecord(value)) return undefined;
    const { version, sizeBytes } = value;
    return typeof version === "string" && typeof sizeBytes === "number" ? { version, sizeBytes } : undefined;
  } catch {
    return undefined;
  }
}

/** `#XFOTA: 5,0` */
export function formatResult({ stage, status, info }: UpdateResult): string {
  const line = `#XFOTA: ${fotaStages[stage]},${fotaStatuses[status]}`;
  return info === undefined || status === "reverted" ? line : `${line},${info}`;
}

function opened(image: UpdateImage | undefined): UpdateImage {
  if (image === undefined) throw new Error("the application has not started");
  return image;
}

/** Whether the modem took it. @throws what is not a refusal of its firmware */
export async function accepted(work: Promise<void>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    if (isThinglineError(error, "MODEM_FIRMWARE_REFUSED")) return false;
    throw error;
  }
}
