import { concatBytes, ThinglineError } from "@thingline/protocol";
import { type Clock, type Connection, createConnectionPair } from "@thingline/transport";

export type BoardFault =
  | "refuse"
  | "cutInPayload"
  | "loseAnswer"
  | "loseCommand"
  | "restart"
  | "unplug"
  | "minusOne"
  | "garbage";

/**
 * A board as the specification of the serial modem application has it (`#XDFUINIT`, `#XDFUWRITE`, `#XDFUAPPLY`), no more than uploads need: what the
 * simulated application cannot be made to do, at any command. What it runs and what lies on it is there to look at.
 */
export class FakeBoard {
  readonly #clock: Clock;
  readonly #content: (bytes: Uint8Array) => string;
  readonly types: number[];
  application = "v1";
  modem: string | undefined = "mfw_nrf91x1_2.0.1";
  scheduled: { type: number; version: string } | undefined;
  mode: "application" | "bootloader" = "application";
  commands: string[] = [];
  /** At the nth command of those that are counted, from 1. */
  fault: { at: number; do: BoardFault } | undefined;
  counted = 0;
  /** The next command that it fits is answered with ERROR, as noise in front of it would have it. */
  spoilt: RegExp | undefined;
  #open: Connection | undefined;
  #line = "";
  #payload: { bytes: number[]; wanted: number; isCut: boolean; done: (bytes: Uint8Array) => void } | undefined;
  #area: { type: number; sizeBytes: number; bytes: number[] } | undefined;
  #segment: "bootloader" | "firmware" = "bootloader";
  #bootloader: number[] = [];
  #isBootloaderStarted = false;
  #memory = new Map<number, number>();

  /** @param content the version that an image is of, or text that is none */
  constructor(clock: Clock, content: (bytes: Uint8Array) => string, types = [0, 1, 2]) {
    this.#clock = clock;
    this.#content = content;
    this.types = types;
  }

