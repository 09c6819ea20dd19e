import { crc32, isThinglineError } from "@thingline/protocol";
import { type AtParameter, integerAt, stringAt } from "@thingline/protocol/at";
import { type FirmwareKind, identifiedBytes, identifyFirmware } from "@thingline/protocol/image";
import { firmwareAreaBytes } from "../simulator/firmware-area.js";
import { integer, oneOf, optional, secTagMax, text } from "../simulator/commands/parameter-rules.js";
import { failed, ok, type SerialModemCommand, type SerialModemReply } from "./command.js";
import { accepted, type FirmwareUpdates, fotaStages, fotaStatuses } from "./dfu-updates.js";
import type { SerialModemDialect } from "./dialect.js";
import { errnos } from "./errno.js";
import type { SerialModemServices } from "./feature.js";
import type { Timer } from "@thingline/transport";
import { downloadImage, type FotaCause, fotaCauses, type FotaOutcome } from "./fota-download.js";
import { type FotaUrl, parseFotaUrl } from "./fota-url.js";

/** Operations of `#XFOTA`. */
const operations = {
  stop: 0,
  startApplication: 1,
  startModemDelta: 2,
  startModemFull: 3,
  startBootloader: 5,
  readApplication: 6,
  readModem: 7,
  eraseApplication: 8,
  eraseModem: 9,
} as const;

/** Which each dialect has, in the order in which its test form lists them. */
const operationsOf: Readonly<Record<SerialModemDialect, readonly number[]>> = {
  "slm-1.x": [0, 1, 2, 6, 7, 8, 9],
  "slm-2.x": [0, 1, 2, 7, 9, 3],
  serialModem: [0, 1, 2, 3, 5, 7, 9],
};

/** Numbers of the partitions that `#XFOTA=6` tells. */
const partitions = { primary: 3, secondary: 7 } as const;
/** Of the version of MCUboot's format. */
const mcubootVersion = 1;
/** What the modem says of a used area. */
const dirtyOffset = firmwareAreaBytes;
/** SLM of 2022 tells of an erasure when it takes longer. */
const erasePendingMs = 60_000;

/** So long `#XFOTA=9` waits for the modem; then it is an ERROR, and the modem goes on erasing. */
export const eraseWaitMs: Readonly<Record<SerialModemDialect, number>> = {
  "slm-1.x": 20_000,
  "slm-2.x": 60_000,
  serialModem: 60_000,
};

/** The places that an image can go to. */
const targets = {
  [operations.startApplication]: "application",
  [operations.startModemDelta]: "modemDelta",
  [operations.startModemFull]: "modemFull",
  [operations.startBootloader]: "bootloader",
} as const;
type Target = (typeof targets)[keyof typeof targets];

/** What the first bytes of an image must be. */
const kinds: Readonly<Record<Target, FirmwareKind>> = {
  application: "application",
  bootloader: "application",
  modemDelta: "modemDelta",
  modemFull: "modemFull",
};

/**
 * Downloads of firmware by the application itself: `#XFOTA=<operation>[,<url>[,<security tag>[,<pdn>]]]`, over HTTP or, with a security tag,
 * HTTPS inside the modem. `#XFOTA: <stage>,<status>[,<info>]` tells how it goes: `1,0,<percent>`, `4,0` when the next restart activates the
 * image, and `5,…` after `Ready` or before the answer to `AT#XMODEMRESET`. A download that was stopped goes on where it was when the same one is
 * started again, except in SLM of 2022.
 */
export class Fota {
  readonly commands: readonly SerialModemCommand[];
  readonly #services: SerialModemServices;
  readonly #updates: FirmwareUpdates;
  #stage: keyof typeof fotaStages = "init";
  #download: { controller: AbortController; done: Promise<void> } | undefined;
  #erasure: { controller: AbortController; isDone: Promise<boolean> } | undefined;
  /** What was downloaded, and waits for a restart. */
  #downloaded: Target | undefined;
  /** What the slot holds a part of: for a download that goes on. */
  #partial: { target: Target; url: number; sizeBytes: number } | undefined;

