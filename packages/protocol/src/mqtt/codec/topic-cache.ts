/** A topic longer than this is decoded each time. */
export const cachedTopicBytesMax = 512;
/** Slots of one connection's cache; a topic that falls on a taken slot replaces what was there. */
export const cachedTopicsMax = 64;

interface CachedTopic {
  bytes: Uint8Array;
  text: string;
}

/**
 * Topics that a connection has carried, by their bytes: a topic seen before is neither decoded nor checked again,
 * and keeps its string, whose hash the engine has already computed. At most 64 topics of 512 bytes each.
 */
export class TopicCache {
  private last: CachedTopic | undefined;
  private slots: (CachedTopic | undefined)[] | undefined;

  find(bytes: Uint8Array, start: number, end: number): string | undefined {
    const { last, slots } = this;
    if (last === undefined) return undefined;
    if (isSame(last.bytes, bytes, start, end)) return last.text;
    if (slots === undefined || end - start > cachedTopicBytesMax) return undefined;
    const found = slots[slotOf(bytes, start, end)];
    if (found === undefined || !isSame(found.bytes, bytes, start, end)) return undefined;
    this.last = found;
    return found.text;
  }

  add(bytes: Uint8Array, start: number, end: number, text: string): void {
    if (end - start > cachedTopicBytesMax) return;
    const entry = { bytes: bytes.slice(start, end), text };
    const { last } = this;
    this.last = entry;
    // Most devices publish to one topic for life and never pay for slots.
    if (last === undefined) return;
    if (this.slots === undefined) {
      this.slots = new Array<CachedTopic | undefined>(cachedTopicsMax).fill(undefined);
      this.slots[slotOf(last.bytes, 0, last.bytes.length)] = last;
    }
    this.slots[slotOf(bytes, start, end)] = entry;
  }
}

function isSame(known: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  const length = end - start;
  if (known.length !== length) return false;
  // Topics of one connection differ near their end.
  for (let at = length - 1; at >= 0; at--) if (known[at] !== bytes[start + at]) return false;
  return true;
}

/** FNV-1a. A peer that makes topics collide only slows its own connection to decoding. */
function slotOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, 0x01000193);
  return (hash ^ (hash >>> 15)) & (cachedTopicsMax - 1);
}
