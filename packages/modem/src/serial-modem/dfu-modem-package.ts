import { concatBytes, crc32, isRecord, optionInvalid } from "@thingline/protocol";
import { CborTag, decodeCbor, encodeCbor } from "@thingline/protocol/cbor";

export interface SimulatedModemPackageOptions {
  /** What runs after it, as `AT+CGMR` has it. */
  to: string;
  /** Default 8 KiB. */
  bootloaderBytes?: number;
  /** Of both segments of the firmware together. Default 24 KiB. */
  firmwareBytes?: number;
  /** For the digest in its manifest, that of a device's keys for example. Without it a host that looks takes the package for damaged. */
  sha256?: (bytes: Uint8Array) => Uint8Array;
}

/** A part of a modem's firmware and where it goes. */
export interface ModemSegment {
  address: number;
  bytes: Uint8Array;
}

export interface ModemPackage {
  bootloader: ModemSegment;
  firmware: readonly ModemSegment[];
}

/** Longest package, and longest firmware that the simulated bootloader of a modem takes. */
export const modemPackageBytesMax = 4 * 1024 * 1024;

const segmentsMax = 32;
const digestBytes = 32;
/** The manifest is an array: this, a flag of compatibility, the content's SHA-256, the segments. */
const manifestVersion = 1;
const bootloaderMagic = "simulated nRF91 bootloader\n";
const firmwareMagic = "simulated nRF91 firmware\n";
const factsBytesMax = 512;
const bootloaderAddress = 0;
const firmwareAddresses = [0x1_0000, 0x8_0000] as const;

/**
 * The whole firmware of a simulated modem, as a file: the shape is Nordic's `.cbor` (a signed manifest, then the segments), whose own
 * content is of no use to a simulated modem; this one says in clear what it is, and a checksum stands for the signature.
 *
 * @throws {ThinglineError} OPTION_INVALID
 */
export function makeSimulatedModemPackage(options: SimulatedModemPackageOptions): Uint8Array {
  const { bootloader, firmware } = segmentsOf(options);
  const all = [bootloader, ...firmware];
  const places = encodeCbor(all.flatMap(({ address, bytes }) => [address, bytes.length]));
  const content = concatBytes(all.map(({ bytes }) => bytes));
  const digest = options.sha256?.(content) ?? new Uint8Array(digestBytes);
  const manifest = encodeCbor([manifestVersion, 0, digest, places]);
  const head = encodeCbor(new CborTag(18, [new Uint8Array(0), new Map(), manifest, new Uint8Array(64)]));
  return concatBytes([head, content]);
}

function segmentsOf(options: SimulatedModemPackageOptions): ModemPackage {
  const { to, bootloaderBytes = 8192, firmwareBytes = 24_576 } = options;
  if (!/^[\w.-]{1,64}$/u.test(to)) throw optionInvalid("to", "a name of a firmware", to.length);
  const least = firmwareMagic.length + factsBytesMax;
  if (!(bootloaderBytes >= least && bootloaderBytes <= modemPackageBytesMax / 2)) {
    throw optionInvalid("bootloaderBytes", `a number from ${least} to ${modemPackageBytesMax / 2}`, bootloaderBytes);
  }
  if (!(firmwareBytes >= 2 * least && firmwareBytes <= modemPackageBytesMax / 2)) {
    throw optionInvalid("firmwareBytes", `a number from ${2 * least} to ${modemPackageBytesMax / 2}`, firmwareBytes);
  }
  const rest = filling(firmwareBytes - least);
  const facts = JSON.stringify({ to, restBytes: rest.length, restSum: crc32(rest) });
  const encoder = new TextEncoder();
  const head = encoder.encode(`${firmwareMagic}${facts.padEnd(factsBytesMax - 1)}\n`);
  const firstBytes = Math.floor(rest.length / 2);
  const magic = encoder.encode(bootloaderMagic);
  return {
    bootloader: {
      address: bootloaderAddress,
      bytes: concatBytes([magic, filling(bootloaderBytes - magic.length)]),
    },
    firmware: [
      { address: firmwareAddresses[0], bytes: concatBytes([head, rest.subarray(0, firstBytes)]) },
      { address: firmwareAddresses[1], bytes: rest.subarray(firstBytes) },
    ],
  };
}

function filling(lengthBytes: number): Uint8Array {
  return Uint8Array.from({ length: lengthBytes }, (_none, index) => (index * 17 + (index >> 8)) & 0xff);
}

/**
 * Takes a package apart, Nordic's or a simulated one: what a host has to send by `#XDFUWRITE=2`.
 *
 * @returns undefined: it is none, or damaged
 */
