import { malformed } from "./faults.js";
import { decodeUtf8 } from "./utf8.js";

const noBytes = new Uint8Array(0);

/** Reads the fields of one packet. One reader serves all decoders, so that a packet costs no reader. */
export class PacketReader {
  bytes: Uint8Array = noBytes;
  position = 0;
  /** Nothing is read at or beyond it. */
  end = 0;

  reset(bytes: Uint8Array, start: number, end: number): void {
    this.bytes = bytes;
    this.position = start;
    this.end = end;
  }

  get remaining(): number {
    return this.end - this.position;
  }

  uint8(field: string): number {
    this.need(1, field);
    return this.bytes[this.position++]!;
  }

  uint16(field: string): number {
    this.need(2, field);
    const at = this.position;
    this.position = at + 2;
    return (this.bytes[at]! << 8) | this.bytes[at + 1]!;
  }

  uint32(field: string): number {
    this.need(4, field);
    const { bytes, position: at } = this;
    this.position = at + 4;
    return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
  }

  /** A variable byte integer inside a packet: MQTT 5 only, so the shortest form is a must. */
  varint(field: string): number {
    let value = 0;
    for (let shift = 0; shift <= 21; shift += 7) {
      const byte = this.uint8(field);
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        if (byte === 0 && shift > 0) throw malformed(`${field} is not in its shortest form`, "MQTT-1.5.5-1");
        return value;
      }
    }
    throw malformed(`${field} has more than four bytes`, "MQTT 5 §1.5.5");
  }

  string(field: string): string {
    const length = this.uint16(field);
    this.need(length, field);
    const start = this.position;
    this.position = start + length;
    const text = decodeUtf8(this.bytes, start, this.position);
    if (text === undefined) throw malformed(`${field} is not UTF-8, or holds U+0000`, "MQTT-1.5.4-1, MQTT-1.5.4-2");
    return text;
  }

  /** A view of the input, not a copy. */
  binary(field: string): Uint8Array {
    const length = this.uint16(field);
    this.need(length, field);
    const start = this.position;
    this.position = start + length;
    return length === 0 ? noBytes : this.bytes.subarray(start, this.position);
  }

  packetId(): number {
    const packetId = this.uint16("the packet identifier");
    if (packetId === 0) throw zeroPacketId();
    return packetId;
  }

  /** Every packet ends with its last field. */
  finish(packet: string): void {
    if (this.position !== this.end) {
      throw malformed(`${packet} has ${this.remaining} bytes after its last field`, "MQTT 5 §2.1.4");
    }
  }

  private need(length: number, field: string): void {
    if (this.position + length > this.end) {
      throw malformed(`${field} needs ${length} bytes, the packet has ${this.remaining} left`, "MQTT 5 §2.1.4");
    }
  }
}

export function zeroPacketId(): Error {
  return malformed("the packet identifier is 0", "MQTT-2.2.1-3, 3.1.1 MQTT-2.3.1-1", 0x82);
}
