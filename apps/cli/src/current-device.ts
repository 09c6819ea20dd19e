import type { Device } from "@thingline/device";
import { ThinglineError } from "@thingline/protocol";

type Publisher = Pick<Device, "publish">;
type PublishOptions = NonNullable<Parameters<Device["publish"]>[2]>;

/** The device of this boot, and after a reboot that of the next one: what is to be published waits in between, and is published then. */
export class CurrentDevice implements Publisher {
  #current: { device: Publisher; until: AbortSignal } | undefined;
  #waiting: (() => void)[] = [];

  /** @param until aborted when the device ends */
  set(device: Publisher, until: AbortSignal): void {
    this.#current = { device, until };
    for (const go of this.#waiting.splice(0)) go();
  }

  /** As of the device. A message that was under way when its device ended is published again: it may arrive twice. */
  async publish(topic: string, payload: string | Uint8Array, options: PublishOptions = {}): Promise<void> {
    const { signal } = options;
    for (;;) {
      const { device, until } = await this.#living(signal);
      const either = signal === undefined ? until : AbortSignal.any([signal, until]);
      try {
        return await device.publish(topic, payload, { ...options, signal: either });
      } catch (error) {
        if (signal?.aborted === true || !until.aborted) throw error;
      }
    }
  }

  async #living(signal: AbortSignal | undefined): Promise<{ device: Publisher; until: AbortSignal }> {
    while (this.#current === undefined || this.#current.until.aborted) {
      await new Promise<void>((resolve, reject) => {
        const stop = () => reject(new ThinglineError("ABORTED", "the wait for the device was aborted"));
        if (signal?.aborted === true) return stop();
        signal?.addEventListener("abort", stop, { once: true });
        this.#waiting.push(() => {
          signal?.removeEventListener("abort", stop);
          resolve();
        });
      });
    }
    return this.#current;
  }
}