  constructor(services: SerialModemServices, updates: FirmwareUpdates) {
    this.#services = services;
    this.#updates = updates;
    this.commands = [this.#command()];
  }

  async stop(): Promise<void> {
    this.#erasure?.controller.abort();
    const download = this.#download;
    // Nobody hears of it any more.
    this.#download = undefined;
    download?.controller.abort();
    await download?.done;
    if (this.#updates.user === this) this.#updates.user = undefined;
    this.#stage = "init";
    this.#partial = undefined;
    this.#downloaded = undefined;
  }

  /** What it had waited for is done. */
  modemRestarted(): void {
    if (this.#downloaded !== "modemDelta" && this.#downloaded !== "modemFull") return;
    this.#downloaded = undefined;
    this.#stage = "init";
  }

  #command(): SerialModemCommand {
    const { dialect } = this.#services.traits;
    const numbers = operationsOf[dialect].join(",");
    const rest = "[,<file_url>[,<sec_tag>[,<pdn_id>]]]";
    return {
      name: "#XFOTA",
      forms: {
        set: {
          rules: [
            oneOf(...operationsOf[dialect]),
            optional(text()),
            optional(integer(0, secTagMax)),
            optional(integer(0, 10)),
          ],
          handle: (parameters) => this.#perform(parameters),
        },
        test: () => ok(`#XFOTA: (${numbers})${dialect === "slm-1.x" ? ",<file_uri>,<sec_tag>,<apn>" : rest}`),
      },
    };
  }

  async #perform(parameters: readonly AtParameter[]): Promise<SerialModemReply> {
    const operation = integerAt(parameters, 0);
    switch (operation) {
      case operations.stop:
        return this.#cancel();
      case operations.startApplication:
      case operations.startModemDelta:
      case operations.startModemFull:
      case operations.startBootloader:
        return this.#start(targets[operation], parameters);
      case operations.readApplication:
        return this.#readApplication();
      case operations.readModem:
        return this.#readModem();
      case operations.eraseApplication:
        return this.#eraseApplication();
      default:
        return this.#eraseModem();
    }
  }

  // ---- areas ---------------------------------------------------------------------------------------------------

  #readApplication(): SerialModemReply {
    const { running, next } = this.#updates;
    const lines = [[partitions.primary, running] as const, [partitions.secondary, next] as const];
    return ok(
      ...lines.flatMap(([partition, image]) =>
        image ? [`#XFOTA: ${partition},${mcubootVersion},${image.sizeBytes},"${image.version}"`] : [],
      ),
    );
  }

