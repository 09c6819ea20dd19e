import { checkOptionTypes, isThinglineError, methodsOf, ThinglineError } from "@thingline/protocol";
import { identifyFirmware } from "@thingline/protocol/image";
import type { ModemFirmware, ModemFirmwareState } from "@thingline/transport";
import type { FirmwareTarget, FirmwareTargetState, FirmwareTrial, FirmwareVerdict } from "../target.js";

export interface ModemTargetOptions {
  firmware: ModemFirmware;
}

const firmwareOption = methodsOf<ModemFirmware>("a ModemFirmware", {
  state: true,
  areaBytes: true,
  erase: true,
  write: true,
  schedule: true,
});

/**
 * A modem as a place for firmware: takes its delta images. The modem checks an image when it applies it, at its next start, and not before; what
 * it said then, and the version that runs, tell what became of it. A modem does not go back from a firmware that it has applied.
 *
 * @throws {ThinglineError} OPTION_INVALID
 */
export function createModemTarget(options: ModemTargetOptions): FirmwareTarget {
  checkOptionTypes(options, { firmware: firmwareOption }, { of: "createModemTarget()", required: ["firmware"] });
  return new ModemTarget(options.firmware);
}

class ModemTarget implements FirmwareTarget {
  readonly name = "modem";
  readonly canRevert = false;
  readonly #firmware: ModemFirmware;
  /** What the modem would not take: said by {@link verify}, and nothing more is written. */
  #refusal: ThinglineError | undefined;
  #writtenTo = 0;

  constructor(firmware: ModemFirmware) {
    this.#firmware = firmware;
  }

  recognises(head: Uint8Array): boolean {
    return identifyFirmware(head) === "modemDelta";
  }

  capacityBytes(): Promise<number> {
    return this.#firmware.areaBytes();
  }

  async state(): Promise<FirmwareTargetState> {
    const state = await this.#firmware.state();
    const { version, isScheduled, result } = state;
    const running = { version, imageId: version, trial: trialOf(state) };
    const isRefused = result !== undefined && result !== "ok";
    return { running, isScheduled, ...(isRefused && { refusal: `the modem said ${result} of the image` }) };
  }

  async begin(_image: { sizeBytes: number }, { signal }: { signal: AbortSignal }): Promise<void> {
    this.#refusal = undefined;
    const { writtenBytes, isScheduled } = await this.#firmware.state();
    if (writtenBytes !== 0 || isScheduled) await this.#firmware.erase({ signal });
  }

  async resume(
    { sizeBytes, offset }: { sizeBytes: number; offset: number },
    { signal }: { signal: AbortSignal },
  ): Promise<number> {
    this.#refusal = undefined;
    const { writtenBytes, isScheduled } = await this.#firmware.state();
    // The modem keeps each byte at once, so it is further than what was remembered; before the first of them another image lay there.
    const isOurs = offset > 0 && writtenBytes !== "dirty" && writtenBytes >= offset && writtenBytes <= sizeBytes;
    if (isOurs && !isScheduled) return writtenBytes;
    if (writtenBytes !== 0 || isScheduled) await this.#firmware.erase({ signal });
    return 0;
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    this.#writtenTo = offset + bytes.length;
    if (this.#refusal) return;
    try {
      await this.#firmware.write(offset, bytes);
    } catch (error) {
      if (!isThinglineError(error, "MODEM_FIRMWARE_REFUSED")) throw error;
      this.#refusal = error;
    }
  }

  async sync(): Promise<number> {
    // What is wrong with the image is told at its end.
    if (this.#refusal) return this.#writtenTo;
    const { writtenBytes } = await this.#firmware.state();
    return writtenBytes === "dirty" ? 0 : writtenBytes;
  }

  read(): Promise<Uint8Array> {
    return Promise.reject(
      new ThinglineError("MODEM_FIRMWARE_REFUSED", "a modem does not let its firmware area be read"),
    );
  }

  async verify({ sizeBytes }: { sizeBytes: number }): Promise<FirmwareVerdict> {
    if (this.#refusal) {
      const { modemError = "refused" } = this.#refusal.details;
      return { isAccepted: false, reason: reasonOf(String(modemError)), message: this.#refusal.message };
    }
    const { writtenBytes } = await this.#firmware.state();
    if (writtenBytes === sizeBytes) return { isAccepted: true, version: undefined, imageId: undefined };
    const message = `the area of the modem holds ${writtenBytes} of ${sizeBytes} bytes`;
    return { isAccepted: false, reason: reasonOf("incompleteData"), message };
  }

  async schedule(): Promise<void> {
    const { isScheduled } = await this.#firmware.state();
    if (!isScheduled) await this.#firmware.schedule();
  }

  confirm(): Promise<void> {
    return Promise.resolve();
  }

  async discard(): Promise<void> {
    const { writtenBytes, isScheduled } = await this.#firmware.state();
    if (writtenBytes !== 0 || isScheduled) await this.#firmware.erase({ signal: new AbortController().signal });
  }
}

function trialOf({ result, isScheduled }: ModemFirmwareState): FirmwareTrial {
  const isRefused = result !== undefined && result !== "ok" && !isScheduled;
  return isRefused ? "reverted" : "confirmed";
}

/** `modemInvalidUuid` */
function reasonOf(modemError: string): string {
  return `modem${modemError.charAt(0).toUpperCase()}${modemError.slice(1)}`;
}
