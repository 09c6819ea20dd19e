/**
 * Which blocks are wanted, as file delivery writes it: bit `i` of the whole stands for block `first + i`, byte 0 has bits 0 to 7, the least
 * significant one first. So blocks 20, 21, 24 and 43 from 20 on are `13 00 80`.
 *
 * @param blocks in any order, none below `first`
 */
export function encodeBlockBitmap(blocks: Iterable<number>, first: number): Uint8Array {
  const bits = [...blocks].map((block) => block - first);
  const bitmap = new Uint8Array(bits.length === 0 ? 0 : (Math.max(...bits) >> 3) + 1);
  for (const bit of bits) bitmap[bit >> 3] = (bitmap[bit >> 3] ?? 0) | (1 << (bit & 7));
  return bitmap;
}

/** The numbers of the blocks that it asks for, ascending. */
export function* decodeBlockBitmap(bitmap: Uint8Array, first: number): Generator<number, void> {
  for (let at = 0; at < bitmap.length; at++) {
    const byte = bitmap[at] as number;
    for (let bit = 0; byte >> bit !== 0; bit++) if (((byte >> bit) & 1) === 1) yield first + at * 8 + bit;
  }
}