  async #readModem(): Promise<SerialModemReply> {
    const { firmware } = this.#services.modem;
    const [area, { writtenBytes }] = [await firmware.areaBytes(), await firmware.state()];
    return ok(`#XFOTA: ${area},${writtenBytes === "dirty" ? dirtyOffset : writtenBytes}`);
  }

  async #eraseApplication(): Promise<SerialModemReply> {
    if (this.#updates.user !== undefined) return failed();
    this.#partial = undefined;
    this.#stage = "init";
    await this.#updates.eraseSlot();
    return ok();
  }

  async #eraseModem(): Promise<SerialModemReply> {
    const { firmware } = this.#services.modem;
    const { writtenBytes } = await firmware.state();
    if (this.#updates.user !== undefined) return failed();
    // SLM of 2022 erases whatever is not blank; later ones only what cannot be written any more.
    const isDue = this.#services.traits.dialect === "slm-1.x" ? writtenBytes !== 0 : writtenBytes === "dirty";
    if (!isDue) return ok();
    return (await this.#waitForErasure(this.#erasure ?? this.#beginErasure())) ? ok() : failed();
  }

  #beginErasure(): { controller: AbortController; isDone: Promise<boolean> } {
    const controller = new AbortController();
    const isDone = completed(this.#services.modem.firmware.erase({ signal: controller.signal })).finally(() => {
      this.#erasure = undefined;
    });
    this.#erasure = { controller, isDone };
    return this.#erasure;
  }

  async #waitForErasure({ isDone }: { isDone: Promise<boolean> }): Promise<boolean> {
    const { clock, traits } = this.#services;
    let timer: Timer | undefined;
    const isOver = new Promise<boolean>((resolve) => {
      timer = clock.setTimer(eraseWaitMs[traits.dialect], () => resolve(false));
    });
    try {
      return await Promise.race([isDone, isOver]);
    } finally {
      timer?.cancel();
    }
  }

  // ---- downloads -----------------------------------------------------------------------------------------------

  #cancel(): SerialModemReply {
    const download = this.#download;
    if (download === undefined) return failed();
    return { type: "ok", information: [], afterwards: () => download.controller.abort() };
  }

  #start(target: Target, parameters: readonly AtParameter[]): SerialModemReply {
    const { dialect } = this.#services.traits;
    const url = stringAt(parameters, 1);
    const place = url === undefined ? undefined : parseFotaUrl(url, dialect);
    if (url === undefined || place === undefined) return failed();
    // One that is downloaded has to be activated first.
    if (this.#stage === "activate" && dialect === "serialModem") return failed();
    const secTag = integerAt(parameters, 2);
    if (place.isSecure && secTag === undefined) return this.#refuse(errnos.EINVAL);
    if (this.#updates.user !== undefined) return this.#refuse(errnos.EALREADY);
    this.#stage = "init";
    this.#updates.user = this;
    const controller = new AbortController();
    const source = { secTag: place.isSecure ? secTag : undefined, url: crc32(new TextEncoder().encode(url)) };
    return {
      type: "ok",
      information: [],
      afterwards: () => {
        const done = this.#run(target, place, { ...source, controller });
        // What it throws goes to the frame, which ends the line; a stop has nothing to add.
        this.#download = { controller, done: done.catch(() => undefined) };
        return done;
      },
    };
  }

  /** The Serial Modem tells the number of what is refused before anything was tried. */
  #refuse(errno: number): SerialModemReply {
    const { dialect } = this.#services.traits;
    return dialect === "serialModem"
      ? failed(`#XFOTA: ${fotaStages.download},${fotaStatuses.error},${-errno}`)
      : failed();
  }

  async #run(
    target: Target,
    place: FotaUrl,
    source: { secTag: number | undefined; url: number; controller: AbortController },
  ): Promise<void> {
    const { controller, url } = source;
    const writer = new Writer(this.#services, this.#updates, {
      target,
      signal: controller.signal,
      tell: (stage) => this.#tellErasure(stage),
      progress: (percent) => this.#tellProgress(percent),
    });
    const isHeard = (): boolean => this.#download?.controller === controller;
    try {
      const canResume = this.#partial?.target === target && this.#partial.url === url;
      const offset = await writer.offset(canResume && this.#services.traits.dialect !== "slm-1.x");
      const isWhole = offset > 0 && offset === this.#partial?.sizeBytes;
      const outcome: FotaOutcome = isWhole ? { type: "finished" } : await this.#fetch(place, source, writer, offset);
      this.#partial = outcome.type === "cancelled" ? { target, url, sizeBytes: writer.sizeBytes } : undefined;
      if (isHeard()) await this.#finish(target, outcome, writer);
    } finally {
      if (isHeard()) this.#download = undefined;
      if (this.#updates.user === this) this.#updates.user = undefined;
    }
  }

  #fetch(
    { isSecure, authority, path, host, port }: FotaUrl,
    { secTag, controller: { signal } }: { secTag: number | undefined; controller: AbortController },
    writer: Writer,
    offset: number,
  ): Promise<FotaOutcome> {
    return downloadImage({
      clock: this.#services.clock,
      signal,
      isSecure,
      host: authority,
      path,
      offset,
      dial: () => this.#services.dial({ host, port, secTag }, { signal }),
      take: (bytes, at) => writer.take(bytes, at),
    });
  }

  async #finish(target: Target, outcome: FotaOutcome, writer: Writer): Promise<void> {
    if (outcome.type === "cancelled") {
      this.#services.notify(`#XFOTA: ${fotaStages[this.#stage]},${fotaStatuses.cancelled}`);
      this.#stage = "init";
      return;
    }
    const cause = outcome.type === "failed" ? outcome.cause : await writer.finish();
    if (cause === undefined) {
      this.#stage = "activate";
      this.#downloaded = target;
      this.#services.notify(`#XFOTA: ${fotaStages.activate},${fotaStatuses.ok}`);
      return;
    }
    this.#services.notify(`#XFOTA: ${fotaStages[this.#stage]},${fotaStatuses.error},${fotaCauses[cause]}`);
    this.#stage = "init";
    if (target === "application" || target === "bootloader") await this.#updates.eraseSlot();
  }

  #tellErasure(stage: "erasePending" | "erased"): void {
    this.#services.notify(`#XFOTA: ${fotaStages[stage]},${fotaStatuses.ok}`);
    // From SLM 2 on an error after the erasure is told as one of the beginning.
    this.#stage = stage === "erased" && this.#services.traits.dialect !== "slm-1.x" ? "init" : stage;
  }

  #tellProgress(percent: number): void {
    this.#stage = "download";
    this.#services.notify(`#XFOTA: ${fotaStages.download},${fotaStatuses.ok},${percent}`);
  }
}

