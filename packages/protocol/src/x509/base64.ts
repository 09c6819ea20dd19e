const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const none = 0xff;
/** By ASCII code. */
const values = new Uint8Array(128).fill(none);
for (let value = 0; value < alphabet.length; value++) values[alphabet.charCodeAt(value)] = value;

/** RFC 4648 base64 with padding, no line breaks. */
export function encodeBase64(bytes: Uint8Array): string {
  let text = "";
  for (let index = 0; index < bytes.length; index += 3) {
    const group = ((bytes[index] ?? 0) << 16) | ((bytes[index + 1] ?? 0) << 8) | (bytes[index + 2] ?? 0);
    text += alphabet[group >> 18];
    text += alphabet[(group >> 12) & 63];
    text += index + 1 < bytes.length ? alphabet[(group >> 6) & 63] : "=";
    text += index + 2 < bytes.length ? alphabet[group & 63] : "=";
  }
  return text;
}

/** Strict: full groups of four, right padding, no stray bits, no blanks. Undefined: it is not base64. */
export function decodeBase64(text: string): Uint8Array | undefined {
  if (text.length % 4 !== 0) return undefined;
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  const bytes = new Uint8Array((text.length / 4) * 3 - padding);
  let written = 0;
  for (let index = 0; index < text.length; index += 4) {
    const isLast = index + 4 === text.length;
    const places = isLast ? 4 - padding : 4;
    let group = 0;
    for (let place = 0; place < 4; place++) {
      const value = place < places ? (values[text.charCodeAt(index + place)] ?? none) : 0;
      if (value === none) return undefined;
      group = (group << 6) | value;
    }
    if (isLast && padding > 0 && (group & (padding === 2 ? 0xffff : 0xff)) !== 0) return undefined;
    for (let shift = 16; shift >= 0 && written < bytes.length; shift -= 8) bytes[written++] = (group >> shift) & 0xff;
  }
  return bytes;
}
