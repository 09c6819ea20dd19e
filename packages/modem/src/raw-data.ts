/**
 * A line that announces raw bytes by count: `#XRECV: 12`, `#XRECV: 0,0,12`, `#XTCPDATA: 12`, `#XMQTTMSG: 5,12`. The bytes follow its line
 * end, and are no lines whatever they hold.
 */
export interface RawDataHead {
  /** Upper case, with its sign: `#XRECV`. */
  name: string;
  /** The line, without its line end. */
  line: string;
  /** How many bytes follow, with what stands between two announced parts (`#XMQTTMSG`: topic, CR LF, payload). */
  lengthBytes: number;
}

/**
 * Takes raw bytes as they come, in any chunking. A view stays valid after the call, but keeping it keeps the buffer that it was read into.
 *
 * @param offset of these bytes in what the head announced.
 */
export type RawDataListener = (bytes: Uint8Array, head: RawDataHead, offset: number) => void;

/** What is sent in the data mode that a command opens with its OK. */
export interface CommandPayload {
  /** Sent in order, by reference: the caller must not change the bytes before the command has settled. */
  bytes: Uint8Array | readonly Uint8Array[];
  /**
   * What ends the data mode. `count`: the command said how many bytes come (`#XDFUWRITE`, `#XSEND` with a length). `marker`: `+++`, sent
   * behind the payload, which must neither hold it nor end with a plus sign.
   */
  end: "count" | "marker";
  /** The name of the line that ends the exchange, where it is another one than `#XDATAMODE`: `#XDFU` of `#XDFUWRITE`. */
  lastLine?: string;
}
