import { publishCutsMax } from "./reconnect.js";

/** From so many cuts on, messages go out again one at a time: acknowledgements on their way are lost with a connection. */
const cutsBeforeCaution = 2;

/**
 * The message that may be why the server keeps closing the connection: AWS IoT does so when a policy denies a publish, and
 * sent again with each connection it would keep the device from ever working.
 */
export class SuspectMessage {
  #suspect: object | undefined;
  #cuts = 0;

  /** The server closed the connection. @returns true when `oldest` has to be given up */
  cut(oldest: object | undefined): boolean {
    this.#cuts = oldest !== undefined && oldest === this.#suspect ? this.#cuts + 1 : 1;
    this.#suspect = oldest;
    return oldest !== undefined && this.#cuts >= publishCutsMax;
  }

  /** Whether messages in flight, `oldest` first, go out alone with the next connection, so that the right one is given up. */
  isNear(oldest: object | undefined): boolean {
    if (oldest === undefined) return false;
    return (oldest === this.#suspect && this.#cuts >= cutsBeforeCaution) || this.#cuts >= publishCutsMax;
  }
}
