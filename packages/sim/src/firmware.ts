import { concatBytes, isRecord, optionInvalid } from "@thingline/protocol";
import {
  type ImageCrypto,
  imageHeaderBytes,
  type ImageSource,
  parseImageHeader,
  parseVersion,
} from "@thingline/protocol/image";
import { signImage } from "@thingline/protocol/image";

/** What the application of a simulated board does: names and values that mean something to whoever runs it. */
export type SimulatedProgram = Readonly<Record<string, string | number | boolean>>;

/** The text of a program, in bytes. */
export const simulatedProgramBytesMax = 4_096;

/** As of Zephyr on an nRF91. */
const headerBytes = 0x200;
const marker = new TextEncoder().encode("thingline program\n");
/** Signature, key hash and what else is behind the payload: more than any key needs. */
const tlvBytesMax = 600;

export interface SimulatedFirmwareOptions {
  crypto: ImageCrypto;
  /** Left out, the image has a hash only. */
  privateKeyPem?: string;
  /** `1.2.3+4` */
  version: string;
  /** Of the whole image, about: it has at most so many bytes, and at most 600 fewer. Default 65,536. */
  sizeBytes?: number;
  /** Default an empty one. */
  program?: SimulatedProgram;
  securityCounter?: number | "auto";
}

/**
 * An image for a simulated board: signed as a real one, with a program that is read back when it runs, and filled up to its size with bytes
 * that differ from version to version.
 *
 * @throws {ThinglineError} OPTION_INVALID, KEY_INVALID
 */
export async function makeSimulatedFirmware(options: SimulatedFirmwareOptions): Promise<Uint8Array> {
  const { crypto, privateKeyPem, version: text, sizeBytes = 65_536, program = {}, securityCounter } = options;
  const version = parseVersion(text);
  if (version === undefined) throw optionInvalid("version", "major.minor.revision+build", text);
  const code = new TextEncoder().encode(JSON.stringify(program));
  if (code.length > simulatedProgramBytesMax) {
    throw optionInvalid("program", `at most ${simulatedProgramBytesMax} bytes of JSON`, code.length);
  }
  const start = concatBytes([marker, uint32(code.length), code]);
  const payloadBytes = sizeBytes - headerBytes - tlvBytesMax;
  if (payloadBytes < start.length) {
    throw optionInvalid("sizeBytes", `at least ${headerBytes + tlvBytesMax + start.length}`, sizeBytes);
  }
  const payload = new Uint8Array(payloadBytes);
  fill(payload, text);
  payload.set(start);
  return signImage(payload, { crypto, privateKeyPem, version, headerBytes, padsHeader: true, securityCounter });
}

/** The program of an image that lies somewhere; an empty one when it has none. */
export async function readSimulatedProgram(source: ImageSource): Promise<SimulatedProgram> {
  const result = parseImageHeader(await source.read(0, imageHeaderBytes));
  if ("refusal" in result) return {};
  const { headerBytes: start, payloadBytes } = result.header;
  const head = marker.length + 4;
  if (payloadBytes < head || start + payloadBytes > source.sizeBytes) return {};
  const bytes = Uint8Array.from(await source.read(start, head));
  if (!marker.every((byte, at) => bytes[at] === byte)) return {};
  const length = new DataView(bytes.buffer).getUint32(marker.length, true);
  if (length > simulatedProgramBytesMax || length > payloadBytes - head) return {};
  const program: unknown = JSON.parse(new TextDecoder().decode(await source.read(start + head, length)));
  return isProgram(program) ? program : {};
}

function isProgram(value: unknown): value is SimulatedProgram {
  return isRecord(value) && Object.values(value).every((each) => ["string", "number", "boolean"].includes(typeof each));
}

function uint32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

/** Bytes that do not repeat, and are the same for the same text. */
function fill(bytes: Uint8Array, text: string): void {
  let state = 2_166_136_261;
  for (const letter of text) state = Math.imul(state ^ (letter.codePointAt(0) ?? 0), 16_777_619);
  for (let index = 0; index < bytes.length; index++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    bytes[index] = state >>> 24;
  }
}
