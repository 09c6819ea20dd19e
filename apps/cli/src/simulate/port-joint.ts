import type { ThinglineError } from "@thingline/protocol";
import type { Clock, Connection, Timer } from "@thingline/transport";
import { PacedFlow } from "./paced-flow.js";

/** Over this many bytes on their way to a side that does not take them, the other side is held back. */
export const heldBytesMax = 16_384;
/** A side that is held back is looked at again after this: a connection tells only of much larger backlogs. */
const lookAgainMs = 20;

/** A host that takes nothing for so long is as good as none: what comes for it is lost, until it takes again. */
export const deafAfterMs = 10_000;

/** What goes past a {@link PortJoint}. */
export interface PortView {
  fromHost(bytes: Uint8Array): void;
  fromModem(bytes: Uint8Array): void;
}

export interface PortJointOptions {
  clock: Pick<Clock, "monotonicMs" | "setTimer">;
  /** Both ways. Default: not paced. */
  bytesPerSecond?: number | undefined;
  view?: PortView | undefined;
}

/**
 * A port of a modem and whoever is at the other end of the line: one host at a time, or nobody. What the modem says to nobody is lost and
 * counted, as on a real line; a host that reads slowly holds the modem back, for {@link deafAfterMs} at the most.
 */
export class PortJoint {
  /** Of the modem, that no host was there for. */
  unheardBytes = 0;
  readonly #options: PortJointOptions;
  readonly #toHost: PacedFlow | undefined;
  readonly #toModem: PacedFlow | undefined;
  #port: Connection | undefined;
  #host: Connection | undefined;
  /** What the host had not taken when it was looked at last, and when it last took something. */
  #untakenBytes = 0;
  #takenMs = 0;
  #isDeaf = false;
  #timer: Timer | undefined;

  constructor(options: PortJointOptions) {
    this.#options = options;
    const { clock, bytesPerSecond } = options;
    if (bytesPerSecond === undefined) return;
    this.#toHost = new PacedFlow({ clock, bytesPerSecond, deliver: (bytes) => this.#giveHost(bytes) });
    this.#toModem = new PacedFlow({ clock, bytesPerSecond, deliver: (bytes) => this.#giveModem(bytes) });
  }

  get hasHost(): boolean {
    return this.#host !== undefined;
  }

  /** `onEnded`: the port went away by itself, not by {@link close}. */
  attachPort(port: Connection, onEnded: (error: ThinglineError | undefined) => void): void {
    this.#port = port;
    port.start({
      data: (bytes) => {
        this.#options.view?.fromModem(bytes);
        if (this.#toHost === undefined) this.#giveHost(bytes);
        else this.#toHost.push(bytes);
        this.#balance();
      },
      closed: (error) => {
        if (this.#port !== port) return;
        this.#port = undefined;
        this.#clear();
        onEnded(error);
      },
    });
  }

  /** @throws when there is a host already: look at {@link hasHost}. */
  attachHost(host: Connection, onLeft: () => void): void {
    if (this.#host !== undefined) throw new Error("a line has one host");
    this.#host = host;
    this.#isDeaf = false;
    host.start({
      data: (bytes) => {
        this.#options.view?.fromHost(bytes);
        if (this.#toModem === undefined) this.#giveModem(bytes);
        else this.#toModem.push(bytes);
        this.#balance();
      },
      closed: () => {
        if (this.#host === host) this.#host = undefined;
        // What was on its way to that host is not for the next one.
        this.#toHost?.clear();
        this.#balance();
        onLeft();
      },
    });
    this.#balance();
  }

  /** Both sides end. Safe to call twice. */
  close(): void {
    const port = this.#port;
    this.#port = undefined;
    this.#clear();
    port?.destroy();
    this.#host?.destroy();
  }

  #clear(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#toHost?.clear();
    this.#toModem?.clear();
  }

  #giveHost(bytes: Uint8Array): void {
    if (this.#host === undefined || this.#isDeaf) this.unheardBytes += bytes.length;
    else this.#host.write(bytes);
  }

  #giveModem(bytes: Uint8Array): void {
    this.#port?.write(bytes);
  }

  /** Holds back the side whose bytes are not taken at the other, and looks again until they are. */
  #balance(): void {
    const [port, host] = [this.#port, this.#host];
    const untakenBytes = host?.bufferedBytes ?? 0;
    this.#listen(untakenBytes);
    const isHostSlow = untakenBytes + (this.#toHost?.waitingBytes ?? 0) > heldBytesMax;
    const isPortSlow = (port?.bufferedBytes ?? 0) + (this.#toModem?.waitingBytes ?? 0) > heldBytesMax;
    if (isHostSlow && !this.#isDeaf) port?.pause();
    else port?.resume();
    if (isPortSlow) host?.pause();
    else host?.resume();
    if ((!isHostSlow && !isPortSlow) || this.#timer !== undefined) return;
    this.#timer = this.#options.clock.setTimer(lookAgainMs, () => {
      this.#timer = undefined;
      this.#balance();
    });
  }

  /** Whether the host takes anything. */
  #listen(untakenBytes: number): void {
    const nowMs = this.#options.clock.monotonicMs();
    const hasTaken = untakenBytes <= heldBytesMax || untakenBytes < this.#untakenBytes;
    this.#untakenBytes = untakenBytes;
    if (hasTaken) this.#takenMs = nowMs;
    this.#isDeaf = nowMs - this.#takenMs > deafAfterMs;
    if (this.#isDeaf) this.#toHost?.clear();
  }
}
