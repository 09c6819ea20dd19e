import { join } from "node:path";
import { isRecord, isThinglineError, ThinglineError } from "@thingline/protocol";
import type { Files } from "@thingline/transport";

/** What `thing create --port` has done so far, beside the credentials: by it the same command goes on. */
export interface BoardFile {
  thingName: string;
  imei: string;
  secTag: number;
  /** Of the key that was made in the modem, as the modem lists it. Undefined where the cloud made the key. */
  keySha256?: string | undefined;
  /** Undefined until there is one. */
  certificateId?: string | undefined;
}

export const boardFileName = "board.json";
/** PEM, beside it, of a key that was made in the modem. */
export const requestFileName = "request.csr";
const bytesMax = 64 * 1024;

/** @returns undefined where there is none. @throws {ThinglineError} FILE_UNREADABLE for something else of that name. */
export async function readBoardFile(files: Files, folder: string): Promise<BoardFile | undefined> {
  const path = join(folder, boardFileName);
  let text: string;
  try {
    text = new TextDecoder().decode(await files.read(path, { bytesMax }));
  } catch (error) {
    if (isThinglineError(error, "FILE_NOT_FOUND")) return undefined;
    throw error;
  }
  const value = parse(text);
  if (value !== undefined) return value;
  const message = `"${path}" is not what thing create --port writes; choose another --out`;
  throw new ThinglineError("FILE_UNREADABLE", message, { details: { path } });
}

function parse(text: string): BoardFile | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (!isRecord(value)) return undefined;
    const { thingName, imei, secTag, keySha256, certificateId } = value;
    if (typeof thingName !== "string" || typeof imei !== "string" || typeof secTag !== "number") return undefined;
    if (keySha256 !== undefined && typeof keySha256 !== "string") return undefined;
    if (certificateId !== undefined && typeof certificateId !== "string") return undefined;
    return { thingName, imei, secTag, keySha256, certificateId };
  } catch {
    return undefined;
  }
}

export async function writeBoardFile(files: Files, folder: string, board: BoardFile): Promise<void> {
  await files.replace(join(folder, boardFileName), new TextEncoder().encode(`${JSON.stringify(board, null, 2)}\n`));
}
