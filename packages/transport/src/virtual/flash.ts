import { checkOptionTypes, optionInvalid, type OptionTypes, ThinglineError } from "@thingline/protocol";
import type { Clock } from "../clock.js";
import { checkFlashAccess, checkFlashGeometry, checkOnlyClears, defaultFlashPageBytes } from "../flash.js";
import { defaultFlashWriteBytes, type Flash } from "../flash.js";
import { clockOption, randomOption } from "../option-types.js";
import type { Random } from "../random.js";

/** Where a virtual flash loses its power: once. */
export interface FlashPowerLoss {
  /** 1 is the next operation: a write, or the erasure of one page. */
  atOperation: number;
  /**
   * How much of that operation happens, 0 to less than 1. 0, the default, cuts before it. 0.5 leaves the first half of a write's bytes there,
   * and of an erasure half of the bits of its page, all over it, as a real page is erased.
   */
  part?: number;
}

export interface VirtualFlashOptions {
  sizeBytes: number;
  /** Default {@link defaultFlashPageBytes}. */
  pageBytes?: number;
  /** Default {@link defaultFlashWriteBytes}. */
  writeBytes?: number;
  /** What lies at its beginning; the rest is erased. */
  content?: Uint8Array;
  /** Lets erasures take time. */
  clock?: Clock;
  /** Of one page, by the clock. Default 0. */
  pageEraseMs?: number;
  /** So often a unit may be written between two erasures. Default Infinity; an nRF91 allows 2. */
  writesPerUnitMax?: number;
  /** Decides which bits of its page a torn erasure has set already. Default a fixed pattern. */
  random?: Random;
  powerLoss?: FlashPowerLoss;
  /** Called in the moment of the cut. */
  onPowerLoss?: () => void;
}

export type VirtualFlashStart = Pick<VirtualFlashOptions, "powerLoss" | "onPowerLoss">;

/** A flash in memory that can lose power. After a cut, every call fails until {@link VirtualFlash.restart}. */
export interface VirtualFlash extends Flash {
  /** Writes and erasures of pages so far: what {@link FlashPowerLoss} counts. */
  readonly operationCount: number;
  readonly isPowered: boolean;
  powerLoss(plan: FlashPowerLoss): void;
  cutPower(): void;
  /** The machine comes up again, with what is on the flash. The old object stays without power. */
  restart(options?: VirtualFlashStart): VirtualFlash;
  /** All bytes as this moment shows them. */
  snapshot(): Uint8Array;
}

const optionTypes = {
  sizeBytes: "number",
  pageBytes: "number",
  writeBytes: "number",
  content: "bytes",
  clock: clockOption,
  pageEraseMs: "number",
  writesPerUnitMax: "number",
  random: randomOption,
  powerLoss: { options: { atOperation: "number", part: "number" }, required: ["atOperation"] },
  onPowerLoss: "function",
} as const satisfies OptionTypes<VirtualFlashOptions>;

/** @throws {ThinglineError} OPTION_INVALID */
export function createVirtualFlash(options: VirtualFlashOptions): VirtualFlash {
  checkOptionTypes(options, optionTypes, { of: "createVirtualFlash()", required: ["sizeBytes"] });
  const { sizeBytes, pageBytes = defaultFlashPageBytes, writeBytes = defaultFlashWriteBytes, content } = options;
  checkFlashGeometry({ sizeBytes, pageBytes, writeBytes });
  if (content !== undefined && content.length > sizeBytes) {
    throw optionInvalid("content", `at most ${sizeBytes} bytes`, content.length);
  }
  const bytes = new Uint8Array(sizeBytes).fill(erasedByte);
  if (content !== undefined) bytes.set(content);
  return new MemoryFlash(bytes, new Uint16Array(sizeBytes / writeBytes), { ...options, pageBytes, writeBytes });
}

const erasedByte = 0xff;

class MemoryFlash implements VirtualFlash {
  readonly sizeBytes: number;
  readonly pageBytes: number;
  readonly writeBytes: number;
  readonly erasedByte = erasedByte;
  readonly #bytes: Uint8Array;
  /** How often each unit was written since its page was erased. */
  readonly #writes: Uint16Array;
  readonly #options: VirtualFlashOptions;
  #operationCount = 0;
  #cutAt = Infinity;
  #cutPart = 0;
  #isPowered = true;
  /** What takes time, and what was called meanwhile: in the order of the calls. */
  #waiting: Promise<void> | undefined;

  constructor(bytes: Uint8Array, writes: Uint16Array, options: VirtualFlashOptions) {
    this.sizeBytes = bytes.length;
    this.pageBytes = options.pageBytes ?? defaultFlashPageBytes;
    this.writeBytes = options.writeBytes ?? defaultFlashWriteBytes;
    this.#bytes = bytes;
    this.#writes = writes;
    this.#options = options;
    if (options.powerLoss !== undefined) this.powerLoss(options.powerLoss);
  }

  get operationCount(): number {
    return this.#operationCount;
  }

  get isPowered(): boolean {
    return this.#isPowered;
  }

  powerLoss({ atOperation, part = 0 }: FlashPowerLoss): void {
    if (!Number.isInteger(atOperation) || atOperation < 1) {
      throw optionInvalid("powerLoss.atOperation", "a whole number from 1", atOperation);
    }
    if (!(part >= 0 && part < 1)) throw optionInvalid("powerLoss.part", "a number from 0 to less than 1", part);
    this.#cutAt = this.#operationCount + atOperation;
    this.#cutPart = part;
  }

