import { join } from "node:path";
import type { ImageCrypto, ImagePublicKey } from "@thingline/protocol/image";
import { type Board, createBoard, makeSimulatedFirmware } from "@thingline/sim";
import { makePrivateFolder } from "@thingline/transport";
import { openNodeFlash } from "@thingline/transport/node/firmware";
import type { Adapters } from "./adapters.js";

/** Two slots of 640 KiB: enough for what has to be shown, and for an image of an nRF91. */
export const boardFlashBytes = 2 * 640 * 1024;
/** BOOT_MAX_IMG_SECTORS of the bootloader: a slot has 160. */
const boardSectorsMax = 256;
export const flashFileName = "flash.bin";

export interface SimulatedBoardOptions {
  /** The flash is a file there. */
  folder: string;
  crypto: ImageCrypto;
  /** The keys of the bootloader; none: it goes by the hash of an image alone. */
  keys?: readonly ImagePublicKey[];
  /** What is programmed when the flash is new. */
  factoryImage: Uint8Array;
}

/** A board that keeps its flash in a folder. The caller holds the folder. */
export interface SimulatedBoard extends AsyncDisposable {
  board: Board;
}

/** @throws {ThinglineError} FLASH_FAILED, OPTION_INVALID; what the folder cannot be made with. */
export async function openSimulatedBoard(
  { files }: Pick<Adapters, "files">,
  { folder, crypto, keys, factoryImage }: SimulatedBoardOptions,
): Promise<SimulatedBoard> {
  await makePrivateFolder(files, folder);
  const flash = await openNodeFlash(join(folder, flashFileName), { sizeBytes: boardFlashBytes });
  try {
    const options = { flash, crypto, factoryImage, sectorsMax: boardSectorsMax, ...(keys !== undefined && { keys }) };
    return { board: await createBoard(options), [Symbol.asyncDispose]: () => flash.close() };
  } catch (error) {
    await flash.close();
    throw error;
  }
}

/** The image that a new board is programmed with: it only runs. */
export function makeFactoryImage(crypto: ImageCrypto, version: string, privateKeyPem?: string): Promise<Uint8Array> {
  return makeSimulatedFirmware({ crypto, version, ...(privateKeyPem !== undefined && { privateKeyPem }) });
}
