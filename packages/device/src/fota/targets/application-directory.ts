import { checkOptionTypes, optionInvalid, type OptionTypes, ThinglineError } from "@thingline/protocol";
import {
  downgradeRefusal,
  type DowngradeRule,
  formatVersion,
  identifyFirmware,
  type ImageCrypto,
  type ImageFacts,
  imageIdOf,
  type ImagePolicy,
  type ImagePublicKey,
  type ImageRefusal,
  type ImageSource,
  parseImageHeader,
  parseVersion,
  partOf,
  verifyImage,
} from "@thingline/protocol/image";
import { type Files, filesOption } from "@thingline/transport";
import { abortedError } from "../../errors.js";
import { isBundleHead, readBundle, type ReadBundle, sha256Of } from "../application/bundle.js";
import { ApplicationFolder } from "../application/folder.js";
import { IncomingImage } from "../application/incoming.js";
import { type ApplicationState, otherSlot, type SlotName, type SlotRecord } from "../application/state.js";
import { type FirmwareTarget, type FirmwareTargetState, type FirmwareVerdict, firmwareHeadBytes } from "../target.js";
import { abortable, refusedFor } from "./image-verdict.js";

export const defaultApplicationBytesMax = 256 * 1024 * 1024;

export interface ApplicationTargetOptions {
  /** The folder that `superviseApplication()` runs the application from. */
  folder: string;
  files: Files;
  crypto: ImageCrypto;
  /** Whose images are taken. Left out, an image is verified by its hash alone. */
  keys?: readonly ImagePublicKey[];
  /** What else is asked of an image. */
  policy?: ImagePolicy;
  /** What is older than what runs is refused. Default: it is taken. */
  downgradePrevention?: DowngradeRule;
  /** The largest image. Default {@link defaultApplicationBytesMax}. */
  imageBytesMax?: number;
}

const optionTypes = {
  folder: "string",
  files: filesOption,
  crypto: "object",
  keys: "array",
  policy: "object",
  downgradePrevention: "object",
  imageBytesMax: "number",
} as const satisfies OptionTypes<ApplicationTargetOptions>;

/**
 * The application of a gateway as a place for firmware: two folders, of which one runs. An image is one of MCUboot's format that holds the files
 * of `packApplication()`; it is unpacked beside what runs, and the next start tries it.
 *
 * While an application is on trial, the other folder holds the one to go back to: `begin`, `resume`, `schedule` and `discard` then reject with
 * FIRMWARE_ON_TRIAL.
 *
 * @throws {ThinglineError} OPTION_INVALID
 */
export function createApplicationTarget(options: ApplicationTargetOptions): FirmwareTarget {
  const required = ["folder", "files", "crypto"];
  checkOptionTypes(options, optionTypes, { of: "createApplicationTarget()", required });
  return new ApplicationDirectory(options);
}

/**
 * Puts the first application into its folder, from an image as an update has it. Safe to call at every start: a folder that has an application
 * stays as it is.
 *
 * @returns whether there was none
 * @throws {ThinglineError} IMAGE_INVALID, and what the file system throws
 */
export async function installApplication(options: ApplicationTargetOptions, image: Uint8Array): Promise<boolean> {
  if (await options.files.exists(`${options.folder}/state.json`)) return false;
  const directory = new ApplicationDirectory(options);
  await directory.install({
    sizeBytes: image.length,
    read: async (offset, length) => image.subarray(offset, offset + length),
  });
  return true;
}

class ApplicationDirectory implements FirmwareTarget {
  readonly name = "application";
  readonly canRevert = true;
  readonly #options: ApplicationTargetOptions;
  readonly #folder: ApplicationFolder;
  readonly #incoming: IncomingImage;
  #hasBegun = false;

  constructor(options: ApplicationTargetOptions) {
    this.#options = options;
    this.#folder = new ApplicationFolder(options);
    this.#incoming = new IncomingImage(options.files, `${options.folder}/incoming`);
  }

