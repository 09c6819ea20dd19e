import { constants, fstatSync, type Stats } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { Socket } from "node:net";
import type { Readable } from "node:stream";
import { isatty, ReadStream } from "node:tty";
import { concatBytes, ThinglineError } from "@thingline/protocol";
import { fileTooLarge, type FileReadOptions } from "../files.js";

/** Names of what a shell hands over: standard input, and a process substitution such as `<(cat key.pem)`. */
const descriptorPath = /^(?:\/dev\/stdin|\/(?:dev|proc\/self)\/fd\/\d+)$/;
const readChunkBytes = 64 * 1024;

/**
 * Reads a file, and never more than one byte over the limit. A named pipe is refused by name, since it may never get a writer;
 * so is a device, unless `takesStreams` says that the path was chosen by a person. Nothing here blocks a thread.
 */
export async function readBounded(path: string, options: FileReadOptions): Promise<Uint8Array> {
  const { bytesMax, takesStreams = false, signal } = options;
  signal?.throwIfAborted();
  const isDescriptor = takesStreams && descriptorPath.test(path);
  const before = await stat(path);
  refuse(path, before, { isDescriptor, takesStreams, bytesMax });
  // A socket has no name to open: what a parent process gave as standard input may be one.
  if (before.isSocket()) return readStream(path, descriptorStream(descriptorOf(path)), bytesMax, signal);
  // Without O_NONBLOCK, a pipe that takes the file's place now would hold up a thread for ever.
  const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  let isHandedOver = false;
  try {
    const facts = await file.stat();
    refuse(path, facts, { isDescriptor, takesStreams, bytesMax });
    if (facts.isFIFO() || isatty(file.fd)) {
      // The stream closes its descriptor; the handle, which would close it again, is not used any more.
      isHandedOver = true;
      try {
        return await readStream(path, descriptorStream(file.fd), bytesMax, signal);
      } finally {
        await file.close().catch(() => undefined);
      }
    }
    return await readChunks(path, file, facts.size, bytesMax);
  } finally {
    if (!isHandedOver) await file.close();
  }
}

function refuse(
  path: string,
  facts: Stats,
  { isDescriptor, takesStreams, bytesMax }: { isDescriptor: boolean; takesStreams: boolean; bytesMax: number },
): void {
  if (facts.isFile()) {
    if (facts.size > bytesMax) throw fileTooLarge(path, bytesMax, facts.size);
    return;
  }
  const isDevice = facts.isCharacterDevice() || facts.isBlockDevice();
  if (isDescriptor && !facts.isDirectory()) return;
  if (takesStreams && isDevice && !facts.isBlockDevice()) return;
  const kind = kindOf(facts);
  const advice = takesStreams && facts.isFIFO() ? "; give its content as /dev/stdin" : "";
  const message = `"${path}" is ${kind}, expected a regular file of at most ${bytesMax} bytes${advice}`;
  throw new ThinglineError("FILE_UNREADABLE", message, { details: { path, bytesMax } });
}

/** What is no regular file, for people. */
export function kindOf(facts: Stats): string {
  if (facts.isDirectory()) return "a folder";
  if (facts.isFIFO()) return "a named pipe";
  return facts.isCharacterDevice() || facts.isBlockDevice() ? "a device" : "a socket";
}

async function readChunks(path: string, file: FileHandle, sizeBytes: number, bytesMax: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let found = 0;
  for (let expected = sizeBytes + 1; ; expected = readChunkBytes) {
    const chunk = new Uint8Array(Math.min(expected, bytesMax + 1 - found));
    const { bytesRead } = await file.read(chunk, 0, chunk.length);
    if (bytesRead === 0) return concatBytes(chunks);
    found += bytesRead;
    if (found > bytesMax) throw fileTooLarge(path, bytesMax);
    chunks.push(chunk.subarray(0, bytesRead));
  }
}

async function readStream(
  path: string,
  stream: Readable,
  bytesMax: number,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  const stop = () => stream.destroy(signal?.reason as Error);
  signal?.addEventListener("abort", stop, { once: true });
  try {
    const chunks: Uint8Array[] = [];
    let found = 0;
    for await (const chunk of stream as AsyncIterable<Uint8Array>) {
      found += chunk.length;
      if (found > bytesMax) throw fileTooLarge(path, bytesMax);
      chunks.push(chunk);
    }
    signal?.throwIfAborted();
    return concatBytes(chunks);
  } finally {
    signal?.removeEventListener("abort", stop);
    stream.destroy();
  }
}

function descriptorStream(descriptor: number): Readable {
  return isatty(descriptor)
    ? new ReadStream(descriptor)
    : new Socket({ fd: descriptor, readable: true, writable: fstatSync(descriptor).isSocket() });
}

function descriptorOf(path: string): number {
  return path === "/dev/stdin" ? 0 : Number(path.slice(path.lastIndexOf("/") + 1));
}
