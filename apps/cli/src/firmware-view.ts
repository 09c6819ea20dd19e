import { toHex } from "@thingline/protocol";
import {
  alignBytesAllowed,
  decodeSwapInfo,
  type FirmwareKind,
  flagMark,
  flagNames,
  formatVersion,
  identifiedBytes,
  identifyFirmware,
  type ImageDependency,
  type ImageInspection,
  type ImageSource,
  magicMark,
  type Tlv,
  tlvName,
  tlvTypes,
  trailerLayout,
  type TrailerMark,
  trailerMagicBytes,
  type TrailerState,
} from "@thingline/protocol/image";
import type { Output } from "./output.js";
import { shortVersion } from "./short-version.js";

/** What `firmware inspect` tells, as JSON and as a table. */
export interface ShownImage {
  readonly kind: FirmwareKind;
  readonly fileBytes: number;
  readonly header?: {
    readonly version: string;
    readonly headerBytes: number;
    readonly payloadBytes: number;
    readonly protectedTlvBytes: number;
    readonly loadAddress: number;
    readonly flags: readonly string[];
  };
  readonly imageBytes?: number;
  readonly securityCounter?: number;
  readonly dependencies?: readonly { readonly imageNumber: number; readonly version: string }[];
  readonly tlvs?: readonly ShownTlv[];
  readonly trailer?: TrailerState & { readonly alignBytes: number };
}

export interface ShownTlv {
  readonly name: string;
  readonly type: number;
  readonly offset: number;
  readonly isProtected: boolean;
  readonly bytes: number;
  /** Hexadecimal. */
  readonly value: string;
}

export async function imageFactsOf(source: ImageSource, inspection: ImageInspection): Promise<ShownImage> {
  const { header, facts, tlvs, imageBytes } = inspection;
  const first = await source.read(0, Math.min(identifiedBytes, source.sizeBytes));
  const trailer = imageBytes === undefined ? undefined : await findTrailer(source, imageBytes);
  return {
    kind: identifyFirmware(first),
    fileBytes: source.sizeBytes,
    ...(header && {
      header: {
        version: formatVersion(header.version),
        headerBytes: header.headerBytes,
        payloadBytes: header.payloadBytes,
        protectedTlvBytes: header.protectedTlvBytes,
        loadAddress: header.loadAddress,
        flags: flagNames(header),
      },
    }),
    ...(imageBytes !== undefined && { imageBytes }),
    ...(facts?.securityCounter !== undefined && { securityCounter: facts.securityCounter }),
    ...(facts && { dependencies: facts.dependencies.map(shownDependency) }),
    ...(tlvs.length > 0 && { tlvs: tlvs.map(shownTlv) }),
    ...(trailer && { trailer }),
  };
}

function shownDependency({ imageNumber, version }: ImageDependency): { imageNumber: number; version: string } {
  return { imageNumber, version: formatVersion(version) };
}

function shownTlv({ type, value, offset, isProtected }: Tlv): ShownTlv {
  return { name: tlvName(type), type, offset, isProtected, bytes: value.length, value: toHex(value) };
}

/** Of a file that fills its slot: its last bytes tell with which alignment. */
async function findTrailer(source: ImageSource, imageBytes: number): Promise<ShownImage["trailer"]> {
  if (source.sizeBytes < imageBytes + trailerMagicBytes) return undefined;
  const magic = Uint8Array.from(await source.read(source.sizeBytes - trailerMagicBytes, trailerMagicBytes));
  const alignBytes = alignBytesAllowed.find((each) => magicMark(magic, each) === "good");
  if (alignBytes === undefined) return undefined;
  const layout = trailerLayout({ areaBytes: source.sizeBytes, mode: "move", writeBytes: 1, alignBytes, sectorsMax: 1 });
  const byteAt = async (offset: number): Promise<number> => (await source.read(offset, 1))[0] ?? 0xff;
  if (layout.swapInfo < imageBytes) return undefined;
  return {
    alignBytes,
    magic: "good",
    imageOk: flagMark(await byteAt(layout.imageOk)),
    copyDone: flagMark(await byteAt(layout.copyDone)),
    ...decodeSwapInfo(await byteAt(layout.swapInfo)),
  };
}

const kinds: Readonly<Record<FirmwareKind, string>> = {
  application: "MCUboot image",
  modemDelta: "delta of modem firmware, which only the modem can judge",
  modemFull: "whole modem firmware, which only the modem can judge",
  unknown: "unknown",
};

/** A flag is set; a magic would be good. */
const markNames: Readonly<Record<TrailerMark, string>> = { good: "set", unset: "not set", bad: "damaged" };

/** Columns of names. */
const nameWidth = 20;

/** Lines for people. */
export function imageTable(file: string, image: ShownImage, output: Output): string {
  const line = (name: string, text: string): string => `${name.padEnd(nameWidth)}${output.wrap(text, nameWidth)}`;
  const lines = [line("file", `${file}, ${image.fileBytes} bytes`), line("kind", kinds[image.kind])];
  const { header, tlvs = [], trailer } = image;
  if (header) {
    lines.push(
      line("version", shortVersion(header.version)),
      line("header", `${header.headerBytes} bytes`),
      line("payload", `${header.payloadBytes} bytes`),
      line("flags", header.flags.join(", ") || "none"),
    );
    if (header.loadAddress !== 0) lines.push(line("address", `0x${header.loadAddress.toString(16)}`));
  }
  if (image.imageBytes !== undefined) lines.push(line("image", `${image.imageBytes} bytes`));
  for (const isProtected of [true, false]) {
    const shown = tlvs.filter((tlv) => tlv.isProtected === isProtected);
    if (shown.length === 0) continue;
    lines.push(output.paint.bold(isProtected ? "protected TLVs" : "unprotected TLVs"));
    for (const tlv of shown) lines.push(line(`  ${tlv.name}`, valueText(tlv)));
  }
  if (trailer) {
    const { alignBytes, imageOk, copyDone, swapType } = trailer;
    const marks = [`image_ok ${markNames[imageOk]}`, `copy_done ${markNames[copyDone]}`, `swap type ${swapType}`];
    lines.push(line("trailer", `magic of alignment ${alignBytes}, ${marks.join(", ")}`));
  }
  return lines.join("\n");
}

function valueText({ type, value, bytes }: ShownTlv): string {
  const data = Buffer.from(value, "hex");
  if (type === tlvTypes.SEC_CNT && bytes === 4) return `${data.readUInt32LE()}`;
  if (type === tlvTypes.DEPENDENCY && bytes === 12) {
    const version = {
      major: data[4] ?? 0,
      minor: data[5] ?? 0,
      revision: data.readUInt16LE(6),
      build: data.readUInt32LE(8),
    };
    return `image ${data[0]} in ${shortVersion(formatVersion(version))} or newer`;
  }
  return bytes > valueBytesShown ? `${value.slice(0, valueBytesShown * 2)}... (${bytes} bytes)` : value;
}

/** Of a value in the table; JSON has all of it. */
const valueBytesShown = 64;
