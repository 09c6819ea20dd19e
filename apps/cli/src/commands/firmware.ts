import { toHex } from "@thingline/protocol";
import {
  formatVersion,
  type ImageKeyType,
  type ImagePublicKey,
  type ImageRefusal,
  type ImageSource,
  type ImageVersion,
  inspectImage,
  type McubootBuild,
  mcubootVerdict,
  verifyImage,
} from "@thingline/protocol/image";
import { createNodeImageCrypto } from "@thingline/transport/node/firmware";
import { nodeAdapters } from "../adapters.js";
import type { CommandContext } from "../command.js";
import { exitCodes, UsageError } from "../failure.js";
import { alreadyThere, openImageFile, readKeyFile, writeNewFile } from "../firmware-file.js";
import { imageFactsOf, imageTable } from "../firmware-view.js";
import { unsignedMessage } from "../fota/signers.js";
import type { Output } from "../output.js";
import { shortVersion, shortVersions } from "../short-version.js";

/** `thingline firmware keygen` */
export async function firmwareKeygen(
  { output }: CommandContext,
  options: { type: ImageKeyType; public?: string },
  file = "",
): Promise<void> {
  const crypto = createNodeImageCrypto();
  const written = [file, ...(options.public === undefined ? [] : [options.public])];
  // Before the time that a key takes, and before one of two files is written.
  for (const path of written) if (await nodeAdapters().files.exists(path)) throw alreadyThere(path);
  using _step = output.begin(`making an ${options.type} key`);
  const { privateKeyPem, publicKeyPem } = await crypto.generateKey(options.type);
  await writeNewFile(file, privateKeyPem, 0o600);
  if (options.public !== undefined) await writeNewFile(options.public, publicKeyPem, 0o644);
  const hash = crypto.createHash("sha256");
  hash.update(crypto.publicKeyOf(publicKeyPem).der);
  const keyHash = toHex(hash.digest());
  output.event(
    { event: "keyWritten", file, type: options.type, publicFile: options.public, keyHash },
    `${output.paint.green("written")}  ${file}  ${options.type}, only its owner may read it`,
  );
  if (options.public !== undefined) output.say(`${output.paint.green("written")}  ${options.public}  its public key`);
  output.say(output.paint.dim(`         SHA-256 of the public key ${keyHash}`));
}

export interface FirmwareVerifyOptions {
  key?: readonly string[];
  bootloader?: boolean;
  pure?: boolean;
  sha: "auto" | "512";
  runningVersion?: ImageVersion;
  minCounter?: number;
  maxSize?: number;
}

/** `thingline firmware verify`: exit code 0 when the image is accepted, 1 when it is not. */
export async function firmwareVerify(
  { output, signal }: CommandContext,
  options: FirmwareVerifyOptions,
  file = "",
): Promise<number> {
  const { files } = nodeAdapters();
  const crypto = createNodeImageCrypto();
  const keys: ImagePublicKey[] = [];
  for (const path of options.key ?? []) keys.push(crypto.publicKeyOf(await readKeyFile(files, path, signal)));
  await using image = await openImageFile(file);
  const source = stoppable(image, signal);
  if (options.bootloader) return await verifyAsBootloader(output, { file, source, keys, options });
  const verdict = await verifyImage(source, {
    crypto,
    keys: keys.length === 0 ? undefined : keys,
    imageBytesMax: options.maxSize,
    policy: { runningVersion: options.runningVersion, securityCounterMin: options.minCounter },
  });
  if (!verdict.isAccepted) return refuse(output, file, verdict.refusal);
  const { header, hash, isPure } = verdict.image;
  const version = formatVersion(header.version);
  const signedBy = verdict.signedBy.map((at) => options.key?.[at] ?? "");
  const digest = hash && toHex(hash.digest);
  output.event(
    { event: "imageVerified", file, version, hash: hash && { algorithm: hash.algorithm, digest }, signedBy, isPure },
    `${output.paint.green("verified")}  ${file}  version ${shortVersion(version)}` +
      (signedBy.length > 0 ? `, signed with ${signedBy.join(", ")}` : ""),
  );
  if (hash) output.say(output.paint.dim(`          ${hash.algorithm} ${digest}`));
  if (signedBy.length === 0) {
    const message = unsignedMessage(verdict.image);
    output.event({ event: "warning", code: "SIGNATURE_UNCHECKED", message });
    output.complain({ kind: "warning", message });
  }
  return exitCodes.done;
}

async function verifyAsBootloader(
  output: Output,
  {
    file,
    source,
    keys,
    options,
  }: { file: string; source: ImageSource; keys: readonly ImagePublicKey[]; options: FirmwareVerifyOptions },
): Promise<number> {
  const types = new Set(keys.map(({ type }) => type));
  if (types.size > 1) throw new UsageError("--bootloader: a bootloader is built for keys of one type");
  if (options.runningVersion)
    throw new UsageError("--bootloader: it is the swap that compares versions, not this check");
  const [keyType] = types;
  const build: McubootBuild = {
    keyType,
    isPure: options.pure,
    isSha512: options.sha === "512" || options.pure,
    securityCounter: options.minCounter,
  };
  const crypto = createNodeImageCrypto();
  const areaBytes = Math.max(source.sizeBytes, options.maxSize ?? 0);
  const verdict = await mcubootVerdict(source, { crypto, keys, build, areaBytes, imageBytesMax: options.maxSize });
  if (!verdict.isAccepted) return refuse(output, file, verdict.refusal);
  const version = formatVersion(verdict.header.version);
  const asked = keyType === undefined ? "without keys" : `for ${keyType} keys`;
  output.event(
    { event: "imageVerified", file, version, bootloader: build },
    `${output.paint.green("taken")}  ${file}  version ${shortVersion(version)}, by an MCUboot built ${asked}`,
  );
  return exitCodes.done;
}

/** What was asked for is the answer, so it goes where answers go. */
function refuse(output: Output, file: string, { code, message, details }: ImageRefusal): number {
  output.event(
    { event: "imageRefused", file, reason: code, message, details },
    output
      .wrap(`refused  ${file}  ${shortVersions(message)} (${code})`, 9)
      .replace(/^refused/, output.paint.red("refused")),
  );
  return exitCodes.failed;
}

/** Reading a large file ends when the user wants it to. */
function stoppable(source: ImageSource, signal: AbortSignal): ImageSource {
  return {
    sizeBytes: source.sizeBytes,
    read: (offset, length) => {
      signal.throwIfAborted();
      return source.read(offset, length);
    },
  };
}

/** `thingline firmware inspect`: exit code 1 when there is no image, or one that cannot be read to its end. */
export async function firmwareInspect({ output }: CommandContext, _options: object, file = ""): Promise<number> {
  await using image = await openImageFile(file);
  const inspection = await inspectImage(image);
  const facts = await imageFactsOf(image, inspection);
  output.event({ event: "image", file, ...facts }, imageTable(file, facts, output));
  const { refusal } = inspection;
  if (refusal === undefined) return exitCodes.done;
  if (facts.kind === "application" || facts.kind === "unknown") return refuse(output, file, refusal);
  return exitCodes.done;
}
