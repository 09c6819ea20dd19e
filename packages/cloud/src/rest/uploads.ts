import { mkdir, open, rm, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { tooLarge, type HeldBody } from "./admission.js";

/** Where bodies go that are too large for memory while they arrive. */
export interface Uploads {
  /**
   * Streams a body to a file of its own and reads it back when all is there. The file is gone afterwards, whatever happened.
   *
   * @throws {HttpRefusal} 413; whatever the stream and the disk throw.
   */
  take(chunks: AsyncIterable<Uint8Array>, bytesMax: number): Promise<HeldBody>;
}

/** Empties the folder, which is ours alone: what lies in it was left by a process that was killed. */
export async function openUploads(folder: string): Promise<Uploads> {
  await rm(folder, { recursive: true, force: true });
  let count = 0;
  return {
    async take(chunks, bytesMax) {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const path = join(folder, `upload-${count++}`);
      const file = await open(path, "wx+", 0o600);
      try {
        let lengthBytes = 0;
        for await (const chunk of chunks) {
          lengthBytes += chunk.length;
          if (lengthBytes > bytesMax) throw tooLarge(bytesMax);
          await file.writeFile(chunk);
        }
        return { bytes: await readBack(file, lengthBytes), release: () => undefined };
      } finally {
        await file.close();
        await rm(path, { force: true });
      }
    },
  };
}

async function readBack(file: FileHandle, lengthBytes: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(lengthBytes);
  let offset = 0;
  while (offset < lengthBytes) {
    const { bytesRead } = await file.read(bytes, offset, lengthBytes - offset, offset);
    if (bytesRead === 0) throw new Error("an upload's file is shorter than what was written to it");
    offset += bytesRead;
  }
  return bytes;
}
