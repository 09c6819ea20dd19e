// A serial line that loses bytes and makes some up, between a host and whatever is behind its port.
import type { Connection, ConnectionHandlers, Random } from "@thingline/transport";

export type LineFault =
  /** So many bytes of what comes next are gone. */
  | { on: "toHost" | "toModem"; do: "lose"; bytes: number }
  /** Bytes that nobody sent, in front of what comes next. Towards the modem only where a command begins: a line without checksums
   * cannot tell them from payload. */
  | { on: "toHost" | "toModem"; do: "noise"; bytes: number };

/** The host's end of a line. Handed to a session instead of the port. */
export class DisturbedLine implements Pick<Connection, "write" | "start"> {
  readonly connection: Connection;
  readonly #port: Connection;
  readonly #random: Random;
  #faults: LineFault[] = [];
  #hits = 0;

  constructor(port: Connection, random: Random) {
    this.#port = port;
    this.#random = random;
    const own: Partial<Connection> = { write: (head) => this.write(head), start: (handlers) => this.start(handlers) };
    this.connection = new Proxy(port, {
      get: (target, name) => {
        const value: unknown = Reflect.get(name in own ? own : target, name, name in own ? own : target);
        return typeof value === "function" && !(name in own) ? (value.bind(target) as unknown) : value;
      },
    });
  }

  /** Faults that have happened. */
  get hits(): number {
    return this.#hits;
  }

  disturb(fault: LineFault): void {
    this.#faults.push(fault);
  }

  calm(): void {
    this.#faults = [];
  }

  write(bytes: Uint8Array): boolean {
    const isCommand = bytes[0] === 0x41 && bytes[1] === 0x54;
    return this.#port.write(this.#pass("toModem", bytes, isCommand));
  }

  start(handlers: ConnectionHandlers): void {
    this.#port.start({
      data: (bytes) => {
        const passed = this.#pass("toHost", bytes, true);
        if (passed.length > 0) handlers.data(passed);
      },
      drained: () => handlers.drained?.(),
      closed: (error) => handlers.closed(error),
    });
  }

  #pass(on: LineFault["on"], bytes: Uint8Array, takesNoise: boolean): Uint8Array {
    const fault = this.#faults.find((each) => each.on === on && (each.do === "lose" || takesNoise));
    if (fault === undefined || bytes.length === 0) return bytes;
    this.#faults = this.#faults.filter((each) => each !== fault);
    this.#hits += 1;
    if (fault.do === "noise") return joined(this.#random.bytes(fault.bytes), bytes);
    const at = this.#random.integer(bytes.length);
    return joined(bytes.subarray(0, at), bytes.subarray(at + fault.bytes));
  }
}

function joined(one: Uint8Array, other: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(one.length + other.length);
  bytes.set(one);
  bytes.set(other, one.length);
  return bytes;
}