  /** An image whose payload begins as an application, right behind a header of 32 bytes. */
  recognises(head: Uint8Array): boolean {
    if (identifyFirmware(head) !== "application") return false;
    const result = parseImageHeader(head);
    return "header" in result && isBundleHead(head.subarray(result.header.headerBytes, firmwareHeadBytes));
  }

  async capacityBytes(): Promise<number> {
    return this.#options.imageBytesMax ?? defaultApplicationBytesMax;
  }

  async state(): Promise<FirmwareTargetState> {
    const { active, trial, isScheduled } = await this.#folder.readState();
    const { version = "unknown", imageId = "" } = (await this.#folder.readSlot(active)) ?? {};
    return { running: { version, imageId, trial }, isScheduled };
  }

  async begin({ sizeBytes }: { sizeBytes: number }, { signal }: { signal: AbortSignal }): Promise<void> {
    this.#hasBegun = false;
    await this.#checkSize(sizeBytes, signal);
    await this.#unschedule();
    await this.#incoming.begin(sizeBytes);
    this.#hasBegun = true;
  }

  async resume(
    { sizeBytes, offset }: { sizeBytes: number; offset: number },
    { signal }: { signal: AbortSignal },
  ): Promise<number> {
    this.#hasBegun = false;
    await this.#checkSize(sizeBytes, signal);
    await this.#unschedule();
    const start = await this.#incoming.resume(sizeBytes, offset);
    this.#hasBegun = true;
    return start;
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    this.#requireBegun();
    await this.#incoming.write(offset, bytes);
  }

  async sync(): Promise<number> {
    this.#requireBegun();
    return this.#incoming.sync();
  }

  read(offset: number, length: number): Promise<Uint8Array> {
    return this.#incoming.read(offset, length);
  }

  async verify({ sizeBytes }: { sizeBytes: number }, { signal }: { signal: AbortSignal }): Promise<FirmwareVerdict> {
    const source = abortable(this.#incoming.source(sizeBytes), signal);
    const judged = await this.#judge(source);
    if ("refusal" in judged) return refusedFor(judged.refusal);
    const { image, imageId, bundle } = judged;
    const refusal = await this.#downgrade(image);
    if (refusal !== undefined) return refusedFor(refusal);
    const problem = await this.#damagedFile(source, image, bundle);
    if (problem !== undefined) return refusedFor(bundleRefusal(problem));
    return { isAccepted: true, version: formatVersion(image.header.version), imageId };
  }

  /** Unpacks the image beside what runs, and then says that it is to be tried. */
  async schedule(): Promise<void> {
    const state = await this.#folder.requireSettled();
    if (state.isScheduled) return;
    const source = this.#incoming.source(await this.#incoming.length());
    const judged = await this.#judge(source);
    if ("refusal" in judged) throw unfit(judged.refusal);
    const slot = otherSlot(state.active);
    const old = await this.#folder.readSlot(slot);
    // A cut between the two writes at the end.
    const isThere = old?.phase === "complete" && old.imageId === judged.imageId && (await this.#folder.isWhole(slot));
    if (!isThere) await this.#unpack(slot, source, judged, false);
    await this.#folder.writeState({ ...state, isScheduled: true });
  }

  async confirm(): Promise<void> {
    const state = await this.#folder.readState();
    if (state.trial !== "onTrial") return;
    const record = await this.#folder.readSlot(state.active);
    if (record !== undefined) await this.#folder.writeSlot(state.active, { ...record, isProven: true });
    await this.#folder.writeState({ ...state, trial: "confirmed", startCount: 0 });
  }

  async discard(): Promise<void> {
    this.#hasBegun = false;
    const { active } = await this.#unschedule();
    await this.#incoming.clear();
    const other = otherSlot(active);
    // What was confirmed once is no part of this update: it is what is gone back to when the disk fails.
    if ((await this.#folder.readSlot(other))?.isProven !== true) await this.#folder.drop(other);
  }

  /** The first application of a folder. */
  async install(source: ImageSource): Promise<void> {
    const judged = await this.#judge(source);
    if ("refusal" in judged) throw unfit(judged.refusal);
    const problem = await this.#damagedFile(source, judged.image, judged.bundle);
    if (problem !== undefined) throw unfit(bundleRefusal(problem));
    await this.#unpack("a", source, judged, true);
    await this.#folder.writeState({ active: "a", trial: "confirmed", isScheduled: false, startCount: 0 });
  }

  async #judge(source: ImageSource): Promise<Judged | { refusal: Refusal }> {
    const { crypto, keys, policy } = this.#options;
    const verdict = await verifyImage(source, { crypto, keys, policy, imageBytesMax: await this.capacityBytes() });
    if (!verdict.isAccepted) return { refusal: verdict.refusal };
    const { image } = verdict;
    const bundle = await readBundle(payloadOf(source, image));
    if (typeof bundle === "string") return { refusal: bundleRefusal(bundle) };
    return { image, bundle, imageId: await imageIdOf(source, image.header, crypto) };
  }

  /** Hashes of files are what a start goes by: an image whose own are wrong would never start. */
  async #damagedFile(source: ImageSource, image: ImageFacts, bundle: ReadBundle): Promise<string | undefined> {
    for (const [at, { path, sha256 }] of bundle.files.entries()) {
      const content = await contentOf(payloadOf(source, image), bundle, at);
      if (sha256Of(this.#options.crypto, content) !== sha256) return `"${path}" is another file than the manifest says`;
    }
    return undefined;
  }

  async #unpack(slot: SlotName, source: ImageSource, judged: Judged, isProven: boolean): Promise<void> {
    const { image, imageId, bundle } = judged;
    const { main, files } = bundle;
    const { securityCounter } = image;
    const counter = securityCounter === undefined ? {} : { securityCounter };
    const facts = { version: formatVersion(image.header.version), imageId, ...counter, main, files };
    const record: SlotRecord = { phase: "complete", ...facts, isProven };
    await this.#folder.unpack(slot, record, (at) => contentOf(payloadOf(source, image), bundle, at));
  }

  async #downgrade({ header, securityCounter }: ImageFacts): Promise<ImageRefusal | undefined> {
    const { downgradePrevention: rule } = this.#options;
    if (rule === undefined) return undefined;
    const { active } = await this.#folder.readState();
    const running = await this.#folder.readSlot(active);
    if (running === undefined) return undefined;
    const version = parseVersion(running.version);
    if (version === undefined) return undefined;
    return downgradeRefusal(
      { version, securityCounter: running.securityCounter },
      { version: header.version, securityCounter },
      rule,
    );
  }

  async #unschedule(): Promise<ApplicationState> {
    const state = await this.#folder.requireSettled();
    if (!state.isScheduled) return state;
    const unscheduled = { ...state, isScheduled: false };
    await this.#folder.writeState(unscheduled);
    return unscheduled;
  }

  async #checkSize(sizeBytes: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) throw abortedError(signal);
    const room = await this.capacityBytes();
    if (Number.isInteger(sizeBytes) && sizeBytes > 0 && sizeBytes <= room) return;
    throw optionInvalid("sizeBytes", `1 to ${room}, for which there is room`, sizeBytes);
  }

  #requireBegun(): void {
    if (!this.#hasBegun) throw optionInvalid("offset", "begin() or resume() before a write", "none");
  }
}

interface Judged {
  image: ImageFacts;
  imageId: string;
  bundle: ReadBundle;
}

const payloadOf = (source: ImageSource, { header }: ImageFacts): ImageSource =>
  partOf(source, header.headerBytes, header.payloadBytes);

const contentOf = (payload: ImageSource, { offsets, files }: ReadBundle, at: number): Promise<Uint8Array> =>
  payload.read(offsets[at] ?? 0, files[at]?.sizeBytes ?? 0);

/** Why an image is none of an application's: of the image's own table, or of its payload. */
type Refusal = Pick<ImageRefusal, "message"> & { code: ImageRefusal["code"] | "BUNDLE_INVALID" };

const bundleRefusal = (why: string): Refusal => ({
  code: "BUNDLE_INVALID",
  message: `the image holds no application: ${why}`,
});

const unfit = ({ code, message }: Refusal) =>
  new ThinglineError("IMAGE_INVALID", message, { details: { reason: code } });
