import { open } from "node:fs/promises";

/** Of a file of the system that is read. */
const headBytesMax = 65_536;

/** The beginning of a small text file of the system, empty when there is none or it may not be read. */
export async function readHead(path: string): Promise<string> {
  try {
    await using file = await open(path);
    const { buffer, bytesRead } = await file.read(new Uint8Array(headBytesMax), 0, headBytesMax, 0);
    return new TextDecoder().decode(buffer.subarray(0, bytesRead));
  } catch {
    return "";
  }
}
