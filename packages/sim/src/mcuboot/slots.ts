import {
  decodeSwapInfo,
  flagWrite,
  magicWrite,
  readTrailer,
  type SwapMode,
  swapInfoWrite,
  swapSizeWrite,
  type SwapType,
  type TrailerLayout,
  trailerLayout,
  type TrailerState,
  type TrailerWrite,
  unprotectedTlvSizesWrite,
} from "@thingline/protocol/image";
import { type Flash, flashArea, type FlashRange } from "@thingline/transport";

/** Where the areas of a bootloader lie on one flash. */
export interface SlotLayout {
  /** What runs. */
  primary: FlashRange;
  /** Where updates are written, and what was replaced stays until it is confirmed. */
  secondary: FlashRange;
  /** Swap using scratch alone: one page or more. */
  scratch?: FlashRange;
}

/** So many bytes are copied at once, as MCUboot's buffer has. */
const copyBytes = 1_024;

/** A slot or the scratch area, with its trailer. */
export interface Area {
  readonly name: "primary" | "secondary" | "scratch";
  readonly flash: Flash;
  readonly trailer: TrailerLayout;
}

/** Sizes of what a swap exchanges, kept in the trailer while it goes on. */
export interface SwapSizes {
  swapBytes: number;
  /** Swap using offset alone. */
  unprotectedTlvs: { primaryBytes: number; secondaryBytes: number };
}

/** The areas of a bootloader, and the strokes that all ways of swapping are made of. */
export class Slots {
  readonly mode: SwapMode;
  readonly primary: Area;
  readonly secondary: Area;
  readonly scratch: Area | undefined;
  readonly sectorBytes: number;
  readonly sectorsMax: number;

  constructor(flash: Flash, layout: SlotLayout, { mode, sectorsMax }: { mode: SwapMode; sectorsMax: number }) {
    this.mode = mode;
    this.sectorBytes = flash.pageBytes;
    this.sectorsMax = sectorsMax;
    const area = (name: Area["name"], range: FlashRange): Area => {
      const shape = { areaBytes: range.sizeBytes, mode, writeBytes: flash.writeBytes, sectorsMax };
      const trailer = trailerLayout({ ...shape, isScratch: name === "scratch" });
      return { name, flash: flashArea(flash, range), trailer };
    };
    this.primary = area("primary", layout.primary);
    this.secondary = area("secondary", layout.secondary);
    this.scratch = mode === "scratch" && layout.scratch !== undefined ? area("scratch", layout.scratch) : undefined;
  }

  sectorsOf({ flash }: Area): number {
    return flash.sizeBytes / this.sectorBytes;
  }

  /** The first sector that has a part of the trailer. */
  firstTrailerSector({ trailer }: Area): number {
    return Math.floor(trailer.status / this.sectorBytes);
  }

  /** Where an image that waits for a swap begins in the secondary slot. */
  get updateOffset(): number {
    return this.mode === "offset" ? this.sectorBytes : 0;
  }

  trailerOf({ flash, trailer }: Area): Promise<TrailerState> {
    return readTrailer(flash, trailer, flash.erasedByte);
  }

  /** Sector by sector: power may go between any two. `backwards` begins with the last. */
  async erase({ flash }: Area, offset: number, length: number, { backwards = false } = {}): Promise<void> {
    const sectors = length / this.sectorBytes;
    for (let index = 0; index < sectors; index++) {
      const sector = backwards ? sectors - 1 - index : index;
      await flash.erase(offset + sector * this.sectorBytes, this.sectorBytes);
    }
  }

  /** The sectors with the trailer, from the last one on: the magic goes first. */
  async eraseTrailer(area: Area): Promise<void> {
    const start = this.firstTrailerSector(area) * this.sectorBytes;
    await this.erase(area, start, area.flash.sizeBytes - start, { backwards: true });
  }

  async eraseAll(area: Area, options?: { backwards: boolean }): Promise<void> {
    await this.erase(area, 0, area.flash.sizeBytes, options);
  }

  async copy(from: Area, fromOffset: number, to: Area, toOffset: number, length: number): Promise<void> {
    for (let done = 0; done < length; done += copyBytes) {
      const bytes = await from.flash.read(fromOffset + done, Math.min(copyBytes, length - done));
      await to.flash.write(toOffset + done, bytes);
    }
  }

  /** What a swap needs to be taken up again, the magic last: without it, nothing of it counts. */
  async beginStatus(area: Area, swapType: SwapType, { swapBytes, unprotectedTlvs }: SwapSizes): Promise<void> {
    const { imageOk } = await this.trailerOf(this.secondary);
    if (swapType !== "none") await put(area, swapInfoWrite(area.trailer, { swapType }, area.flash.erasedByte));
    if (imageOk === "good") await this.setFlag(area, "imageOk");
    await put(area, swapSizeWrite(area.trailer, swapBytes, area.flash.erasedByte));
    const sizes = unprotectedTlvSizesWrite(area.trailer, unprotectedTlvs, area.flash.erasedByte);
    if (sizes !== undefined) await put(area, sizes);
    await this.setMagic(area);
  }

  setMagic(area: Area): Promise<void> {
    return put(area, magicWrite(area.trailer, area.flash.erasedByte));
  }

  setFlag(area: Area, flag: "imageOk" | "copyDone"): Promise<void> {
    return put(area, flagWrite(area.trailer, flag, area.flash.erasedByte));
  }

  setSwapInfo(area: Area, swapType: SwapType): Promise<void> {
    return put(area, swapInfoWrite(area.trailer, { swapType }, area.flash.erasedByte));
  }

  setSwapBytes(area: Area, swapBytes: number): Promise<void> {
    return put(area, swapSizeWrite(area.trailer, swapBytes, area.flash.erasedByte));
  }

  async swapTypeOf({ flash, trailer }: Area): Promise<SwapType> {
    const [info = flash.erasedByte] = await flash.read(trailer.swapInfo, 1);
    return decodeSwapInfo(info, flash.erasedByte).swapType;
  }

  async sizesOf({ flash, trailer }: Area): Promise<SwapSizes> {
    const swapBytes = await readUint32(flash, trailer.swapSize);
    const offset = trailer.unprotectedTlvSizes;
    const both = offset === undefined ? 0 : await readUint32(flash, offset);
    return { swapBytes, unprotectedTlvs: { primaryBytes: both & 0xffff, secondaryBytes: both >>> 16 } };
  }

  /** Marks a step as done: a unit of the status, whose first byte is the number of the state. */
  async markStep({ flash, trailer }: Area, step: number, state: number): Promise<void> {
    const unit = new Uint8Array(trailer.writeBytes).fill(flash.erasedByte);
    unit[0] = state;
    await flash.write(trailer.status + step * trailer.writeBytes, unit);
  }

  /** Which units of the status were written, in order. A unit counts when its first byte was. */
  async stepsDone({ flash, trailer }: Area): Promise<boolean[]> {
    const bytes = await flash.read(trailer.status, trailer.statusBytes);
    const count = trailer.statusBytes / trailer.writeBytes;
    return Array.from({ length: count }, (_, step) => bytes[step * trailer.writeBytes] !== flash.erasedByte);
  }
}

async function put({ flash }: Area, { offset, bytes }: TrailerWrite): Promise<void> {
  await flash.write(offset, bytes);
}

async function readUint32(flash: Flash, offset: number): Promise<number> {
  const bytes = await flash.read(offset, 4);
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
}
