import { concatBytes, crc32 } from "@thingline/protocol";

export interface SimulatedArchiveOptions {
  /** Of the bootloader and of each of the two segments of firmware. Default 2 KiB. */
  partBytes?: number;
  /** The image for a serial line, as `makeSimulatedModemPackage()` makes it, and its name: `mfw_nrf91x1_2.0.2.cbor`. */
  image?: { name: string; bytes: Uint8Array };
  /** More files, or others in place of those: by their names. */
  files?: Readonly<Record<string, Uint8Array>>;
}

/**
 * A package of modem firmware (`mfw_nrf9160_1.3.7.zip`) in the shape of Nordic's: the modem's bootloader and the segments of its firmware in Intel HEX, in
 * a zip archive. For trying what programs one; no modem runs it.
 */
export function makeSimulatedArchive({
  partBytes = 2_048,
  image,
  files = {},
}: SimulatedArchiveOptions = {}): Uint8Array {
  const part = (seed: number): Uint8Array =>
    Uint8Array.from({ length: partBytes }, (_none, at) => (at * 13 + seed) & 0xff);
  return zip({
    "12ff0aba5ac7c2f0.ipc_dfu.signed_1.1.0.ihex": intelHex(0x2000_0000, part(1)),
    "firmware.update.image.segments.0.hex": intelHex(0x0005_0000, part(2)),
    "firmware.update.image.segments.1.hex": intelHex(0x000a_0000, part(3)),
    ...(image === undefined ? {} : { [image.name]: image.bytes }),
    ...files,
  });
}

const recordBytes = 16;

/** Data records of 16 bytes, with the upper half of the address before each 64 KiB. */
function intelHex(address: number, bytes: Uint8Array): Uint8Array {
  const lines: string[] = [];
  let upper = -1;
  for (let offset = 0; offset < bytes.length; offset += recordBytes) {
    const at = address + offset;
    if (at >>> 16 !== upper) {
      upper = at >>> 16;
      lines.push(hexRecord(0, 4, Uint8Array.of(upper >> 8, upper & 0xff)));
    }
    lines.push(hexRecord(at & 0xffff, 0, bytes.subarray(offset, offset + recordBytes)));
  }
  lines.push(hexRecord(0, 1, new Uint8Array(0)));
  return new TextEncoder().encode(`${lines.join("\n")}\n`);
}

function hexRecord(address: number, type: number, data: Uint8Array): string {
  const record = [data.length, address >> 8, address & 0xff, type, ...data];
  const sum = record.reduce((before, byte) => before + byte, 0);
  const digits = [...record, -sum & 0xff].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return `:${digits.toUpperCase()}`;
}

/** Files one behind the other, stored as they are, and the directory. */
function zip(files: Readonly<Record<string, Uint8Array>>): Uint8Array {
  const contents: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let offset = 0;
  for (const [text, bytes] of Object.entries(files)) {
    const name = new TextEncoder().encode(text);
    const facts = [crc32(bytes), bytes.length, bytes.length] as const;
    const local = concatBytes([
      fields([4, 0x04034b50], [2, 20], [2, 0], [2, 0], [4, 0], ...facts.map(long), [2, name.length], [2, 0]),
      name,
      bytes,
    ]);
    const central = fields(
      ...([[4, 0x02014b50], [2, 20], [2, 20], [2, 0], [2, 0], [4, 0], ...facts.map(long), [2, name.length]] as Field[]),
      ...([
        [2, 0],
        [2, 0],
        [2, 0],
        [2, 0],
        [4, 0],
        [4, offset],
      ] as Field[]),
    );
    contents.push(local);
    directory.push(concatBytes([central, name]));
    offset += local.length;
  }
  const sizeBytes = directory.reduce((sum, { length }) => sum + length, 0);
  const count = directory.length;
  const end = fields([4, 0x06054b50], [2, 0], [2, 0], [2, count], [2, count], [4, sizeBytes], [4, offset], [2, 0]);
  return concatBytes([...contents, ...directory, end]);
}

type Field = readonly [lengthBytes: 2 | 4, value: number];

const long = (value: number): Field => [4, value];

function fields(...all: readonly Field[]): Uint8Array {
  const bytes = new Uint8Array(all.reduce((sum, [lengthBytes]) => sum + lengthBytes, 0));
  const view = new DataView(bytes.buffer);
  let offset = 0;
  for (const [lengthBytes, value] of all) {
    if (lengthBytes === 2) view.setUint16(offset, value, true);
    else view.setUint32(offset, value, true);
    offset += lengthBytes;
  }
  return bytes;
}
