/** What takes the payload while the line is in data mode. */
export interface SerialModemDataMode {
  /**
   * Takes one burst: what came until the line was silent for the time limit, or the buffer was full. Bursts come one after the other;
   * meanwhile the line is held back.
   *
   * @returns how many bytes were sent, or a negative errno: SLM's mode ends with `#XDATAMODE: <errno>`; the Serial Modem sends the terminator, drops
   * what comes until the host has sent it back, and then tells `#XDATAMODE: -1`.
   */
  send(bytes: Uint8Array): Promise<number>;
  /** The mode ends by itself after exactly so many bytes, none of which is looked at for the terminator. */
  dataBytes?: number | undefined;
  /** Called once, after `#XDATAMODE: …` went out. */
  ended?(result: number): void;
}
