import { concatBytes } from "@thingline/protocol";
import type { ModemSegment } from "./dfu-modem-package.js";

/** Where the modem's bootloader puts firmware, by address: what a host sends again goes over what was there. */
export class ModemMemory {
  readonly #bytesMax: number;
  /** From the lowest address on; none reaches into the next. */
  #written: ModemSegment[] = [];

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get sizeBytes(): number {
    return this.#written.reduce((sum, { bytes }) => sum + bytes.length, 0);
  }

  /** All that was written, one behind the other. */
  get content(): Uint8Array {
    return concatBytes(this.#written.map(({ bytes }) => bytes));
  }

  /** @returns false: there is no room for it, and nothing was written */
  write(address: number, bytes: Uint8Array): boolean {
    const below = this.#written.flatMap((segment) => cut(segment, 0, address));
    const above = this.#written.flatMap((segment) => cut(segment, address + bytes.length, Infinity));
    const before = this.#written;
    this.#written = [...below, { address, bytes: bytes.slice() }, ...above];
    if (this.sizeBytes <= this.#bytesMax) return true;
    this.#written = before;
    return false;
  }
}

/** What of a segment lies between two addresses, if anything does. */
function cut({ address, bytes }: ModemSegment, from: number, to: number): ModemSegment[] {
  const part = bytes.subarray(Math.max(0, from - address), Math.max(0, to - address));
  return part.length === 0 ? [] : [{ address: Math.max(address, from), bytes: part }];
}