  plugIn(): Connection {
    const { near, far } = createConnectionPair({ clock: this.#clock });
    this.#open = far;
    this.#line = "";
    this.#payload = undefined;
    far.start({ data: (bytes) => this.#receive(bytes), closed: () => undefined });
    return near;
  }

  /** What was written by addresses, from the lowest on. */
  get memory(): Uint8Array {
    const addresses = [...this.#memory.keys()].sort((first, second) => first - second);
    return Uint8Array.from(addresses, (address) => this.#memory.get(address) ?? 0);
  }

  #receive(bytes: Uint8Array): void {
    for (const byte of bytes) {
      const payload = this.#payload;
      if (payload !== undefined) {
        payload.bytes.push(byte);
        if (payload.isCut && payload.bytes.length === Math.ceil(payload.wanted / 2)) this.#restart();
        if (payload.bytes.length < payload.wanted) continue;
        this.#payload = undefined;
        payload.done(Uint8Array.from(payload.bytes));
      } else if (byte === 0x0d) this.#command();
      else this.#line += byte === 0x0a ? "" : String.fromCharCode(byte);
    }
  }

  #command(): void {
    const line = this.#line.replace(/^.*(?=AT)/, "");
    this.#line = "";
    if (line === "") return;
    this.commands.push(line);
    if (this.spoilt?.test(line) === true) {
      this.spoilt = undefined;
      return this.#say("ERROR");
    }
    const isCounted = /^AT(?:#XDFU(?:INIT|WRITE|APPLY)=\d|#XRESET|#XMODEMRESET)/.test(line);
    if (isCounted) this.counted++;
    const fault = isCounted && this.counted === this.fault?.at ? this.fault.do : undefined;
    switch (fault) {
      case "refuse":
        return this.#say("ERROR");
      case "loseCommand":
        return;
      case "restart":
        return this.#restart();
      case "unplug":
        return this.unplug();
      case "garbage":
        this.#open?.write(Uint8Array.of(0xff, 0x00, 0x22, 0x81, 0x0d, 0x0a));
        break;
      default:
    }
    this.#perform(line, fault);
  }

  #perform(line: string, fault: BoardFault | undefined): void {
    const say = (text: string): void => {
      if (fault !== "loseAnswer") this.#say(text);
    };
    const [, name = "", values = ""] = /^AT(#X\w+|\+CGMR)?(?:=(.*))?$/.exec(line) ?? [];
    const numbers = values.split(",").map(Number);
    const [type = -1, second = 0, third = 0] = numbers;
    if (this.mode === "bootloader" && (!name.startsWith("#XDFU") || (values !== "?" && type !== 2)))
      return say("ERROR");
    if (name.startsWith("#XDFU") && this.types.length === 0) return say("ERROR");
    if (name === "#XDFUINIT" && values === "?") return (say(`#XDFUINIT: (${this.types.join(",")}),<size>`), say("OK"));
    if (name === "#XDFUINIT") return this.#begin(type, second, say);
    if (name === "#XDFUWRITE") return this.#write({ type, address: second, length: third }, { fault, say });
    if (name === "#XDFUAPPLY") return this.#apply(type, { fault, say });
    if (name === "#XRESET") return (say("OK"), this.#restart());
    if (name === "#XMODEMRESET") return (this.#applyScheduled(), say("#XMODEMRESET: 0"), say("OK"));
    if (name === "#XSMVER") return (say(`#XSMVER: "${this.application}","3.3.0"`), say("OK"));
    if (name === "+CGMR" && this.modem !== undefined) return (say(this.modem), say("OK"));
    say(name === "" ? "OK" : "ERROR");
  }

  #begin(type: number, sizeBytes: number, say: (text: string) => void): void {
    if (!this.types.includes(type)) return say("ERROR");
    if (type === 2) {
      this.mode = "bootloader";
      return this.#restart(say);
    }
    this.#area = { type, sizeBytes, bytes: [] };
    this.scheduled = undefined;
    say("OK");
  }

  #write(
    { type, address, length }: { type: number; address: number; length: number },
    { fault, say }: { fault: BoardFault | undefined; say: (text: string) => void },
  ): void {
    if (length === 0) return say("ERROR");
    say("OK");
    this.#payload = {
      bytes: [],
      wanted: length,
      isCut: fault === "cutInPayload",
      done: (bytes) => {
        const isWritten = fault !== "minusOne" && this.#store(type, address, bytes);
        say("#XDATAMODE: 0");
        say(`#XDFU: ${type},1,${isWritten ? 0 : -1}`);
      },
    };
  }

  #store(type: number, address: number, bytes: Uint8Array): boolean {
    if (type !== 2) {
      if (this.#area?.type !== type) return false;
      this.#area.bytes.push(...bytes);
      return this.#area.bytes.length <= this.#area.sizeBytes;
    }
    if (this.#segment === "bootloader") {
      this.#bootloader.push(...bytes);
      return true;
    }
    if (!this.#isBootloaderStarted) return false;
    this.modem = undefined;
    for (const [index, byte] of bytes.entries()) this.#memory.set(address + index, byte);
    return true;
  }

  #apply(type: number, { fault, say }: { fault: BoardFault | undefined; say: (text: string) => void }): void {
    const end = (isDone: boolean): void => {
      say("OK");
      say(`#XDFU: ${type},2,${isDone ? 0 : -1}`);
    };
    if (fault === "minusOne") return end(false);
    if (type !== 2) {
      const area = this.#area;
      const isWhole = area?.type === type && area.bytes.length === area.sizeBytes;
      if (isWhole) this.scheduled = { type, version: this.#content(Uint8Array.from(area.bytes)) };
      return end(isWhole);
    }
    if (this.#segment === "bootloader") {
      const isGood = this.#content(Uint8Array.from(this.#bootloader)) === "bootloader";
      this.#isBootloaderStarted = isGood;
      if (isGood) this.#segment = "firmware";
      return end(isGood);
    }
    const version = this.#content(this.memory);
    if (!version.startsWith("mfw_")) return end(false);
    this.modem = version;
    this.mode = "application";
    this.#segment = "bootloader";
    this.#restart(say);
  }

  /** Power goes and comes back. */
  #restart(say: (text: string) => void = (text) => this.#say(text)): void {
    this.#payload = undefined;
    this.#line = "";
    this.#bootloader = [];
    this.#isBootloaderStarted = false;
    this.#segment = "bootloader";
    this.#area = undefined;
    this.#applyScheduled();
    say(this.mode === "bootloader" ? "Bootloader mode ready" : "Ready");
  }

  #applyScheduled(): void {
    const { scheduled } = this;
    this.scheduled = undefined;
    if (scheduled === undefined) return;
    if (scheduled.type === 0) this.application = scheduled.version;
    else if (scheduled.version.startsWith("mfw_")) this.modem = scheduled.version;
  }

  unplug(): void {
    this.#open?.destroy(new ThinglineError("SERIAL_PORT_UNPLUGGED", "unplugged"));
    this.#open = undefined;
  }

  #say(text: string): void {
    const framed = text === "Ready" || text === "Bootloader mode ready" ? `${text}\r\n` : `\r\n${text}\r\n`;
    this.#open?.write(new TextEncoder().encode(framed));
  }
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** An image that says which version it is of, filled up so that one byte more or less, or another order, shows. */
export function imageOf(version: string, sizeBytes: number): Uint8Array {
  const name = encoder.encode(`${version}\n`);
  const rest = Uint8Array.from({ length: sizeBytes - name.length }, (_, index) => (index * 7 + (index >> 8)) & 0xff);
  return concatBytes([name, rest]);
}

/** The version, when not a byte is wrong. */
export function versionOfImage(bytes: Uint8Array): string {
  const version = decoder.decode(bytes.subarray(0, Math.max(0, bytes.indexOf(0x0a))));
  const whole = bytes.length <= version.length ? undefined : imageOf(version, bytes.length);
  return whole?.every((byte, index) => byte === bytes[index]) === true ? version : "damaged";
}
