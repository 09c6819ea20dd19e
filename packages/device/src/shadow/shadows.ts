import { isThinglineError, ThinglineError } from "@thingline/protocol";
import type { Clock, Random } from "@thingline/transport";
import type { DeviceMessage } from "../topics/message.js";
import type { DeviceSubscription } from "../topics/subscription.js";
import { RequestGate } from "./request-gate.js";
import { ShadowClient } from "./shadow-client.js";
import type { ShadowPort } from "./shadow-requests.js";

/** Shadows of one device that an application works with at a time. */
export const shadowsMax = 100;

export interface ShadowsPort {
  clientId: string;
  clock: Clock;
  random: Random;
  publish(topic: string, payload: Uint8Array, options: { qos: 1; signal?: AbortSignal }): Promise<void>;
  subscribe(filters: readonly string[], listener: (message: DeviceMessage) => void): Promise<DeviceSubscription>;
  report(error: Error): void;
  /** The cloud drops packets that are larger, since the device told it so. Undefined: none that a shadow's answer may reach. */
  answerBytesMax?: number | undefined;
}

/** The shadows of a device: one client for each name, made when it is first asked for. */
export class DeviceShadows {
  #clients: Map<string | undefined, ShadowClient> | undefined;
  readonly #port: ShadowsPort;
  #gate: RequestGate | undefined;
  #ending: ThinglineError | undefined;

  constructor(port: ShadowsPort) {
    this.#port = port;
  }

  /** @throws {ThinglineError} OPTION_INVALID, LIMIT_EXCEEDED. */
  get(shadowName: string | undefined): ShadowClient {
    const clients = (this.#clients ??= new Map<string | undefined, ShadowClient>());
    const gate = (this.#gate ??= new RequestGate());
    const known = clients.get(shadowName);
    if (known !== undefined) return known;
    const { clientId: thingName, random, clock } = this.#port;
    if (clients.size >= shadowsMax) {
      throw new ThinglineError("LIMIT_EXCEEDED", `a device works with at most ${shadowsMax} shadows`, {
        details: { shadowsMax },
      });
    }
    const id = { thingName, ...(shadowName !== undefined && { shadowName }) };
    const client = new ShadowClient(id, { clock, random, gate, ...this.#wires() });
    clients.set(shadowName, client);
    if (this.#ending !== undefined) client.end(this.#ending);
    return client;
  }

  ready(): void {
    for (const client of this.#clients?.values() ?? []) client.deviceReady();
  }

  end(): void {
    this.#ending ??= new ThinglineError("CLOSED", "the device was closed");
    for (const client of this.#clients?.values() ?? []) client.end(this.#ending);
  }

  #wires(): Pick<ShadowPort, "publish" | "subscribe" | "report" | "silenceHint"> {
    const port = this.#port;
    const { answerBytesMax } = port;
    return {
      ...(answerBytesMax !== undefined && {
        silenceHint:
          `; an answer of more than ${answerBytesMax} bytes does not come at all: the TLS of this device takes no larger record, so the ` +
          "cloud was told to send none. A smaller document, or several named shadows, help",
      }),
      publish: (topic, payload, signal) => port.publish(topic, payload, { qos: 1, ...(signal && { signal }) }),
      subscribe: async (filters, listener, ended) => {
        const subscription = await port.subscribe(filters, listener);
        subscription.whenEnded(ended);
      },
      report: (error) => {
        if (!isThinglineError(error, "CLOSED")) port.report(error);
      },
    };
  }
}
