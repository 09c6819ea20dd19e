import type { Connection } from "@thingline/transport";
import { errnoOf } from "./errno.js";
import type { SerialModemDialTarget, SerialModemServices } from "./feature.js";

/** How a client of the application gets its connection: one dial at a time, which ends when the modem's sockets are gone. */
export class ClientDial {
  readonly #services: Pick<SerialModemServices, "dial">;
  #controller: AbortController | undefined;

  constructor(services: Pick<SerialModemServices, "dial">) {
    this.#services = services;
  }

  get isUnderWay(): boolean {
    return this.#controller !== undefined;
  }

  abort(): void {
    this.#controller?.abort();
  }

  /** @returns undefined: there is no connection, for whatever reason. A defect is thrown on. */
  async dial(target: SerialModemDialTarget): Promise<Connection | undefined> {
    const controller = new AbortController();
    this.#controller = controller;
    try {
      const connection = await this.#services.dial(target, { signal: controller.signal });
      if (!controller.signal.aborted) return connection;
      connection.destroy();
    } catch (error) {
      // The commands know nothing but ERROR.
      errnoOf(error);
    } finally {
      this.#controller = undefined;
    }
    return undefined;
  }
}
