import { ThinglineError } from "@thingline/protocol";
import { integerAt, parseInformation } from "@thingline/protocol/at";

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

/** Bytes that one line may announce. More is noise: the application's own buffers are smaller. */
export const rawDataBytesMax = 65_536;

type Integer = (index: number) => number | undefined;

/** `#XRECV: <n>`, with a handle `#XRECV: <handle>,<mode>,<n>`, where mode 1 is in hex digits. */
const received = (integer: Integer): number | undefined => {
  const lengthBytes = integer(2);
  if (lengthBytes === undefined) return integer(0);
  return integer(1) === 1 ? 2 * lengthBytes : lengthBytes;
};

const lengths: Readonly<Record<string, (integer: Integer) => number | undefined>> = {
  "#XRECV": received,
  "#XRECVFROM": received,
  // Early builds tell the kind of the data first.
  "#XTCPDATA": (integer) => integer(1) ?? integer(0),
  "#XUDPDATA": (integer) => integer(0),
  "#XMQTTMSG": (integer) => {
    const topicBytes = integer(0);
    const payloadBytes = integer(1);
    return topicBytes === undefined || payloadBytes === undefined
      ? undefined
      : topicBytes + "\r\n".length + payloadBytes;
  },
  "#XHTTPCDATA": (integer) => integer(2),
};

/** @returns undefined for every line that announces no raw bytes, or more than {@link rawDataBytesMax}. */
export function parseRawDataHead(line: string): RawDataHead | undefined {
  if (!line.startsWith("#X")) return undefined;
  const information = parseInformation(line);
  if (information === undefined) return undefined;
  const { name, parameters } = information;
  const lengthBytes = lengths[name]?.((index) => integerAt(parameters, index));
  if (lengthBytes === undefined || lengthBytes <= 0 || lengthBytes > rawDataBytesMax) return undefined;
  return { name, line, lengthBytes };
}

/** Raw bytes on their way from a reader to whoever takes them. */
export class RawDataRun {
  readonly head: RawDataHead;
  readonly #listener: RawDataListener;
  #offset = 0;

  constructor(head: RawDataHead, listener: RawDataListener) {
    this.head = head;
    this.#listener = listener;
  }

  get isComplete(): boolean {
    return this.#offset === this.head.lengthBytes;
  }

  take(bytes: Uint8Array): void {
    const offset = this.#offset;
    this.#offset += bytes.length;
    this.#listener(bytes, this.head, offset);
  }

  shortError(): ThinglineError {
    const { name, lengthBytes } = this.head;
    const message = `${name}: the modem announced ${lengthBytes} bytes, and ${this.#offset} came`;
    return new ThinglineError("MODEM_RESPONSE_INVALID", message, {
      details: { expected: lengthBytes, got: this.#offset },
    });
  }
}
