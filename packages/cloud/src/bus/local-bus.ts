import { ThinglineError } from "@thingline/protocol";
import type { Bus, BusControl, BusMessage, BusPort, BusReceiver } from "./bus.js";
import { isForAll, wants } from "./interest.js";

class LocalPort implements BusPort {
  readonly receiver: BusReceiver;
  readonly name: string | undefined;
  readonly interest = new Set<string>();
  isClosed = false;
  isSilenced = false;
  /** How often it said that it wants something. */
  wishes = 0;
  private readonly ports: Set<LocalPort>;

  constructor(ports: Set<LocalPort>, receiver: BusReceiver, name: string | undefined) {
    this.ports = ports;
    this.receiver = receiver;
    this.name = name;
    ports.add(this);
  }

  get isAlone(): boolean {
    return this.ports.size <= 1;
  }

  hasInterest(topic: string): boolean {
    if (this.isAlone) return false;
    for (const port of this.ports) if (port !== this && wants(port.interest, topic)) return true;
    return false;
  }

  publish(message: BusMessage): Promise<void> | undefined {
    const toAll = isForAll(message);
    /** Who was asked, and how much each had wished for by then. */
    const asked = new Map<LocalPort, number>();
    const ask = () =>
      this.toOthers((port) => {
        if (asked.get(port) === port.wishes || (!toAll && !wants(port.interest, message.topic))) return undefined;
        asked.set(port, port.wishes);
        return port.isClosed ? Promise.reject(noAnswer(port.name)) : port.receiver.onMessage(message);
      });
    const first = ask();
    return first && untilNoneIsLeft(first, ask);
  }

  control(control: BusControl): Promise<void> | undefined {
    return this.toOthers((port) => {
      if (port.isSilenced) return undefined;
      return port.isClosed ? Promise.reject(noAnswer(port.name)) : port.receiver.onControl(control);
    });
  }

  private toOthers(send: (port: LocalPort) => Promise<void> | undefined): Promise<void> | undefined {
    if (this.isClosed) return Promise.reject(new ThinglineError("CLOSED", "the bus was used after close()"));
    const waits: Promise<void>[] = [];
    for (const port of this.ports) {
      if (port === this) continue;
      const wait = send(port);
      if (wait !== undefined) waits.push(wait);
    }
    if (waits.length === 0) return undefined;
    return Promise.all(waits).then(() => undefined);
  }

  setInterest(filter: string, isWanted: boolean): undefined {
    if (isWanted) {
      this.interest.add(filter);
      this.wishes++;
    } else this.interest.delete(filter);
  }

  knows(name: string): boolean {
    for (const port of this.ports) if (port.name === name) return !port.isClosed;
    return false;
  }

  silence(name: string): void {
    for (const port of this.ports) if (port.name === name) port.isSilenced = true;
  }

  forget(name: string): void {
    for (const port of this.ports) {
      if (port.name !== name) continue;
      // It may still be there, and not know that it is over: from here on it reaches nobody.
      port.isClosed = true;
      this.ports.delete(port);
    }
  }

  close(): void {
    this.isClosed = true;
    if (this.name === undefined) this.ports.delete(this);
  }
}

async function untilNoneIsLeft(first: Promise<void>, ask: () => Promise<void> | undefined): Promise<void> {
  for (let sent: Promise<void> | undefined = first; sent !== undefined; sent = ask()) await sent;
}

/** Nobody will answer in the place of a port that is closed: there is no time to wait for. */
const noAnswer = (name: string | undefined) =>
  new ThinglineError("TIMEOUT", `the broker ${name} has left, and nobody has its sessions yet`);

/** Brokers of one process. With one broker on it, it costs nothing. */
export function createLocalBus(): Bus {
  const ports = new Set<LocalPort>();
  return { attach: (receiver, name) => new LocalPort(ports, receiver, name) };
}