export function readModemPackage(file: Uint8Array): ModemPackage | undefined {
  const headBytes = headBytesOf(file);
  if (headBytes === undefined || file.length > modemPackageBytesMax) return undefined;
  const places = placesOf(file.subarray(0, headBytes));
  if (places === undefined) return undefined;
  const segments: ModemSegment[] = [];
  let at = headBytes;
  for (const { address, lengthBytes } of places) {
    segments.push({ address, bytes: file.subarray(at, at + lengthBytes) });
    at += lengthBytes;
  }
  const [bootloader, ...firmware] = segments;
  return at === file.length && bootloader !== undefined && firmware.length > 0 ? { bootloader, firmware } : undefined;
}

/** Where the manifest ends and the segments begin: `D2 84`, then four items, each a string or a map. */
function headBytesOf(file: Uint8Array): number | undefined {
  let at: number | undefined = file[0] === 0xd2 && file[1] === 0x84 ? 2 : undefined;
  for (let item = 0; item < 4 && at !== undefined; item++) at = itemEnd(file, at, 0);
  return at;
}

function itemEnd(file: Uint8Array, at: number, depth: number): number | undefined {
  const first = file[at];
  if (first === undefined || depth > 4) return undefined;
  const extraBytes = [1, 2, 4][(first & 31) - 24] ?? ((first & 31) < 24 ? 0 : undefined);
  if (extraBytes === undefined || at + 1 + extraBytes > file.length) return undefined;
  let count = extraBytes === 0 ? first & 31 : 0;
  for (let index = 0; index < extraBytes; index++) count = count * 256 + (file[at + 1 + index] ?? 0);
  let end = at + 1 + extraBytes;
  const type = first >> 5;
  if (type === 0 || type === 1) return end;
  if (type === 2 || type === 3) return end + count <= file.length ? end + count : undefined;
  if (type !== 4 && type !== 5) return undefined;
  for (let index = 0; index < count * (type === 5 ? 2 : 1); index++) {
    const next = itemEnd(file, end, depth + 1);
    if (next === undefined) return undefined;
    end = next;
  }
  return end;
}

function placesOf(head: Uint8Array): { address: number; lengthBytes: number }[] | undefined {
  const manifest = manifestOf(head);
  const places = manifest === undefined ? undefined : decodeCbor(manifest);
  if (!Array.isArray(places) || places.length % 2 !== 0 || places.length > 2 * segmentsMax) return undefined;
  const found: { address: number; lengthBytes: number }[] = [];
  for (let index = 0; index < places.length; index += 2) {
    const address: unknown = places[index];
    const lengthBytes: unknown = places[index + 1];
    if (typeof address !== "number" || typeof lengthBytes !== "number") return undefined;
    found.push({ address, lengthBytes });
  }
  return found;
}

/** The third of the four items is a byte string with an array, whose last member is a byte string with the places. */
function manifestOf(head: Uint8Array): Uint8Array | undefined {
  const from = itemEnd(head, itemEnd(head, 2, 0) ?? head.length, 0);
  const to = from === undefined ? undefined : itemEnd(head, from, 0);
  const payload = from === undefined || to === undefined ? undefined : stringAt(head, from, to);
  const manifest = payload && decodeCbor(payload);
  const places: unknown = Array.isArray(manifest) && manifest.length === 4 ? manifest[3] : undefined;
  return places instanceof Uint8Array ? places : undefined;
}

/** The content of a byte string from its first byte to its end. */
function stringAt(bytes: Uint8Array, from: number, to: number): Uint8Array | undefined {
  const first = bytes[from] ?? 0;
  if (first >> 5 !== 2) return undefined;
  const extraBytes = [1, 2, 4][(first & 31) - 24] ?? 0;
  return bytes.subarray(from + 1 + extraBytes, to);
}

/** Whether a segment is the bootloader of a simulated modem. */
export function isSimulatedBootloader(segment: Uint8Array): boolean {
  const magic = new TextEncoder().encode(bootloaderMagic);
  return segment.length >= magic.length && magic.every((byte, index) => segment[index] === byte);
}

/** What a firmware says it is, all its segments one behind the other. @returns undefined: it is none, or damaged */
export function revisionOfFirmware(firmware: Uint8Array): string | undefined {
  const headBytes = firmwareMagic.length + factsBytesMax;
  if (firmware.length < headBytes) return undefined;
  // Latin-1 reads anything.
  const head = Array.from(firmware.subarray(0, headBytes), (byte) => String.fromCharCode(byte)).join("");
  if (!head.startsWith(firmwareMagic)) return undefined;
  const rest = firmware.subarray(headBytes);
  try {
    const facts: unknown = JSON.parse(head.slice(firmwareMagic.length));
    if (!isRecord(facts)) return undefined;
    const { to, restBytes, restSum } = facts;
    const isWhole = restBytes === rest.length && restSum === crc32(rest);
    return isWhole && typeof to === "string" && /^[\w.-]{1,64}$/u.test(to) ? to : undefined;
  } catch {
    return undefined;
  }
}
