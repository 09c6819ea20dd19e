import { isThinglineError } from "@thingline/protocol";
import { ok, type SerialModemCommand } from "./command.js";
import type { SerialModemFeature, SerialModemServices } from "./feature.js";
import { isRegistered } from "./online.js";

/** What `#XNRFPROV: <n>` says. */
export const provisioningStatuses = { failed: -1, notClaimed: -2 } as const;

/** The client asks the provisioning service once, and hears that it does not know the device. */
export const provisioningAnswerMs = 2_000;

/**
 * `#XNRFPROV`, nRF Cloud's provisioning of the Serial Modem. There is no nRF Cloud to ask: a modem that is registered hears that its device
 * was not claimed, which is what a new one hears; one that is not has failed. Nothing is sent.
 */
export const provisioningFeature: SerialModemFeature = (services) => {
  const attempt = new Attempt(services);
  const command: SerialModemCommand = {
    name: "#XNRFPROV",
    dialects: ["serialModem"],
    forms: {
      execute: () => ({ type: "ok", information: [], afterwards: () => attempt.start() }),
      test: () => ok("#XNRFPROV"),
    },
  };
  return { commands: [command], stop: () => attempt.stop() };
};

class Attempt {
  readonly #services: SerialModemServices;
  #cancel: (() => void) | undefined;

  constructor(services: SerialModemServices) {
    this.#services = services;
  }

  /** One at a time: another request while it runs joins it. */
  start(): void {
    if (this.#cancel !== undefined) return;
    const timer = this.#services.clock.setTimer(provisioningAnswerMs, () => {
      this.#cancel = undefined;
      void this.#finish();
    });
    this.#cancel = () => timer.cancel();
  }

  async #finish(): Promise<void> {
    const { notClaimed, failed } = provisioningStatuses;
    this.#services.notify(`#XNRFPROV: ${(await this.#isRegistered()) ? notClaimed : failed}`);
  }

  async #isRegistered(): Promise<boolean> {
    try {
      return await isRegistered(this.#services);
    } catch (error) {
      // The modem has ended, or a behaviour lost the answer.
      if (isThinglineError(error)) return false;
      throw error;
    }
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }
}
