import { concatBytes, ThinglineError, toHex } from "@thingline/protocol";
import type { ImageCrypto, ImageSource } from "@thingline/protocol/image";

/**
 * The payload of an application's image: eight bytes that tell it, the length of the manifest as four bytes with the lowest first, the manifest
 * in JSON, and then the files one after the other.
 */
export const bundleMagic: Uint8Array = new TextEncoder().encode("THINGAPP");
const headBytes = bundleMagic.length + 4;

export const bundleManifestBytesMax = 2 * 1024 * 1024;
export const bundleFilesMax = 10_000;
/** A file is kept in memory while it is unpacked. */
export const bundleFileBytesMax = 64 * 1024 * 1024;
export const bundlePathCharactersMax = 512;

export interface BundleFile {
  /** With `/`, below the application's folder. */
  readonly path: string;
  readonly sizeBytes: number;
  /** Lower-case hex. */
  readonly sha256: string;
}

export interface BundleManifest {
  /** The file that is run. */
  readonly main: string;
  readonly files: readonly BundleFile[];
}

export interface ReadBundle extends BundleManifest {
  /** Where each file begins. */
  readonly offsets: readonly number[];
}

export const sha256Of = (crypto: Pick<ImageCrypto, "createHash">, bytes: Uint8Array): string => {
  const hasher = crypto.createHash("sha256");
  hasher.update(bytes);
  return toHex(hasher.digest());
};

/**
 * Packs the files of an application; what comes out is signed as any image, with `signImage()` or `thingline firmware sign`, with a header of 32
 * bytes before it.
 *
 * @param files by path
 * @throws {ThinglineError} APPLICATION_BUNDLE_INVALID
 */
export function packApplication(
  files: Readonly<Record<string, Uint8Array>>,
  { main, crypto }: { main: string; crypto: Pick<ImageCrypto, "createHash"> },
): Uint8Array {
  const entries = Object.entries(files).map(([path, content]) => ({
    file: { path, sizeBytes: content.length, sha256: sha256Of(crypto, content) },
    content,
  }));
  const manifest: BundleManifest = { main, files: entries.map(({ file }) => file) };
  const problem = manifestProblem(manifest);
  if (problem !== undefined) throw bundleInvalid(problem);
  const text = new TextEncoder().encode(JSON.stringify({ version: 1, ...manifest }));
  if (text.length > bundleManifestBytesMax) throw bundleInvalid("its manifest is too large");
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, text.length, true);
  return concatBytes([bundleMagic, length, text, ...entries.map(({ content }) => content)]);
}

export const isBundleHead = (bytes: Uint8Array): boolean =>
  bytes.length >= bundleMagic.length && bundleMagic.every((byte, at) => bytes[at] === byte);

/** Reads what a bundle holds. @returns why it is none, for people */
export async function readBundle(source: ImageSource): Promise<ReadBundle | string> {
  if (source.sizeBytes < headBytes) return "it is shorter than its head";
  const head = await source.read(0, headBytes);
  if (!isBundleHead(head)) return "its first bytes are not those of an application";
  const manifestBytes = new DataView(head.buffer, head.byteOffset).getUint32(bundleMagic.length, true);
  const contentOffset = headBytes + manifestBytes;
  if (manifestBytes > bundleManifestBytesMax) return `its manifest has ${manifestBytes} bytes`;
  if (contentOffset > source.sizeBytes) return "it ends within its manifest";
  const manifest = manifestOf(await source.read(headBytes, manifestBytes));
  if (typeof manifest === "string") return manifest;
  const offsets: number[] = [];
  let end = contentOffset;
  for (const { sizeBytes } of manifest.files) {
    offsets.push(end);
    end += sizeBytes;
  }
  if (end !== source.sizeBytes) return "its files are not as long as its manifest says";
  return { ...manifest, offsets };
}

function manifestOf(bytes: Uint8Array): BundleManifest | string {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return "its manifest is not JSON";
  }
  if (!isRecord(value) || value["version"] !== 1) return "its manifest is of another version";
  return readManifest(value) ?? "its manifest lacks main or files";
}

/** The members of a manifest, checked as far as their types. */
export function readManifest(value: Record<string, unknown>): BundleManifest | undefined {
  const { main, files } = value;
  if (typeof main !== "string" || !Array.isArray(files)) return undefined;
  const read = files.slice(0, bundleFilesMax + 1).map((file: unknown): BundleFile | undefined => {
    if (!isRecord(file)) return undefined;
    const { path, sizeBytes, sha256 } = file;
    const isFile = typeof path === "string" && Number.isSafeInteger(sizeBytes) && typeof sha256 === "string";
    return isFile ? { path, sizeBytes: Number(sizeBytes), sha256 } : undefined;
  });
  if (!read.every((file) => file !== undefined)) return undefined;
  const manifest = { main, files: read };
  return manifestProblem(manifest) === undefined ? manifest : undefined;
}

/** Nothing of a bundle may end up outside of its folder, or over another of its files. */
function manifestProblem({ main, files }: BundleManifest): string | undefined {
  if (files.length > bundleFilesMax) return `it has more than ${bundleFilesMax} files`;
  const seen = new Set<string>();
  for (const { path, sizeBytes, sha256 } of files) {
    if (!isSafePath(path)) return `the path "${path.slice(0, 100)}" leads out of its folder, or is none`;
    // Some file systems do not tell them apart.
    const folded = path.toLowerCase();
    if (seen.has(folded)) return `it has "${path}" twice`;
    seen.add(folded);
    if (sizeBytes < 0 || sizeBytes > bundleFileBytesMax) return `"${path}" is too large`;
    if (!/^[0-9a-f]{64}$/u.test(sha256)) return `"${path}" has no hash`;
  }
  for (const path of seen) {
    for (let end = path.lastIndexOf("/"); end > 0; end = path.lastIndexOf("/", end - 1)) {
      if (seen.has(path.slice(0, end))) return `"${path.slice(0, end)}" is a file and a folder`;
    }
  }
  if (!files.some(({ path }) => path === main)) return `its main file "${main.slice(0, 100)}" is not in it`;
  return undefined;
}

function isSafePath(path: string): boolean {
  if (path.length > bundlePathCharactersMax) return false;
  return path.split("/").every((name) => !/[\\:]|\p{Cc}/u.test(name) && !["", ".", ".."].includes(name));
}

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const bundleInvalid = (why: string) =>
  new ThinglineError("APPLICATION_BUNDLE_INVALID", `the files are no application: ${why}`);
