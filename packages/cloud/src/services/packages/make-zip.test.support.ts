import { deflateRawSync } from "node:zlib";
import { concatBytes, crc32 } from "@thingline/protocol";

export interface ZippedFile {
  name: string;
  content: string | Uint8Array;
  /** Default: deflated. */
  method?: number;
  /** What the directory says instead of the truth. */
  says?: { bytes?: number; crc?: number; flags?: number };
}

/** An archive as any tool writes it. */
export function makeZip(files: readonly ZippedFile[]): Uint8Array {
  const bodies: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let at = 0;
  for (const { name, content, method = 8, says = {} } of files) {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    const packed = method === 8 ? new Uint8Array(deflateRawSync(bytes)) : bytes;
    const nameBytes = new TextEncoder().encode(name);
    const facts = [method, 0, 0, says.crc ?? crc32(bytes), packed.length, says.bytes ?? bytes.length] as const;
    const local = header(0x04034b50, 30, [20, says.flags ?? 0, ...facts, nameBytes.length, 0]);
    bodies.push(local, nameBytes, packed);
    const central = header(0x02014b50, 46, [20, 20, says.flags ?? 0, ...facts, nameBytes.length, 0, 0, 0, 0, 0, at]);
    directory.push(central, nameBytes);
    at += local.length + nameBytes.length + packed.length;
  }
  const length = directory.reduce((sum, part) => sum + part.length, 0);
  const end = new Uint8Array(22);
  const view = new DataView(end.buffer);
  view.setUint32(0, 0x06054b50, true);
  view.setUint16(8, files.length, true);
  view.setUint16(10, files.length, true);
  view.setUint32(12, length, true);
  view.setUint32(16, at, true);
  return concatBytes([...bodies, ...directory, end]);
}

/** Numbers of 2 bytes, but those at the places of 4. */
function header(signature: number, length: number, numbers: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, signature, true);
  let at = 4;
  const isCentral = length === 46;
  const wide = isCentral ? new Set([6, 7, 8, 14, 15]) : new Set([5, 6, 7]);
  for (const [index, number] of numbers.entries()) {
    if (wide.has(index)) view.setUint32(at, number, true);
    else view.setUint16(at, number, true);
    at += wide.has(index) ? 4 : 2;
  }
  return bytes;
}
