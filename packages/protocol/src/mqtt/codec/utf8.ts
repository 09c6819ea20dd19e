/** [MQTT-1.5.4-1] Ill-formed UTF-8 and surrogates are refused. [MQTT-1.5.4-3] U+FEFF is kept. */
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** Up to this length a loop beats the call into the encoder. */
export const loopCharsMax = 64;

/** MQTT strings and binary data carry a length of two bytes. */
export const fieldBytesMax = 65_535;

/** @returns undefined for text that MQTT forbids: ill-formed UTF-8, surrogates, U+0000. */
export function decodeUtf8(bytes: Uint8Array, start: number, end: number): string | undefined {
  if (start === end) return "";
  let text: string;
  try {
    text = decoder.decode(bytes.subarray(start, end));
  } catch {
    return undefined;
  }
  // [MQTT-1.5.4-2] No string holds U+0000.
  return text.includes("\u0000") ? undefined : text;
}

/** Bytes of the text in UTF-8, or -1 for text that MQTT forbids: a lone surrogate or U+0000. */
export function utf8Length(text: string): number {
  let bytes = text.length;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit < 0x80) {
      if (unit === 0) return -1;
    } else if (unit < 0x800) bytes += 1;
    else if (unit < 0xd800 || unit > 0xdfff) bytes += 2;
    else {
      if (unit > 0xdbff) return -1;
      const next = text.charCodeAt(++at);
      // NaN at the end of the text fails both comparisons.
      if (!(next >= 0xdc00 && next <= 0xdfff)) return -1;
      bytes += 2;
    }
  }
  return bytes;
}

/** Writes text whose {@link utf8Length} is `lengthBytes`. */
export function writeUtf8(target: Uint8Array, offset: number, text: string, lengthBytes: number): number {
  encoder.encodeInto(text, target.subarray(offset, offset + lengthBytes));
  return offset + lengthBytes;
}
