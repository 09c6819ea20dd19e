import { concatBytes } from "@thingline/protocol";
import type { Clock, Connection, Timer } from "@thingline/transport";

/** Of a response that the downloader has not read yet: then the server waits. */
export const fotaUnreadBytesMax = 16_384;
/** So long nothing may come while something is awaited. */
export const fotaReceiveTimeoutMs = 30_000;

/** Why no bytes come any more. */
export type FotaSilence = "timeout" | "closed" | "cancelled";

/** Reads a connection as it is wanted: so many bytes, or up to some. */
export class FotaConnection {
  readonly #clock: Clock;
  readonly #connection: Connection;
  readonly #signal: AbortSignal;
  #unread: Uint8Array = new Uint8Array(0);
  #isPaused = false;
  #silence: FotaSilence | undefined;
  #wake: () => void = () => undefined;

  constructor(connection: Connection, { clock, signal }: { clock: Clock; signal: AbortSignal }) {
    this.#clock = clock;
    this.#connection = connection;
    this.#signal = signal;
    connection.start({
      data: (bytes) => this.#received(bytes),
      closed: () => this.#end("closed"),
    });
    const cancel = (): void => this.#end("cancelled");
    if (signal.aborted) cancel();
    else signal.addEventListener("abort", cancel, { once: true });
    void connection.closed.then(() => signal.removeEventListener("abort", cancel));
  }

  send(text: string): void {
    this.#connection.write(new TextEncoder().encode(text));
  }

  /** What has come and was not taken, without taking it; waits until there is more of it than `beyond`. */
  async peek(beyond: number): Promise<Uint8Array | FotaSilence> {
    while (this.#unread.length <= beyond) {
      if (this.#silence !== undefined) return this.#silence;
      await this.#more();
    }
    return this.#unread;
  }

  /** Takes what was seen. */
  take(lengthBytes: number): Uint8Array {
    const taken = this.#unread.slice(0, lengthBytes);
    this.#unread = this.#unread.subarray(lengthBytes);
    if (this.#isPaused && this.#unread.length < fotaUnreadBytesMax) {
      this.#isPaused = false;
      this.#connection.resume();
    }
    return taken;
  }

  async close(): Promise<void> {
    this.#end("closed");
    this.#connection.destroy();
    await this.#connection.closed;
  }

  async #more(): Promise<void> {
    let timer: Timer | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      timer = this.#clock.setTimer(fotaReceiveTimeoutMs, () => this.#end("timeout"));
    });
    timer?.cancel();
  }

  #received(bytes: Uint8Array): void {
    if (this.#silence !== undefined) return;
    this.#unread = concatBytes([this.#unread, bytes]);
    if (this.#unread.length >= fotaUnreadBytesMax && !this.#isPaused) {
      this.#isPaused = true;
      this.#connection.pause();
    }
    this.#wake();
  }

  #end(silence: FotaSilence): void {
    this.#silence ??= this.#signal.aborted ? "cancelled" : silence;
    this.#wake();
  }
}
