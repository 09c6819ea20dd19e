import { ThinglineError } from "@thingline/protocol";
import { type Connection, createConnectionPair, type Dialer } from "@thingline/transport";
import { createNodeKeys } from "@thingline/transport/node";
import {
  createVirtualClock,
  createVirtualFiles,
  createVirtualRandom,
  type VirtualClock,
  type VirtualFiles,
} from "@thingline/transport/virtual";
import { openModemSession, type ModemSession } from "../session.js";
import { createSimulatedModem, type SimulatedModem, type SimulatedModemOptions } from "../simulator/modem.js";

const noNetwork: Dialer = { dial: () => Promise.reject(new Error("nobody dials in this test")) };
/** Of the system: thousands of digests are made, and none of them waits for anything. */
export const testKeys = createNodeKeys();

/** What happens to one chunk that goes over the line. */
export type ChunkFault =
  /** The plug is pulled before it. */
  | "unplug"
  /** Half of it goes over, then the plug is pulled. */
  | "halfThenUnplug"
  /** It is lost. */
  | "lose"
  /** Bytes in its midst become others. */
  | "garble"
  /** It is lost, and all after it: the line is silent from then on. */
  | "mute"
  /** The modem's power goes away before it. */
  | "cutPower";

/** A simulated modem on its disk, a host, and a line between them that can be disturbed. */
export interface WritingWorld {
  clock: VirtualClock;
  files: VirtualFiles;
  modem: SimulatedModem;
  session: ModemSession;
  /** How many chunks went over so far, in both directions. */
  chunks: () => number;
}

export interface WritingWorldOptions {
  files?: VirtualFiles;
  clock?: VirtualClock;
  /** Disturbs the chunk of this number; the first is 1. */
  fault?: { chunk: number; kind: ChunkFault } | undefined;
  /** What the line makes of what goes to the modem. */
  alters?: (text: string) => string;
  /** A modem that runs already: another port of it is opened. */
  runningModem?: SimulatedModem | undefined;
  modem?: Partial<SimulatedModemOptions>;
}

export async function openWritingWorld(options: WritingWorldOptions = {}): Promise<WritingWorld> {
  const { clock = createVirtualClock(), files = createVirtualFiles(), fault } = options;
  const modem =
    options.runningModem ??
    (await createSimulatedModem({
      network: noNetwork,
      clock,
      random: createVirtualRandom(1),
      keys: testKeys,
      files,
      folder: "modem",
      ...options.modem,
    }));
  const port = modem.openPort();
  const altered = (bytes: Uint8Array) =>
    options.alters === undefined ? bytes : new TextEncoder().encode(options.alters(new TextDecoder().decode(bytes)));
  const { near, far } = createConnectionPair({ clock });
  let chunks = 0;
  const unplug = () => {
    far.destroy(new ThinglineError("SERIAL_PORT_UNPLUGGED", "the plug was pulled"));
    port.destroy();
  };
  const pass = (to: Connection) => (came: Uint8Array) => {
    const bytes = to === port ? altered(came) : came;
    chunks++;
    if (fault?.kind === "mute" && chunks >= fault.chunk) return;
    if (fault?.chunk !== chunks) return void (to.write(bytes.slice()), to.flush());
    switch (fault.kind) {
      case "unplug":
        return unplug();
      case "halfThenUnplug":
        to.write(bytes.slice(0, bytes.length >> 1));
        to.flush();
        return unplug();
      case "lose":
      case "mute":
        return;
      case "garble":
        to.write(garbled(bytes));
        return to.flush();
      case "cutPower":
        return modem.cutPower();
    }
  };
  port.start({ data: pass(far), closed: () => far.destroy() });
  far.start({ data: pass(port), closed: () => port.destroy() });
  const session = openModemSession(near, { clock });
  return { clock, files, modem, session, chunks: () => chunks };
}

/** Two bytes in the midst become letters that they were not. */
function garbled(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  const middle = copy.length >> 1;
  for (const at of [middle, middle + 1]) {
    if (at < copy.length) copy[at] = copy[at] === 0x5a ? 0x59 : 0x5a;
  }
  return copy;
}

/** What a modem has under a tag, as it lies on its disk: type and digest. */
export async function storedIn(modem: SimulatedModem, clock: VirtualClock, secTag: number): Promise<string[]> {
  const answer = await clock.until(modem.at(`AT%CMNG=1,${secTag}`));
  return answer.split("\r\n").filter((line) => line.startsWith("%CMNG"));
}
