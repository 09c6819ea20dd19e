import { type AtParameter, integerAt } from "@thingline/protocol/at";
import { firmwareAreaBytes } from "../simulator/firmware-area.js";
import { integer, oneOf, optional } from "../simulator/commands/parameter-rules.js";
import { failed, ok, type SerialModemCommand, type SerialModemReply } from "./command.js";
import type { SerialModemDataMode } from "./data-mode.js";
import { UpdateImage } from "./dfu-image.js";
import { ModemMemory } from "./dfu-modem-memory.js";
import { isSimulatedBootloader, modemPackageBytesMax, revisionOfFirmware } from "./dfu-modem-package.js";
import { accepted, applicationSlotBytes, type FirmwareUpdates } from "./dfu-updates.js";
import type { SerialModemServices } from "./feature.js";

/** What an upload is of, by the numbers of the commands. */
export const dfuTypes = { application: 0, modemDelta: 1, modemFull: 2, bootloader: 3 } as const;
type DfuType = (typeof dfuTypes)[keyof typeof dfuTypes];

const operations = { write: 1, apply: 2 } as const;
const numberMax = 4_294_967_295;
const typeRule = oneOf(0, 1, 2, 3);
const dialects = ["serialModem"] as const;

/**
 * Uploads of firmware over the line: `#XDFUINIT=<type>,<size>`, then `#XDFUWRITE=<type>,<address>,<length>` with exactly so many raw bytes
 * behind its OK for each piece, then `#XDFUAPPLY=<type>`, and a restart. `#XDFU: <type>,<operation>,<0 or -1>` tells what became of a piece
 * and of the whole.
 *
 * What a host reads back: after a delta or a whole firmware of the modem `AT+CGMR` and `AT%SHORTSWVER` tell the new version (a delta runs
 * after `AT#XRESET` or `AT#XMODEMRESET`, and `#XFOTA: 5,<status>` says how it went); after an application `#XFOTA: 5,0` follows `Ready`; after a
 * bootloader `AT#XBOOTINFO=0` tells a higher number, and `=1` the other slot. Images are those of `makeSimulatedModemDelta()` and
 * `makeSimulatedModemPackage()`, and MCUboot's own for application and bootloader.
 */
export class Dfu {
  readonly commands: readonly SerialModemCommand[];
  readonly #services: SerialModemServices;
  readonly #updates: FirmwareUpdates;
  #transfer: { type: DfuType } | undefined;
  /** Of a whole firmware of the modem: its bootloader has no addresses. */
  #segment: { type: "bootloader"; content: UpdateImage } | { type: "firmware"; content: ModemMemory } | undefined;
  /** Of the modem's area. */
  #erasing: AbortController | undefined;

