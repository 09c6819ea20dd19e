import type { ThinglineError } from "@thingline/protocol";
import type { Clock, Connection, ConnectionHandlers, Endpoint, SecureInfo } from "@thingline/transport";

/** Bytes that wait for a reader that paused; a writer must look at `receiveBufferedBytes` before it adds more. */
export const memoryBufferBytesMax = 65_536;

/** One end of a byte stream inside the process: the host's side of the modem's serial port. */
export class MemoryConnection implements Connection {
  readonly secure: SecureInfo | undefined = undefined;
  readonly local: Endpoint;
  readonly remote: Endpoint;
  readonly closed: Promise<void>;
  readonly #clock: Clock;
  readonly #onSend: (bytes: Uint8Array) => void;
  readonly #onEnd: () => void;
  #handlers: ConnectionHandlers | undefined;
  #outgoing: Uint8Array[] = [];
  #slab = new Uint8Array(256);
  #reserved = 0;
  #incoming: Uint8Array[] = [];
  #isFlushPlanned = false;
  #isDeliveryPlanned = false;
  #isPaused = false;
  #isEnded = false;
  #isToldClosed = false;
  #error: ThinglineError | undefined;
  #resolveClosed: () => void = () => undefined;

  /**
   * @param onSend What the host sends, at the end of the event-loop turn.
   * @param onEnd Once, when the stream has ended for whatever reason.
   */
  constructor(options: {
    clock: Clock;
    local: Endpoint;
    remote: Endpoint;
    onSend: (bytes: Uint8Array) => void;
    onEnd: () => void;
  }) {
    this.#clock = options.clock;
    this.local = options.local;
    this.remote = options.remote;
    this.#onSend = options.onSend;
    this.#onEnd = options.onEnd;
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
  }

  get bufferedBytes(): number {
    return total(this.#outgoing) + this.#reserved;
  }

  /** What was given to the host and not yet taken by it. */
  get receiveBufferedBytes(): number {
    return total(this.#incoming);
  }

  get slab(): Uint8Array {
    return this.#slab;
  }

  start(handlers: ConnectionHandlers): void {
    this.#handlers = handlers;
    this.#planDelivery();
  }

  reserve(lengthBytes: number): number {
    this.#takeReserved();
    if (this.#slab.length < lengthBytes) this.#slab = new Uint8Array(lengthBytes);
    this.#reserved = lengthBytes;
    this.#planFlush();
    return 0;
  }

  write(head: Uint8Array, body?: Uint8Array): boolean {
    if (this.#isEnded) return true;
    this.#takeReserved();
    this.#outgoing.push(head);
    if (body !== undefined) this.#outgoing.push(body);
    this.#planFlush();
    return true;
  }

  flush(): void {
    this.#planFlush();
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#planDelivery();
  }

  /** The modem's side speaks. */
  deliver(bytes: Uint8Array): void {
    if (this.#isEnded) return;
    this.#incoming.push(bytes);
    this.#planDelivery();
  }

  async close(): Promise<void> {
    if (!this.#isEnded) this.#send();
    this.#end(undefined);
    await this.closed;
  }

  destroy(error?: ThinglineError): void {
    this.#incoming = [];
    this.#end(error);
  }

  #takeReserved(): void {
    if (this.#reserved === 0) return;
    this.#outgoing.push(this.#slab.slice(0, this.#reserved));
    this.#reserved = 0;
  }

  #planFlush(): void {
    if (this.#isFlushPlanned || this.#isEnded) return;
    this.#isFlushPlanned = true;
    this.#clock.afterTurn(() => {
      this.#isFlushPlanned = false;
      if (!this.#isEnded) this.#send();
    });
  }

  #send(): void {
    this.#takeReserved();
    const outgoing = this.#outgoing;
    this.#outgoing = [];
    for (const bytes of outgoing) this.#onSend(bytes);
  }

  #planDelivery(): void {
    if (this.#isDeliveryPlanned || this.#handlers === undefined) return;
    this.#isDeliveryPlanned = true;
    this.#clock.afterTurn(() => {
      this.#isDeliveryPlanned = false;
      this.#deliverPending();
    });
  }

  #deliverPending(): void {
    while (!this.#isPaused) {
      const bytes = this.#incoming.shift();
      if (bytes === undefined) break;
      this.#handlers?.data(bytes);
    }
    if (!this.#isEnded || this.#isToldClosed || this.#incoming.length > 0) return;
    this.#isToldClosed = true;
    this.#handlers?.closed(this.#error);
  }

  #end(error: ThinglineError | undefined): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#error = error;
    this.#isPaused = false;
    this.#onEnd();
    this.#planDelivery();
    this.#resolveClosed();
  }
}

function total(chunks: readonly Uint8Array[]): number {
  let bytes = 0;
  for (const chunk of chunks) bytes += chunk.length;
  return bytes;
}
