import type { Dialer } from "@thingline/transport";
import { createNodeKeys } from "@thingline/transport/node";
import type { VirtualClock } from "@thingline/transport/virtual";
import { createVirtualClock, createVirtualRandom } from "@thingline/transport/virtual";
import type { ModemSession } from "./session.js";
import { openModemSession } from "./session.js";
import type { SimulatedModem, SimulatedModemOptions } from "./simulator/modem.js";
import { createSimulatedModem } from "./simulator/modem.js";

/** A simulated modem in virtual time, for tests. */
export interface ModemWorld {
  clock: VirtualClock;
  modem: SimulatedModem;
  /** URCs so far. */
  notifications: string[];
  /** Sends one command and answers the exact response; time passes as needed. */
  at: (command: string) => Promise<string>;
  openSession: () => ModemSession;
}

const noNetwork: Dialer = { dial: () => Promise.reject(new Error("nobody dials in this test")) };

export async function makeModemWorld(options: Partial<SimulatedModemOptions> = {}): Promise<ModemWorld> {
  const clock = createVirtualClock();
  const modem = await createSimulatedModem({
    network: noNetwork,
    clock,
    random: createVirtualRandom(1),
    keys: createNodeKeys(),
    ...options,
  });
  const notifications: string[] = [];
  modem.onNotification((line) => notifications.push(line));
  return {
    clock,
    modem,
    notifications,
    at: (command) => clock.until(modem.at(command)),
    openSession: () => openModemSession(modem.openPort(), { clock }),
  };
}
