import type { ThinglineError } from "@thingline/protocol";
import type { Connection, ConnectionHandlers, Endpoint, SecureInfo, WebSocketRequest } from "@thingline/transport";

export interface ConnectionCounter {
  /** Handed over by the user. */
  sent(bytes: number): void;
  received(bytes: Uint8Array): void;
  closed(error: ThinglineError | undefined): void;
}

/** A connection, and somebody who counts what it carries. */
// oxlint-disable-next-line thingline/held-contracts -- held by connectionContract, in counted-connection.test.ts
export class CountedConnection implements Connection {
  readonly #inner: Connection;
  readonly #counter: ConnectionCounter;
  #isOver = false;

  constructor(inner: Connection, counter: ConnectionCounter) {
    this.#inner = inner;
    this.#counter = counter;
  }

  get secure(): SecureInfo | undefined {
    return this.#inner.secure;
  }

  get local(): Endpoint {
    return this.#inner.local;
  }

  get remote(): Endpoint {
    return this.#inner.remote;
  }

  get webSocketRequest(): WebSocketRequest | undefined {
    return this.#inner.webSocketRequest;
  }

  get bufferedBytes(): number {
    return this.#inner.bufferedBytes;
  }

  get slab(): Uint8Array {
    return this.#inner.slab;
  }

  get closed(): Promise<void> {
    return this.#inner.closed;
  }

  start(handlers: ConnectionHandlers): void {
    this.#inner.start({
      data: (bytes) => {
        this.#counter.received(bytes);
        handlers.data(bytes);
      },
      drained: () => handlers.drained?.(),
      closed: (error) => {
        this.#isOver = true;
        this.#counter.closed(error);
        handlers.closed(error);
      },
    });
  }

  reserve(lengthBytes: number): number {
    if (!this.#isOver) this.#counter.sent(lengthBytes);
    return this.#inner.reserve(lengthBytes);
  }

  write(head: Uint8Array, body?: Uint8Array): boolean {
    if (!this.#isOver) this.#counter.sent(head.length + (body?.length ?? 0));
    return this.#inner.write(head, body);
  }

  flush(): void {
    this.#inner.flush();
  }

  pause(): void {
    this.#inner.pause();
  }

  resume(): void {
    this.#inner.resume();
  }

  close(): Promise<void> {
    this.#isOver = true;
    return this.#inner.close();
  }

  destroy(error?: ThinglineError): void {
    this.#isOver = true;
    this.#inner.destroy(error);
  }
}
