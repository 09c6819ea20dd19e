import { ThinglineError } from "@thingline/protocol";
import type { Files } from "@thingline/transport";

const decoder = new TextDecoder("utf-8", { fatal: true });
const decoderWithMark = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * A file that a person named, as text. A byte order mark is dropped. Pipes of a shell (`/dev/stdin`, `<(command)`) are taken.
 *
 * @param options.keepsMark a byte order mark is a character of the text, U+FEFF.
 * @param options.onBinary the error for bytes that are no UTF-8. Default: FILE_UNREADABLE.
 * @throws {ThinglineError} FILE_NOT_FOUND, FILE_UNREADABLE, FILE_TOO_LARGE, each naming the file.
 */
export async function readTextFile(
  files: Files,
  file: string,
  options: { bytesMax: number; signal?: AbortSignal; keepsMark?: boolean; onBinary?: () => ThinglineError },
): Promise<string> {
  const { bytesMax, signal, keepsMark, onBinary } = options;
  const bytes = await files.read(file, { bytesMax, takesStreams: true, ...(signal && { signal }) });
  try {
    // UTF-16 without its mark may be UTF-8 by its bytes, and nothing that people write has U+0000.
    if (bytes.includes(0)) throw new TypeError("U+0000 is no text");
    return (keepsMark === true ? decoderWithMark : decoder).decode(bytes);
  } catch (cause) {
    if (onBinary !== undefined && !isUtf16(bytes)) throw onBinary();
    const what = isUtf16(bytes) ? "is UTF-16 text: save it as UTF-8" : "is no text in UTF-8";
    throw new ThinglineError("FILE_UNREADABLE", `"${file}" ${what}`, { details: { path: file }, cause });
  }
}

/** By its mark; without one, by its first two characters, which are Latin in all that we read. */
function isUtf16([first, second, third, fourth]: Uint8Array): boolean {
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) return true;
  const halves = [first === 0, second === 0, third === 0, fourth === 0].map(Number).join("");
  return halves === "0101" || halves === "1010";
}
