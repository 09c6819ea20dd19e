import { ThinglineError } from "@thingline/protocol";
import type { WriteStep } from "./behaviour/behaviour.js";
import type { ModemPauses } from "./pauses.js";
import { RefusedWrite } from "./refusal.js";

/** What a write of the modem's memory is about: tests cut the power at writes of credentials only. */
export type WriteKind = "credential" | "settings";

export interface ModemMemoryOptions {
  pauses: ModemPauses;
  /** What befalls the next write, if anything. */
  fateOfWrite(): WriteStep | undefined;
  /** Whether a write that the power left halfway had reached the memory. */
  isWritten(): boolean;
  cutPower(): void;
}

/**
 * The way to the modem's flash: a write takes its time, and may fail or lose its power. What is replaced is replaced
 * whole: a cut leaves the old or the new.
 */
export class ModemMemory {
  /** How long a write takes. */
  writeMs = 0;
  /** The power goes away at the Nth write of a credential from now on. */
  cut: { remaining: number; phase: "before" | "after" } | undefined;
  readonly #options: ModemMemoryOptions;
  #isPowered = true;

  constructor(options: ModemMemoryOptions) {
    this.#options = options;
  }

  powerLost(): void {
    this.#isPowered = false;
  }

  /** @throws {ThinglineError} CONNECTION_LOST when the power went away; {@link RefusedWrite} when the write failed. */
  async write(kind: WriteKind, change: () => Promise<void>): Promise<void> {
    const fate = this.#options.fateOfWrite();
    if (fate?.do === "fail") {
      await this.#pass(this.writeMs);
      throw new RefusedWrite(fate.cme ?? 0);
    }
    const phase = fate?.phase ?? (fate === undefined ? undefined : "before");
    this.#cutAt(kind, "before");
    if (phase === "before") this.#lose();
    await this.#pass(this.writeMs / 2);
    if (phase === "during") {
      if (this.#options.isWritten()) await change();
      this.#lose();
    }
    await this.#pass(this.writeMs / 2);
    await change();
    this.#cutAt(kind, "after");
    if (phase === "after") this.#lose();
  }

  async #pass(timeMs: number): Promise<void> {
    if (timeMs > 0) await this.#options.pauses.pass(timeMs);
    if (!this.#isPowered) throw powerLost();
  }

  #cutAt(kind: WriteKind, phase: "before" | "after"): void {
    if (this.cut === undefined || kind !== "credential") return;
    if (phase === "before") this.cut.remaining--;
    if (this.cut.remaining > 0 || this.cut.phase !== phase) return;
    this.cut = undefined;
    this.#lose();
  }

  #lose(): never {
    this.#options.cutPower();
    throw powerLost();
  }
}

export function powerLost(): ThinglineError {
  return new ThinglineError("CONNECTION_LOST", "the simulated modem lost its power");
}