  cutPower(): void {
    if (!this.#isPowered) return;
    this.#isPowered = false;
    this.#options.onPowerLoss?.();
  }

  restart({ powerLoss, onPowerLoss }: VirtualFlashStart = {}): VirtualFlash {
    this.cutPower();
    const { powerLoss: _, onPowerLoss: __, ...kept } = this.#options;
    const started = {
      ...(powerLoss !== undefined && { powerLoss }),
      ...(onPowerLoss !== undefined && { onPowerLoss }),
    };
    return new MemoryFlash(this.#bytes.slice(), this.#writes.slice(), { ...kept, ...started });
  }

  snapshot(): Uint8Array {
    return this.#bytes.slice();
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    checkFlashAccess(this, "read", offset, length);
    if (this.#waiting !== undefined) await this.#turn();
    this.#checkPower();
    return this.#bytes.slice(offset, offset + length);
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    checkFlashAccess(this, "write", offset, bytes.length);
    const taken = bytes.slice();
    if (this.#waiting !== undefined) await this.#turn();
    this.#checkPower();
    if (taken.length === 0) return;
    checkOnlyClears(this.#bytes.subarray(offset, offset + taken.length), taken, offset);
    this.#countWrites(offset, taken.length);
    const part = this.#operation();
    this.#bytes.set(part === undefined ? taken : taken.subarray(0, Math.floor(taken.length * part)), offset);
    if (part !== undefined) this.#lose();
  }

  async erase(offset: number, length: number): Promise<void> {
    checkFlashAccess(this, "erase", offset, length);
    const { clock, pageEraseMs = 0 } = this.#options;
    if (clock === undefined || pageEraseMs === 0) {
      this.#checkPower();
      for (let page = offset; page < offset + length; page += this.pageBytes) this.#erasePage(page);
      return;
    }
    const work = (this.#waiting ?? Promise.resolve()).then(async () => {
      for (let page = offset; page < offset + length; page += this.pageBytes) {
        this.#checkPower();
        await clock.sleep(pageEraseMs);
        // The power went while the page was being erased: how far it had come nobody knows.
        if (!this.#isPowered) this.#tearPage(page, 0.5);
        this.#checkPower();
        this.#erasePage(page);
      }
    });
    await this.#queue(work);
  }

  /** Waits for what was called before. */
  async #turn(): Promise<void> {
    await this.#queue(this.#waiting ?? Promise.resolve());
  }

  async #queue(work: Promise<void>): Promise<void> {
    // What follows waits for this, and not for how it ended.
    const settled = work.catch(() => undefined);
    this.#waiting = settled;
    try {
      await work;
    } finally {
      if (this.#waiting === settled) this.#waiting = undefined;
    }
  }

  #erasePage(page: number): void {
    const part = this.#operation();
    if (part !== undefined) {
      if (part > 0) this.#tearPage(page, part);
      this.#lose();
    }
    this.#bytes.fill(erasedByte, page, page + this.pageBytes);
    this.#writes.fill(0, page / this.writeBytes, (page + this.pageBytes) / this.writeBytes);
  }

  /** A page is erased all over at once: each of its bits is set already, with the chance of `part`, or not yet. */
  #tearPage(page: number, part: number): void {
    const fraction = this.#options.random?.fraction.bind(this.#options.random) ?? fixedFractions(page);
    for (let at = page; at < page + this.pageBytes; at++) {
      const old = this.#bytes[at] ?? 0;
      if (old === erasedByte) continue;
      let set = 0;
      for (let bit = 1; bit < 0x100; bit <<= 1) if (fraction() < part) set |= bit;
      this.#bytes[at] = old | set;
    }
  }

  #countWrites(offset: number, length: number): void {
    const writesMax = this.#options.writesPerUnitMax ?? Infinity;
    const [first, end] = [offset / this.writeBytes, (offset + length) / this.writeBytes];
    for (let unit = first; unit < end; unit++) {
      if ((this.#writes[unit] ?? 0) < writesMax) continue;
      const message = `the unit at ${unit * this.writeBytes} of the flash was written ${writesMax} times since it was erased`;
      const details = { offset: unit * this.writeBytes, writesMax };
      throw new ThinglineError("FLASH_NOT_ERASED", message, { details });
    }
    for (let unit = first; unit < end; unit++) this.#writes[unit] = Math.min((this.#writes[unit] ?? 0) + 1, 0xffff);
  }

  /** @returns how much of the operation happens when the power goes in it */
  #operation(): number | undefined {
    this.#operationCount += 1;
    return this.#operationCount >= this.#cutAt ? this.#cutPart : undefined;
  }

  #lose(): never {
    this.cutPower();
    throw powerLost();
  }

  #checkPower(): void {
    if (!this.#isPowered) throw powerLost();
  }
}

/** Numbers that look like chance and are the same for the same page: a generator of Lehmer. */
function fixedFractions(seed: number): () => number {
  let state = (seed % 2_147_483_646) + 1;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

function powerLost(): ThinglineError {
  return new ThinglineError("FLASH_FAILED", "the power of the flash is cut", { details: { systemCode: "powerLoss" } });
}
