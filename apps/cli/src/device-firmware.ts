import { join } from "node:path";
import { createNativeCredentialStore, createNativeTlsDialer, type Device } from "@thingline/device";
import {
  createHttpDownloader,
  createStreamDownloader,
  type Downloader,
  type FotaEvent,
  type FotaLimits,
  type HttpDownloaderOptions,
} from "@thingline/device/fota";
import type { JobHandler, JobListeners } from "@thingline/device/jobs";
import type { ImageCrypto, ImagePublicKey } from "@thingline/protocol/image";
import type { FotaSettings } from "@thingline/protocol/kconfig";
import { type BoardReport, runBoard } from "@thingline/sim";
import {
  type Dialer,
  type Files,
  makePrivateFolder,
  type ModemFirmware,
  type SecTagDialer,
} from "@thingline/transport";
import { createNodeImageCrypto } from "@thingline/transport/node/firmware";
import type { Adapters } from "./adapters.js";
import { runFirmwareApplication } from "./firmware-application.js";
import { UsageError } from "./failure.js";
import { readKeyFile, signedFileBytesMax } from "./firmware-file.js";
import { makeFactoryImage, openSimulatedBoard } from "./simulated-board.js";

/** A block of an MQTT stream and its topic fit into a TLS record of an nRF91. */
const modemStreamBlockBytes = 1_024;
/** Of the image that is made up for a new board. */
const factoryVersion = "1.0.0";

/** How the device reaches the servers of files: as it reaches the broker. */
export type FileAccess = Pick<HttpDownloaderOptions, "dialer" | "tls" | "secTagDialer" | "secTag">;

export interface DeviceFirmwareOptions {
  settings: FotaSettings;
  /** Flash, journal and jobs are kept there. */
  folder: string;
  /** PEM of the bootloader's key. Without one it goes by an image's hash alone. */
  keyFile: string | undefined;
  /** A signed image that a new board runs. Default: one that is made up, for which the key has to be the private one. */
  imageFile: string | undefined;
  signal: AbortSignal;
}

/** What the firmware of one boot finds. */
export interface Surroundings {
  access: FileAccess;
  /** Undefined: there is none, or it takes no firmware. */
  modem: ModemFirmware | undefined;
  createDevice: () => Device;
}

export interface BootListeners {
  booted: (report: BoardReport) => void;
  fota: (event: FotaEvent) => void;
  jobs: JobListeners;
}

/** The firmware of a device that is a program: a board with its flash in a folder, and what runs on it from one boot to the next. */
export interface DeviceFirmware extends AsyncDisposable {
  /** The bootloader's key; undefined: none. */
  keyType: ImagePublicKey["type"] | undefined;
  /**
   * Runs until `signal` is aborted, or `run` rejects. `run` gets a device for each boot, and the signal of that boot.
   */
  runUntilEnd(options: {
    /** Called at each boot: what is around the board starts as well. */
    start: () => Promise<Surroundings>;
    on: BootListeners;
    /** Of jobs that are no updates. */
    handlers?: Readonly<Record<string, JobHandler>>;
    run: (device: Device, signal: AbortSignal) => Promise<void>;
    signal: AbortSignal;
  }): Promise<void>;
}

/** @throws {ThinglineError} LOCKED by another process, KEY_INVALID, FLASH_FAILED, and what files throw. */
export async function openDeviceFirmware(adapters: Adapters, options: DeviceFirmwareOptions): Promise<DeviceFirmware> {
  const { files } = adapters;
  const { folder, settings, signal } = options;
  const crypto = createNodeImageCrypto();
  const key = await readBootKey(crypto, files, options);
  const factoryImage = await factoryImageOf(crypto, { files, key, imageFile: options.imageFile, signal });
  await makePrivateFolder(files, folder);
  const lock = await files.lock(folder);
  try {
    const board = await openSimulatedBoard(adapters, {
      folder,
      crypto,
      ...(key !== undefined && { keys: [key.publicKey] }),
      factoryImage,
    });
    return {
      keyType: key?.publicKey.type,
      runUntilEnd: ({ start, on, handlers = {}, run, signal: end }) =>
        runBoard(
          board.board,
          async (image, context) => {
            on.booted(context.report);
            const { access, modem, createDevice } = await start();
            await using device = createDevice();
            await runFirmwareApplication(adapters, {
              ...{
                image,
                context,
                device,
                folder,
                limits: limitsOf(settings),
                onFota: on.fota,
                onJobs: on.jobs,
                handlers,
              },
              modem: settings.updatesModem ? modem : undefined,
              downloaders: downloadersOf(adapters, { device, settings, access }),
              run: (running) => run(running, context.signal),
            });
          },
          { signal: end },
        ),
      async [Symbol.asyncDispose]() {
        await board[Symbol.asyncDispose]();
        await lock.release();
      },
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

interface BootKey {
  publicKey: ImagePublicKey;
  /** Undefined: the file holds the public key only. */
  privateKeyPem: string | undefined;
}

async function readBootKey(
  crypto: ImageCrypto,
  files: Files,
  { keyFile, signal }: DeviceFirmwareOptions,
): Promise<BootKey | undefined> {
  if (keyFile === undefined) return undefined;
  const pem = await readKeyFile(files, keyFile, signal);
  return { publicKey: crypto.publicKeyOf(pem), privateKeyPem: pem.includes("PRIVATE KEY") ? pem : undefined };
}

async function factoryImageOf(
  crypto: ImageCrypto,
  options: { files: Files; key: BootKey | undefined; imageFile: string | undefined; signal: AbortSignal },
): Promise<Uint8Array> {
  const { files, key, imageFile, signal } = options;
  if (imageFile !== undefined) return files.read(imageFile, { bytesMax: signedFileBytesMax, signal });
  if (key !== undefined && key.privateKeyPem === undefined) {
    throw new UsageError("--firmware-key holds a public key: say what a new board runs with --firmware IMAGE");
  }
  return makeFactoryImage(crypto, factoryVersion, key?.privateKeyPem);
}

function limitsOf({ socketRetries }: FotaSettings): Partial<FotaLimits> {
  return socketRetries === undefined ? {} : { fruitlessAttemptsMax: socketRetries + 1 };
}

function downloadersOf(
  { clock, random }: Pick<Adapters, "clock" | "random">,
  { device, settings, access }: { device: Device; settings: FotaSettings; access: FileAccess },
): Downloader[] {
  const { downloadSecTag, fragmentBytes, receiveTimeoutMs } = settings;
  const isBounded = access.secTagDialer?.receivedRecordBytesMax !== undefined;
  return [
    createHttpDownloader({
      ...{ clock, ...access },
      ...(downloadSecTag !== undefined && access.secTagDialer !== undefined && { secTag: downloadSecTag }),
      ...(fragmentBytes !== undefined && { rangeBytes: fragmentBytes }),
      ...(receiveTimeoutMs !== undefined && { receiveTimeoutMs }),
    }),
    createStreamDownloader({ device, clock, random, ...(isBounded && { blockBytes: modemStreamBlockBytes }) }),
  ];
}

/** `CONFIG_FOTA_DOWNLOAD_NATIVE_TLS`: the application's own TLS for downloads, with the credentials of its own store. */
export function nativeDownloadAccess(
  { files, keys }: Pick<Adapters, "files" | "keys">,
  { dialer, folder, secTag }: { dialer: Dialer; folder: string; secTag: number },
): FileAccess {
  const store = createNativeCredentialStore({ files, keys, folder: join(folder, "tls-credentials") });
  const secTagDialer: SecTagDialer = createNativeTlsDialer({ dialer, store });
  return { dialer, secTagDialer, secTag };
}
