import { optionInvalid, ThinglineError } from "@thingline/protocol";

/** The page of an nRF91's flash: what is erased at once. */
export const defaultFlashPageBytes = 4_096;
/** The write unit of an nRF91's flash. */
export const defaultFlashWriteBytes = 4;
/** So long an nRF91 takes to erase a page, in milliseconds. */
export const nrf91PageEraseMs = 85;

/**
 * A NOR flash: erased page by page, written unit by unit, and a write only clears bits.
 *
 * - **Reads** begin and end anywhere. **Writes** begin and end at a multiple of `writeBytes`, **erasures** at a multiple of `pageBytes`; all
 *   within `sizeBytes`. Anything else is FLASH_ACCESS_INVALID, and nothing happens. A length of 0 is allowed and does nothing.
 * - A write that would have to set a bit is FLASH_NOT_ERASED, and nothing happens. Silicon would store the AND of old and new without a word,
 *   which no caller of this interface wants. Writing what is there already, or bytes that only clear more bits, is allowed.
 * - What has resolved is durable. What power interrupted is **torn**: of a write, any first part of its bytes may be there; of an erasure, any
 *   first part of its pages may be erased, and the page after them may be anything between. The next start reads what is there and
 *   trusts nothing else. An operation that the power cut ended is FLASH_FAILED, as is every failure of the thing below.
 * - Calls may overlap and take effect in the order in which they were made. The bytes of a write are taken when it is called, and those of
 *   a read are the caller's own.
 */
export interface Flash {
  /** A multiple of `pageBytes`. */
  readonly sizeBytes: number;
  /** What an erasure consists of. All pages are of one size. A multiple of `writeBytes`. */
  readonly pageBytes: number;
  /** What a write consists of: 1 to 32, a power of two. */
  readonly writeBytes: number;
  /** What an erased byte reads as: 0xff of NOR flash, and of every flash of this repository. */
  readonly erasedByte: number;
  /** @throws {ThinglineError} FLASH_ACCESS_INVALID, FLASH_FAILED */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** @throws {ThinglineError} FLASH_ACCESS_INVALID, FLASH_NOT_ERASED, FLASH_FAILED */
  write(offset: number, bytes: Uint8Array): Promise<void>;
  /** @throws {ThinglineError} FLASH_ACCESS_INVALID, FLASH_FAILED */
  erase(offset: number, length: number): Promise<void>;
}

/** A range of a flash, for instance a slot. */
export interface FlashRange {
  /** From the beginning of the flash, a multiple of its `pageBytes`. */
  offsetBytes: number;
  /** A multiple of its `pageBytes`. */
  sizeBytes: number;
}

/** A range of a flash as a flash of its own: nothing outside can be reached through it. @throws {ThinglineError} FLASH_ACCESS_INVALID */
export function flashArea(flash: Flash, { offsetBytes, sizeBytes }: FlashRange): Flash {
  checkFlashAccess(flash, "erase", offsetBytes, sizeBytes);
  const { pageBytes, writeBytes, erasedByte } = flash;
  const area = { sizeBytes, pageBytes, writeBytes, erasedByte };
  // Async, so that what is refused rejects, as with every flash.
  return {
    ...area,
    async read(offset, length) {
      checkFlashAccess(area, "read", offset, length);
      return flash.read(offsetBytes + offset, length);
    },
    async write(offset, bytes) {
      checkFlashAccess(area, "write", offset, bytes.length);
      return flash.write(offsetBytes + offset, bytes);
    },
    async erase(offset, length) {
      checkFlashAccess(area, "erase", offset, length);
      return flash.erase(offsetBytes + offset, length);
    },
  };
}

export type FlashGeometry = Pick<Flash, "sizeBytes" | "pageBytes" | "writeBytes">;

/** The largest write unit: what a trailer of MCUboot can be aligned to. */
export const flashWriteBytesMax = 32;
/** No simulated flash is larger: 64 MiB. */
export const flashBytesMax = 67_108_864;

/** For every flash that is made: its sizes fit together. @throws {ThinglineError} OPTION_INVALID */
export function checkFlashGeometry({ sizeBytes, pageBytes, writeBytes }: FlashGeometry): void {
  const isPowerOfTwo = Number.isInteger(writeBytes) && writeBytes > 0 && (writeBytes & (writeBytes - 1)) === 0;
  if (!isPowerOfTwo || writeBytes > flashWriteBytesMax) {
    throw optionInvalid("writeBytes", `a power of two from 1 to ${flashWriteBytesMax}`, writeBytes);
  }
  if (!Number.isInteger(pageBytes) || pageBytes < writeBytes || pageBytes % writeBytes !== 0) {
    throw optionInvalid("pageBytes", `a multiple of writeBytes (${writeBytes})`, pageBytes);
  }
  if (
    !Number.isInteger(sizeBytes) ||
    sizeBytes < pageBytes ||
    sizeBytes % pageBytes !== 0 ||
    sizeBytes > flashBytesMax
  ) {
    throw optionInvalid("sizeBytes", `a multiple of pageBytes (${pageBytes}), at most ${flashBytesMax}`, sizeBytes);
  }
}

const unitOf = {
  read: () => 1,
  write: ({ writeBytes }: FlashGeometry) => writeBytes,
  erase: ({ pageBytes }: FlashGeometry) => pageBytes,
};

/** For every flash: what it does before it touches anything. @throws {ThinglineError} FLASH_ACCESS_INVALID */
export function checkFlashAccess(
  flash: FlashGeometry,
  operation: "read" | "write" | "erase",
  offset: number,
  length: number,
): void {
  const unit = unitOf[operation](flash);
  const isAligned = (value: number): boolean => Number.isSafeInteger(value) && value >= 0 && value % unit === 0;
  if (isAligned(offset) && isAligned(length) && offset + length <= flash.sizeBytes) return;
  const unitText = unit === 1 ? "" : ` in units of ${unit}`;
  const message = `cannot ${operation} ${length} bytes at ${offset}: a flash of ${flash.sizeBytes} bytes${unitText}`;
  const details = { operation, offset, length, unit, sizeBytes: flash.sizeBytes };
  throw new ThinglineError("FLASH_ACCESS_INVALID", message, { details });
}

/**
 * For every flash: whether a write only clears bits.
 *
 * @param at where `old` lies, for the error
 * @throws {ThinglineError} FLASH_NOT_ERASED
 */
export function checkOnlyClears(old: Uint8Array, bytes: Uint8Array, at: number): void {
  const index = bytes.findIndex((byte, position) => (byte & ~(old[position] ?? 0)) !== 0);
  if (index === -1) return;
  const message = `byte ${at + index} of the flash holds ${old[index]} and cannot become ${bytes[index]} without an erasure`;
  throw new ThinglineError("FLASH_NOT_ERASED", message, { details: { offset: at + index } });
}
