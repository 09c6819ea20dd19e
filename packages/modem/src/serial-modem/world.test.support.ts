import type { Connection, Dialer } from "@thingline/transport";
import type { VirtualClock } from "@thingline/transport/virtual";
import { createVirtualClock, createVirtualRandom } from "@thingline/transport/virtual";
import type { SimulatedModem, SimulatedModemOptions } from "../simulator/simulated-modem.js";
import { makeModemWorld } from "../world.test.support.js";
import type { SerialModemApplication } from "./application.js";
import { createSerialModemApplication } from "./create.js";
import type { SerialModemOptions, SerialModemPortOptions } from "./options.js";

/** A serial modem in virtual time whose line the test holds in its hand. */
export interface SerialModemWorld {
  clock: VirtualClock;
  modem: SimulatedModem;
  application: SerialModemApplication;
  port: Connection;
  /** Everything that came, as text of one byte a character; taken away by reading it. */
  take: () => string;
  /** Sends as it is, and gives what came until nothing happens any more, without time passing. */
  send: (text: string) => Promise<string>;
  /** Sends a command with its terminator, lets time pass until its final result came, and gives what came. */
  at: (command: string, options?: { limitMs?: number }) => Promise<string>;
  closedBy: () => string | undefined;
}

export type SerialModemWorldOptions = Partial<SerialModemOptions> & {
  clock?: VirtualClock;
  network?: Dialer;
  modem?: Partial<SimulatedModemOptions>;
  port?: SerialModemPortOptions;
};

const finalResult = /\r\n(?:OK|ERROR|\+CM[ES] ERROR: [0-9]+)\r\n/;

export async function makeSerialModemWorld({
  clock = createVirtualClock(),
  network,
  modem: modemOptions = {},
  port: portOptions = {},
  ...options
}: SerialModemWorldOptions = {}): Promise<SerialModemWorld> {
  const dialer = network === undefined ? {} : { network };
  const { modem } = await makeModemWorld({ ...modemOptions, ...dialer, clock });
  const application = await createSerialModemApplication(modem, { clock, random: createVirtualRandom(2), ...options });
  const port = application.openPort(portOptions);
  let received = "";
  let end: { code: string } | undefined;
  port.start({
    data: (bytes) => (received += String.fromCharCode(...bytes)),
    closed: (error) => (end = { code: error?.code ?? "closed" }),
  });
  await clock.settle();
  received = received.replace(/^Ready\r\n/, "");
  const take = (): string => {
    const taken = received;
    received = "";
    return taken;
  };
  const write = (text: string): void => {
    port.write(Uint8Array.from(text, (character) => character.charCodeAt(0)));
    port.flush();
  };
  const terminator = { CR: "\r", LF: "\n", "CR+LF": "\r\n", NUL: "\0" }[
    options.terminator ?? (application.dialect === "serialModem" ? "CR" : "CR+LF")
  ];
  return {
    clock,
    modem,
    application,
    port,
    take,
    send: async (text) => {
      write(text);
      await clock.settle();
      return take();
    },
    at: async (command, { limitMs = 60_000 } = {}) => {
      write(`${command}${terminator}`);
      await clock.settle();
      for (let passedMs = 0; !finalResult.test(received) && passedMs < limitMs; passedMs += 10) await clock.advance(10);
      return take();
    },
    closedBy: () => end?.code,
  };
}
