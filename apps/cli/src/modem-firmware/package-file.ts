import { createHash } from "node:crypto";
import { basename } from "node:path";
import { inflateRawSync } from "node:zlib";
import {
  type FirmwarePackage,
  type FirmwareUpload,
  parseFirmwareRevision,
  readFirmwarePackage,
  readFullImage,
} from "@thingline/modem";
import { isThinglineError, ThinglineError } from "@thingline/protocol";
import { type FirmwareKind, identifyFirmware } from "@thingline/protocol/image";
import type { Files } from "@thingline/transport";

/** Of a package or an image of firmware, which is in memory as a whole. Nordic's are some 5 MB. */
export const firmwareFileBytesMax = 33_554_432;

const sha256 = (bytes: Uint8Array): Uint8Array => Uint8Array.from(createHash("sha256").update(bytes).digest());
const inflate = (bytes: Uint8Array, bytesMax: number): Uint8Array =>
  Uint8Array.from(inflateRawSync(bytes, { maxOutputLength: Math.max(1, bytesMax) }));

/** @throws {ThinglineError} FIRMWARE_PACKAGE_INVALID, FILE_TOO_LARGE, and those of the files. */
export async function readPackageFile(files: Files, path: string): Promise<FirmwarePackage> {
  const bytes = await files.read(path, { bytesMax: firmwareFileBytesMax });
  return naming(path, () => readFirmwarePackage(bytes, { name: basename(path), inflate, sha256 }));
}

/** What is wrong with bytes is told without the name of their file, which nobody below knows. */
function naming<Value>(path: string, read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    if (!isThinglineError(error, "FIRMWARE_PACKAGE_INVALID")) throw error;
    const { code, message, details } = error;
    throw new ThinglineError(code, `${path}: ${message}`, { details: { path, ...details }, cause: error });
  }
}

/** What is to be sent over a serial line: a whole firmware, in its package or alone. */
export async function readFullUpload(files: Files, path: string): Promise<FirmwareUpload & { kind: "full" }> {
  if (path.toLowerCase().endsWith(".zip")) {
    const { fullImage, revision } = await readPackageFile(files, path);
    if (fullImage !== undefined) return { kind: "full", image: fullImage, revision };
    throw invalid(path, "has no image for a serial line (*.cbor); a programmer takes it: leave out --port");
  }
  const bytes = await files.read(path, { bytesMax: firmwareFileBytesMax });
  const image = naming(path, () => readFullImage(bytes, sha256));
  const name = basename(path).replace(/\.cbor$/, "");
  return { kind: "full", image, revision: parseFirmwareRevision(name) === undefined ? undefined : name };
}

/** A delta or an application, known by its first bytes. */
export async function readImageUpload(
  files: Files,
  path: string,
  kind: "delta" | "application",
): Promise<FirmwareUpload> {
  const image = await files.read(path, { bytesMax: firmwareFileBytesMax });
  const expected: FirmwareKind = kind === "delta" ? "modemDelta" : "application";
  const found = identifyFirmware(image);
  if (found !== expected) {
    const message = `${path} is ${kinds[found]}, and not ${kinds[expected]}`;
    throw new ThinglineError("FIRMWARE_PACKAGE_INVALID", message, { details: { path, kind } });
  }
  if (kind === "application") return { kind, image };
  const [, family, to] = /_?(nrf91[a-z0-9]*)_.*_to_(\d+\.\d+\.\d+)/.exec(basename(path)) ?? [];
  return { kind, image, revision: family === undefined ? undefined : `mfw_${family}_${to}` };
}

const kinds: Readonly<Record<FirmwareKind, string>> = {
  application: "an MCUboot image of an application",
  modemDelta: "a delta for a modem",
  modemFull: "a whole modem firmware",
  unknown: "no image that is known here",
};

function invalid(path: string, why: string): ThinglineError {
  return new ThinglineError("FIRMWARE_PACKAGE_INVALID", `${path} ${why}`, { details: { path } });
}

/** @throws {ThinglineError} FIRMWARE_PACKAGE_INVALID for a firmware of another family than the one that runs. */
export function requireSameFamily(revision: string | undefined, running: string | undefined): void {
  const [wanted, found] = [revision, running].map((name) =>
    name === undefined ? undefined : parseFirmwareRevision(name),
  );
  if (wanted === undefined || found === undefined || wanted.family === found.family) return;
  const message = `${revision} is for modems of the family ${wanted.family}; this one runs ${running}`;
  throw new ThinglineError("FIRMWARE_PACKAGE_INVALID", message, { details: { family: found.family } });
}
