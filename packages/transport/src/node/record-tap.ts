import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import type { TlsRecord } from "../connection.js";

const headerBytes = 5;

/** Finds the records in one direction of a TLS stream, in any chunking. */
export function createRecordScanner(onRecord: (contentType: number, lengthBytes: number) => void) {
  const header = new Uint8Array(headerBytes);
  let headerLength = 0;
  let restBytes = 0;
  return function scan(bytes: Uint8Array): void {
    let offset = 0;
    while (offset < bytes.length) {
      if (restBytes > 0) {
        const step = Math.min(restBytes, bytes.length - offset);
        restBytes -= step;
        offset += step;
        continue;
      }
      header[headerLength++] = bytes[offset++] as number;
      if (headerLength < headerBytes) continue;
      headerLength = 0;
      restBytes = ((header[3] as number) << 8) | (header[4] as number);
      onRecord(header[0] as number, restBytes);
    }
  };
}

/** Sits between a TCP socket and the TLS socket above it and tells every record that passes. */
export class RecordTap extends Duplex {
  readonly #tcp: Socket;
  readonly #scanSent: (bytes: Uint8Array) => void;

  constructor(tcp: Socket, onRecord: (record: TlsRecord) => void) {
    super({ allowHalfOpen: true });
    this.#tcp = tcp;
    this.#scanSent = createRecordScanner((contentType, lengthBytes) =>
      onRecord({ direction: "sent", contentType, lengthBytes }),
    );
    const scanReceived = createRecordScanner((contentType, lengthBytes) =>
      onRecord({ direction: "received", contentType, lengthBytes }),
    );
    tcp.on("data", (bytes) => {
      scanReceived(bytes);
      if (!this.push(bytes)) tcp.pause();
    });
    tcp.once("end", () => this.push(null));
    tcp.on("error", (error) => this.destroy(error));
    tcp.once("close", () => this.destroy());
  }

  override _read(): void {
    this.#tcp.resume();
  }

  override _write(bytes: Uint8Array, _encoding: string, done: (error?: Error | null) => void): void {
    this.#scanSent(bytes);
    this.#tcp.write(bytes, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#tcp.end(() => done());
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#tcp.destroy();
    done(error);
  }
}
