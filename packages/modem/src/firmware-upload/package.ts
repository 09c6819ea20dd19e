import { ThinglineError } from "@thingline/protocol";
import { type FullImage, readFullImage } from "./full-image.js";
import { checkIntelHex } from "./intel-hex.js";
import { parseFirmwareRevision } from "./revision.js";
import { type ArchiveFile, type Inflate, readArchive } from "./zip.js";

/** A package of a whole modem firmware as Nordic publishes it, checked: `mfw_nrf9160_1.3.7.zip`. */
export interface FirmwarePackage {
  /** `mfw_nrf9160_1.3.7`, by the name of the package or of the image in it. */
  revision: string | undefined;
  /** The modem's bootloader, in Intel HEX, named by a digest. */
  bootloader: string;
  /** The firmware's segments in Intel HEX, in their order. */
  segments: readonly string[];
  /** What goes over a serial line, where the package has it. */
  fullImage: FullImage | undefined;
  /** Delta images that are in it: from which version to which. */
  deltas: readonly { name: string; from: string; to: string }[];
}

export interface ReadPackageOptions {
  /** Of the file, without its folder. */
  name: string;
  inflate: Inflate;
  sha256: (bytes: Uint8Array) => Uint8Array;
}

const bootloaderForm = /^[0-9A-Fa-f]+\.ipc_dfu\.signed(?:_\d+\.\d+\.\d+)?\.ihex$/;
const segmentForm = /\.segments\.(\d{1,2})\.hex$/;
const deltaForm = /_from_(\d+\.\d+\.\d+)_to_(\d+\.\d+\.\d+)[^/]*\.bin$/;

/**
 * Checks a package before anything is done to a board: the archive and its sums, its parts, each record of their HEX files, and the image's SHA-256.
 *
 * @throws {ThinglineError} FIRMWARE_PACKAGE_INVALID saying what is wrong.
 */
export function readFirmwarePackage(bytes: Uint8Array, options: ReadPackageOptions): FirmwarePackage {
  const files = readArchive(bytes, options.inflate).map((file) => ({ file, name: file.name.replace(/^.*\//, "") }));
  const bootloaders = files.filter(({ name }) => bootloaderForm.test(name));
  const segments = files.flatMap(({ file, name }) => {
    const number = segmentForm.exec(name)?.[1];
    return number === undefined ? [] : [{ file, number: Number(number) }];
  });
  segments.sort((first, second) => first.number - second.number);
  const [bootloader] = bootloaders;
  if (bootloader === undefined) throw invalid("it has no bootloader (*.ipc_dfu.signed*.ihex)");
  if (bootloaders.length > 1) throw invalid(`it has ${bootloaders.length} bootloaders`);
  if (segments.length === 0) throw invalid("it has no segments of firmware (*.segments.0.hex)");
  if (segments.some(({ number }, index) => number !== index)) throw invalid("a segment of its firmware is missing");
  for (const { file } of [bootloader, ...segments]) checkHex(file);
  const images = files.filter(({ name }) => name.endsWith(".cbor"));
  if (images.length > 1) throw invalid(`it has ${images.length} images for a serial line (*.cbor)`);
  const [image] = images;
  const stems = [options.name, ...images.map(({ name }) => name)].map((name) => name.replace(/\.(?:zip|cbor)$/, ""));
  return {
    revision: stems.find((stem) => parseFirmwareRevision(stem) !== undefined),
    bootloader: bootloader.name,
    segments: segments.map(({ file }) => file.name),
    fullImage: image && readFullImage(image.file.read(), options.sha256),
    deltas: files.flatMap(({ name }) => {
      const [, from, to] = deltaForm.exec(name) ?? [];
      return from === undefined || to === undefined ? [] : [{ name, from, to }];
    }),
  };
}

function checkHex(file: ArchiveFile): void {
  const check = checkIntelHex(file.read());
  if (check.type === "damaged") throw invalid(`${file.name} is damaged in line ${check.line}`);
  if (check.dataBytes === 0) throw invalid(`${file.name} has no bytes`);
}

function invalid(why: string): ThinglineError {
  return new ThinglineError("FIRMWARE_PACKAGE_INVALID", `this is no package of modem firmware: ${why}`);
}
