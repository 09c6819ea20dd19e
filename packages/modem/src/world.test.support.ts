import type { Dialer } from "@thingline/transport";
import { createNodeKeys } from "@thingline/transport/node";
import type { VirtualClock } from "@thingline/transport/virtual";
import { createVirtualClock, createVirtualRandom } from "@thingline/transport/virtual";
import type { ModemSession } from "./session.js";
import { openModemSession } from "./session.js";
import { createSimulatedModem } from "./simulator/modem.js";
import type { SimulatedModem, SimulatedModemOptions } from "./simulator/simulated-modem.js";

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

export type ModemWorldOptions = Partial<Omit<SimulatedModemOptions, "clock">> & { clock?: VirtualClock };

export async function makeModemWorld({
  clock = createVirtualClock(),
  ...options
}: ModemWorldOptions = {}): Promise<ModemWorld> {
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
    at: async (command) => {
      const answer = modem.at(command);
      let isSettled = false;
      const settled = (): void => void (isSettled = true);
      answer.then(settled, settled);
      // No timer fires for a command that takes no time.
      await clock.settle();
      return isSettled ? answer : clock.until(answer);
    },
    openSession: () => openModemSession(modem.openPort(), { clock }),
  };
}
