import { realpath } from "node:fs/promises";
import { extname, resolve } from "node:path";
import { toHex } from "@thingline/protocol";
import {
  formatVersion,
  type HashAlgorithm,
  identifiedBytes,
  identifyFirmware,
  type ImageDependency,
  type ImageVersion,
  inspectImage,
  signImage,
  type SignImageOptions,
  sourceOf,
} from "@thingline/protocol/image";
import { createNodeImageCrypto } from "@thingline/transport/node/firmware";
import { nodeAdapters } from "../adapters.js";
import type { CommandContext } from "../command.js";
import { UsageError } from "../failure.js";
import { readKeyFile, signedFileBytesMax } from "../firmware-file.js";
import { type CustomTlv, uuidOf, vendorNamespace } from "../firmware-values.js";
import { shortVersion } from "../short-version.js";

/** Named as the flags of MCUboot's tool are. */
export interface FirmwareSignOptions {
  key?: string;
  version: ImageVersion;
  headerSize: number;
  slotSize: number;
  align: string;
  maxAlign?: string;
  maxSectors?: number;
  pad?: boolean;
  test?: boolean;
  confirm?: boolean;
  padHeader?: boolean;
  overwriteOnly?: boolean;
  erasedVal: string;
  securityCounter?: number | "auto";
  dependency?: readonly ImageDependency[];
  bootRecord?: string;
  customTlv?: readonly CustomTlv[];
  vid?: string;
  cid?: string;
  loadAddr?: number;
  romFixed?: number;
  nonBootable?: boolean;
  publicKeyFormat: "hash" | "full";
  sha: "auto" | "256" | "384" | "512";
  pure?: boolean;
  padSig?: boolean;
}

/** `thingline firmware sign` */
export async function firmwareSign(
  { output, signal }: CommandContext,
  options: FirmwareSignOptions,
  inFile = "",
  outFile = "",
): Promise<void> {
  const { files } = nodeAdapters();
  await requireApart({ inFile, outFile, keyFile: options.key });
  const crypto = createNodeImageCrypto();
  const privateKeyPem = options.key === undefined ? undefined : await readKeyFile(files, options.key, signal);
  const binary = await files.read(inFile, { bytesMax: signedFileBytesMax, takesStreams: true, signal });
  if (identifyFirmware(binary.subarray(0, identifiedBytes)) === "application") {
    const message = `"${inFile}" is an MCUboot image already: what is written is an image with that as its payload, which boots nothing`;
    output.event({ event: "warning", code: "IMAGE_WITHIN_IMAGE", message });
    output.complain({ kind: "warning", message });
  }
  const image = await signImage(binary, { ...imageOptionsOf(options), crypto, privateKeyPem });
  await files.replace(outFile, image, { mode: 0o644 });
  const { facts } = await inspectImage(sourceOf(image));
  const keyType = privateKeyPem === undefined ? undefined : crypto.publicKeyOf(privateKeyPem).type;
  const { green, dim } = output.paint;
  const version = formatVersion(options.version);
  const hash = facts?.hash && { algorithm: facts.hash.algorithm, digest: toHex(facts.hash.digest) };
  output.event(
    { event: "imageSigned", file: outFile, version, bytes: image.length, imageBytes: facts?.imageBytes, keyType, hash },
    `${green("signed")}  ${outFile}  version ${shortVersion(version)}, ${image.length} bytes, ` +
      `${keyType === undefined ? "without a key: it has a hash only" : `key ${keyType}`}`,
  );
  if (hash) output.say(dim(`        ${hash.algorithm} ${hash.digest}`));
}

/** Neither the binary nor the key is lost, whatever the names are. */
async function requireApart(paths: { inFile: string; outFile: string; keyFile: string | undefined }): Promise<void> {
  for (const path of [paths.inFile, paths.outFile]) {
    if (extname(path).toLowerCase() !== ".hex") continue;
    throw new UsageError(`"${path}": Intel HEX is not supported; take the .bin that the build writes beside it`);
  }
  const out = await realPath(paths.outFile);
  for (const [path, what] of [
    [paths.inFile, "the binary"],
    [paths.keyFile, "the key"],
  ] as const) {
    if (path === undefined || (await realPath(path)) !== out) continue;
    throw new UsageError(`the image would be written over ${what}, ${path}: give it a name of its own`);
  }
}

async function realPath(path: string): Promise<string> {
  return realpath(path).catch(() => resolve(path));
}

function imageOptionsOf(options: FirmwareSignOptions): Omit<SignImageOptions, "crypto" | "privateKeyPem"> {
  const vendorId = idOf("--vid", options.vid, vendorNamespace);
  const isPadded = options.pad === true || options.test === true;
  return {
    version: options.version,
    headerBytes: options.headerSize,
    padsHeader: options.padHeader,
    slotBytes: options.slotSize,
    writeBytes: Number(options.align),
    alignBytes: options.maxAlign === undefined ? undefined : Number(options.maxAlign),
    sectorsMax: options.maxSectors,
    isOverwriteOnly: options.overwriteOnly,
    pad: options.confirm ? "confirmed" : isPadded ? "test" : undefined,
    erasedByte: Number(options.erasedVal),
    securityCounter: options.securityCounter,
    dependencies: options.dependency,
    bootRecord: options.bootRecord,
    customTlvs: options.customTlv,
    vendorId,
    classId: idOf("--cid", options.cid, vendorId),
    loadAddress: options.loadAddr,
    fixedAddress: options.romFixed,
    isNonBootable: options.nonBootable,
    publicKeyFormat: options.publicKeyFormat,
    hash: options.sha === "auto" ? undefined : (`sha${options.sha}` satisfies HashAlgorithm),
    isPure: options.pure,
    padsSignature: options.padSig,
  };
}

function idOf(flag: string, text: string | undefined, namespace: Uint8Array | undefined): Uint8Array | undefined {
  if (text === undefined) return undefined;
  const id = uuidOf(text, namespace);
  if (id !== undefined) return id;
  throw new UsageError(`${flag}: expected a UUID${namespace ? " or a name" : ", or a name beside --vid"}`);
}
