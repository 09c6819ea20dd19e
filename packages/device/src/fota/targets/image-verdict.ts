import type { ImageSource } from "@thingline/protocol/image";
import { abortedError } from "../../errors.js";
import type { FirmwareVerdict } from "../target.js";

/** `HASH_MISMATCH` is `hashMismatch` where reasons of an update stand. */
export function refusedFor({ code, message }: { code: string; message: string }): FirmwareVerdict {
  const reason = code.toLowerCase().replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
  return { isAccepted: false, reason, message };
}

/** Reading it ends with the signal. */
export function abortable(source: ImageSource, signal: AbortSignal): ImageSource {
  return {
    sizeBytes: source.sizeBytes,
    async read(offset, length) {
      if (signal.aborted) throw abortedError(signal);
      return source.read(offset, length);
    },
  };
}