interface WriterOptions {
  target: Target;
  signal: AbortSignal;
  tell: (stage: "erasePending" | "erased") => void;
  progress: (percent: number) => void;
}

/** Puts what is downloaded where it belongs. */
class Writer {
  sizeBytes = 0;
  readonly #services: SerialModemServices;
  readonly #updates: FirmwareUpdates;
  readonly #options: WriterOptions;
  /** Too little to say what it is. */
  #isIdentified = false;
  #percent = -1;

  constructor(services: SerialModemServices, updates: FirmwareUpdates, options: WriterOptions) {
    this.#services = services;
    this.#updates = updates;
    this.#options = options;
  }

  /** How far the target is written by a download that goes on; else it is made ready with the first bytes. */
  async offset(canResume: boolean): Promise<number> {
    if (!canResume) return 0;
    this.#isIdentified = true;
    const { target } = this.#options;
    if (target === "modemFull") return this.#updates.modemPackage.sizeBytes;
    if (target !== "modemDelta") return this.#updates.slot.sizeBytes;
    const { writtenBytes } = await this.#services.modem.firmware.state();
    this.#isIdentified = writtenBytes !== "dirty" && writtenBytes > 0;
    return writtenBytes === "dirty" ? 0 : writtenBytes;
  }

  async take(bytes: Uint8Array, at: { offset: number; sizeBytes: number }): Promise<FotaCause | undefined> {
    this.sizeBytes = at.sizeBytes;
    if (!this.#isIdentified) {
      const cause = await this.#begin(bytes);
      if (cause !== undefined) return cause;
    }
    if (!(await this.#append(at.offset, bytes))) return "imageRejected";
    const percent = Math.floor(((at.offset + bytes.length) * 100) / at.sizeBytes);
    if (percent !== this.#percent) this.#options.progress(percent);
    this.#percent = percent;
    return undefined;
  }

  /** All bytes are there: what the target says of them, and what happens at the next start. */
  async finish(): Promise<FotaCause | undefined> {
    const { target } = this.#options;
    if (target === "modemFull") await this.#updates.requestPackage();
    else if (target === "modemDelta") {
      if (!(await accepted(this.#updates.requestDelta()))) return "imageRejected";
    } else await this.#updates.requestSlot(target, { isTold: true });
    return undefined;
  }

  async #begin(bytes: Uint8Array): Promise<FotaCause | undefined> {
    const { target } = this.#options;
    const kind = identifyFirmware(bytes);
    if (bytes.length < identifiedBytes || kind === "unknown") return "imageRejected";
    if (kind !== kinds[target]) return "typeMismatch";
    if (target === "modemDelta") return this.#prepareArea();
    const place = target === "modemFull" ? this.#updates.modemPackage : this.#updates.slot;
    if (this.sizeBytes > place.bytesMax) return "imageRejected";
    await (target === "modemFull" ? place.erase() : this.#updates.eraseSlot());
    this.#isIdentified = true;
    return undefined;
  }

  async #prepareArea(): Promise<FotaCause | undefined> {
    if (this.sizeBytes > firmwareAreaBytes) return "imageRejected";
    const { firmware } = this.#services.modem;
    const { writtenBytes } = await firmware.state();
    if (writtenBytes !== 0 && !(await this.#erase())) return "downloadFailed";
    this.#isIdentified = true;
    return undefined;
  }

  async #erase(): Promise<boolean> {
    const { clock, traits, modem } = this.#services;
    const { signal, tell } = this.#options;
    const pendingAfterMs = traits.dialect === "slm-1.x" ? erasePendingMs : 0;
    const timer = clock.setTimer(pendingAfterMs, () => tell("erasePending"));
    const isErased = await completed(modem.firmware.erase({ signal }));
    timer.cancel();
    if (isErased) tell("erased");
    return isErased;
  }

  async #append(offset: number, bytes: Uint8Array): Promise<boolean> {
    const { target } = this.#options;
    if (target === "modemDelta") return accepted(this.#services.modem.firmware.write(offset, bytes));
    return (target === "modemFull" ? this.#updates.modemPackage : this.#updates.slot).append(bytes);
  }
}

/** Refused, or stopped, which whoever stopped it tells. */
async function completed(work: Promise<void>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    if (isThinglineError(error)) return false;
    throw error;
  }
}
