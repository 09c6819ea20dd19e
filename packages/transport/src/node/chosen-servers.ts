import { BoundedMap } from "@thingline/protocol";
import type { ServerChoice } from "../connection.js";

/** Choices of one listener that are kept ready; the one that nobody asks for goes first. */
export const contextsMax = 64;

/** What is made for the server names of a listener that have rules of their own, once for each choice. */
export class ChosenServers<Server> {
  readonly #servers = new BoundedMap<string, Server & NonNullable<unknown>>(contextsMax);
  readonly #make: (choice: ServerChoice) => Server & NonNullable<unknown>;

  constructor(make: (choice: ServerChoice) => Server & NonNullable<unknown>) {
    this.#make = make;
  }

  of(choice: ServerChoice): Server {
    const { certificate, requestsClientCertificate, minVersion, maxVersion, ciphers, isRaw } = choice;
    const key = JSON.stringify([certificate, requestsClientCertificate, minVersion, maxVersion, ciphers, isRaw]);
    const known = this.#servers.get(key);
    if (known !== undefined) return known;
    const made = this.#make(choice);
    this.#servers.set(key, made);
    return made;
  }
}
