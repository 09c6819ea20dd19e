import { ThinglineError } from "@thingline/protocol";
import type { Flash } from "@thingline/transport";

/** The counter below which no image boots: it outlives every update, and only goes up. */
export interface SecurityCounter {
  read(): Promise<number>;
  /** Less than what is stored, or the same: nothing happens. */
  raiseTo(value: number): Promise<void>;
}

/**
 * A security counter in an area of flash that nobody erases: each raise takes the next place, as in one-time programmable memory. A place holds
 * the value and its complement, so that one whose writing was cut counts for nothing.
 *
 * @throws {ThinglineError} from `raiseTo`: LIMIT_EXCEEDED when every place is taken.
 */
export function createFlashCounter(flash: Flash): SecurityCounter {
  const placeBytes = Math.max(8, flash.writeBytes);
  const places = Math.floor(flash.sizeBytes / placeBytes);

  async function look(): Promise<{ value: number; free: number }> {
    const bytes = await flash.read(0, places * placeBytes);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    let [value, free] = [0, places];
    for (let place = places - 1; place >= 0; place--) {
      const at = place * placeBytes;
      const isErased = bytes.subarray(at, at + placeBytes).every((byte) => byte === flash.erasedByte);
      if (isErased && free === place + 1) free = place;
      const stored = view.getUint32(at, true);
      if (stored === ~view.getUint32(at + 4, true) >>> 0) value = Math.max(value, stored);
    }
    return { value, free };
  }

  return {
    read: async () => (await look()).value,
    async raiseTo(wanted) {
      const { value, free } = await look();
      if (wanted <= value) return;
      if (free === places) {
        const details = { placesMax: places };
        throw new ThinglineError("LIMIT_EXCEEDED", `the security counter was raised ${places} times already`, {
          details,
        });
      }
      const bytes = new Uint8Array(placeBytes).fill(flash.erasedByte);
      const view = new DataView(bytes.buffer);
      view.setUint32(0, wanted, true);
      view.setUint32(4, ~wanted >>> 0, true);
      await flash.write(free * placeBytes, bytes);
    },
  };
}