  constructor(services: SerialModemServices, updates: FirmwareUpdates) {
    this.#services = services;
    this.#updates = updates;
    this.commands = [this.#initCommand(), this.#writeCommand(), this.#applyCommand(), this.#bootInfoCommand()];
  }

  stop(): void {
    this.#erasing?.abort();
    if (this.#updates.user === this) this.#updates.user = undefined;
    this.#transfer = undefined;
    this.#segment = undefined;
  }

  // ---- begin ---------------------------------------------------------------------------------------------------

  #initCommand(): SerialModemCommand {
    return {
      name: "#XDFUINIT",
      dialects,
      forms: {
        set: { rules: [typeRule, optional(integer(0, numberMax))], handle: (parameters) => this.#init(parameters) },
        test: () => ok("#XDFUINIT: (0,1,2,3),<size>"),
      },
    };
  }

  async #init(parameters: readonly AtParameter[]): Promise<SerialModemReply> {
    const type = integerAt(parameters, 0) as DfuType;
    const sizeBytes = integerAt(parameters, 1);
    if (type === dfuTypes.modemFull) return this.#startBootloader();
    // A download has the same places.
    if (this.#updates.isInBootloader || sizeBytes === undefined || this.#isBusy) return failed();
    if (sizeBytes > (type === dfuTypes.modemDelta ? firmwareAreaBytes : applicationSlotBytes)) return failed();
    this.#updates.user = this;
    this.#transfer = undefined;
    try {
      if (type === dfuTypes.modemDelta) await this.#prepareArea();
      else await this.#updates.eraseSlot();
      this.#transfer = { type };
      return ok();
    } finally {
      // What could not be made ready is nobody's.
      if (this.#transfer === undefined && this.#updates.user === this) this.#updates.user = undefined;
    }
  }

  get #isBusy(): boolean {
    return this.#updates.user !== undefined && this.#updates.user !== this;
  }

  /** Restarts into the modem's bootloader; nothing is answered but its banner. */
  async #startBootloader(): Promise<SerialModemReply> {
    if (this.#isBusy) return failed();
    await this.#updates.requestBootloader();
    await this.#services.restart();
    return ok();
  }

  /** Takes as long as the modem does for it: a minute offline. */
  async #prepareArea(): Promise<void> {
    const { firmware } = this.#services.modem;
    if ((await firmware.state()).writtenBytes === 0) return;
    this.#erasing = new AbortController();
    await firmware.erase({ signal: this.#erasing.signal });
  }

  // ---- pieces --------------------------------------------------------------------------------------------------

  #writeCommand(): SerialModemCommand {
    return {
      name: "#XDFUWRITE",
      dialects,
      forms: {
        set: {
          rules: [typeRule, integer(0, numberMax), integer(1, numberMax)],
          handle: (parameters) => this.#write(parameters),
        },
        test: () => ok("#XDFUWRITE: (0,1,2,3),<addr>,<len>"),
      },
    };
  }

  #write(parameters: readonly AtParameter[]): SerialModemReply {
    const type = integerAt(parameters, 0) as DfuType;
    if (this.#updates.isInBootloader !== (type === dfuTypes.modemFull)) return failed();
    const [address = 0, lengthBytes = 0] = [integerAt(parameters, 1), integerAt(parameters, 2)];
    return { type: "dataMode", information: [], mode: this.#pieceOf(type, address, lengthBytes) };
  }

  /** Whatever cannot be written is taken off the line all the same, so that the host's bytes are never read as commands. */
  #pieceOf(type: DfuType, address: number, lengthBytes: number): SerialModemDataMode {
    let hasFailed = false;
    let nextAddress = address;
    return {
      dataBytes: lengthBytes,
      send: async (bytes) => {
        if (!hasFailed) hasFailed = !(await this.#append(type, nextAddress, bytes));
        nextAddress += bytes.length;
        return bytes.length;
      },
      ended: (result) => this.#tell(type, "write", !hasFailed && result === 0),
    };
  }

  /** Only firmware of the modem goes to its address: everything else is added to what is there. */
  async #append(type: DfuType, address: number, bytes: Uint8Array): Promise<boolean> {
    if (type === dfuTypes.modemFull) return this.#writeSegment(address, bytes);
    if (this.#transfer?.type !== type) return false;
    if (type !== dfuTypes.modemDelta) return this.#updates.slot.append(bytes);
    const { firmware } = this.#services.modem;
    const { writtenBytes } = await firmware.state();
    if (writtenBytes === "dirty") return false;
    return accepted(firmware.write(writtenBytes, bytes));
  }

  async #writeSegment(address: number, bytes: Uint8Array): Promise<boolean> {
    this.#segment ??= { type: "bootloader", content: await newBootloader() };
    if (this.#segment.type === "bootloader") return this.#segment.content.append(bytes);
    const { content } = this.#segment;
    if (content.sizeBytes === 0) await this.#updates.breakModem();
    return content.write(address, bytes);
  }

  // ---- end -----------------------------------------------------------------------------------------------------

  #applyCommand(): SerialModemCommand {
    return {
      name: "#XDFUAPPLY",
      dialects,
      forms: {
        set: { rules: [typeRule], handle: (parameters) => this.#apply(integerAt(parameters, 0) as DfuType) },
        test: () => ok("#XDFUAPPLY: (0,1,2,3)"),
      },
    };
  }

  async #apply(type: DfuType): Promise<SerialModemReply> {
    if (this.#updates.isInBootloader !== (type === dfuTypes.modemFull)) return failed();
    if (type === dfuTypes.modemFull) return this.#applySegment();
    const isApplied = this.#transfer?.type === type && (await this.#request(type));
    if (isApplied) {
      this.#transfer = undefined;
      this.#updates.user = undefined;
    }
    return { type: "ok", information: [], afterwards: () => this.#tell(type, "apply", isApplied) };
  }

  async #request(type: DfuType): Promise<boolean> {
    if (type === dfuTypes.modemDelta) return accepted(this.#updates.requestDelta());
    await this.#updates.requestSlot(type === dfuTypes.application ? "application" : "bootloader", { isTold: false });
    return true;
  }

  /** The modem's bootloader first, then its firmware by that bootloader, and then the application starts again. */
  async #applySegment(): Promise<SerialModemReply> {
    const segment = this.#segment;
    if (segment?.type !== "firmware") {
      const isTaken = segment !== undefined && isSimulatedBootloader(segment.content.content);
      this.#segment = isTaken ? { type: "firmware", content: new ModemMemory(modemPackageBytesMax) } : undefined;
      return { type: "ok", information: [], afterwards: () => this.#tell(dfuTypes.modemFull, "apply", isTaken) };
    }
    const revision = revisionOfFirmware(segment.content.content);
    if (revision !== undefined) await this.#updates.programModem(revision);
    this.#segment = undefined;
    return {
      type: "ok",
      information: [],
      afterwards: async () => {
        this.#tell(dfuTypes.modemFull, "apply", revision !== undefined);
        if (revision !== undefined) await this.#services.restart();
      },
    };
  }

  /** Without a line end before it, as the original sends it. */
  #tell(type: DfuType, operation: keyof typeof operations, isDone: boolean): void {
    const line = `#XDFU: ${type},${operations[operation]},${isDone ? 0 : -1}\r\n`;
    this.#services.sendRaw(new TextEncoder().encode(line));
  }

  // ---- the bootloader of the application -----------------------------------------------------------------------

  #bootInfoCommand(): SerialModemCommand {
    return {
      name: "#XBOOTINFO",
      dialects,
      forms: {
        set: {
          rules: [oneOf(0, 1)],
          handle: (parameters) => {
            const { version, slot } = this.#updates.bootloader;
            return ok(`#XBOOTINFO: ${integerAt(parameters, 0) === 0 ? version : slot}`);
          },
        },
        test: () => ok("#XBOOTINFO: (0,1)"),
      },
    };
  }
}

function newBootloader(): Promise<UpdateImage> {
  return UpdateImage.open({ files: undefined, path: undefined, bytesMax: modemPackageBytesMax });
}
