import { ThinglineError } from "@thingline/protocol";
import type { Files } from "@thingline/transport";

const decoder = new TextDecoder("utf-8", { fatal: true });

/**
 * A file that a person named, as text. A byte order mark is dropped. Pipes of a shell (`/dev/stdin`, `<(command)`) are taken.
 *
 * @param options.onBinary the error for bytes that are no UTF-8. Default: FILE_UNREADABLE.
 * @throws {ThinglineError} FILE_NOT_FOUND, FILE_UNREADABLE, FILE_TOO_LARGE, each naming the file.
 */
export async function readTextFile(
  files: Files,
  file: string,
  options: { bytesMax: number; signal?: AbortSignal; onBinary?: () => ThinglineError },
): Promise<string> {
  const { bytesMax, signal, onBinary } = options;
  const bytes = await files.read(file, { bytesMax, takesStreams: true, ...(signal && { signal }) });
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    if (onBinary !== undefined && !isUtf16(bytes)) throw onBinary();
    const what = isUtf16(bytes) ? "is UTF-16 text: save it as UTF-8" : "is no text in UTF-8";
    throw new ThinglineError("FILE_UNREADABLE", `"${file}" ${what}`, { details: { path: file }, cause });
  }
}

function isUtf16([first, second]: Uint8Array): boolean {
  return (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff);
}
