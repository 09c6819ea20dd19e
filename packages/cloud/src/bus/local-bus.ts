import { topicMatches } from "@thingline/protocol/mqtt";
import type { Bus, BusControl, BusMessage, BusPort, BusReceiver } from "./bus.js";

class LocalPort implements BusPort {
  readonly receiver: BusReceiver;
  /** Wanted filters with how often they are wanted. */
  readonly interest = new Map<string, number>();
  private readonly ports: Set<LocalPort>;

  constructor(ports: Set<LocalPort>, receiver: BusReceiver) {
    this.ports = ports;
    this.receiver = receiver;
    ports.add(this);
  }

  get isAlone(): boolean {
    return this.ports.size <= 1;
  }

  hasInterest(topic: string): boolean {
    if (this.isAlone) return false;
    for (const port of this.ports) if (port !== this && port.wants(topic)) return true;
    return false;
  }

  publish(message: BusMessage): Promise<void> | undefined {
    const waits: Promise<void>[] = [];
    for (const port of this.ports) {
      if (port === this) continue;
      // Every broker has to know a retained message, and only its broker knows whether it holds a client.
      const isForAll = message.isRetained || message.onlyToClientId !== undefined;
      if (!isForAll && !port.wants(message.topic)) continue;
      const wait = port.receiver.onMessage(message);
      if (wait !== undefined) waits.push(wait);
    }
    if (waits.length === 0) return undefined;
    return Promise.all(waits).then(() => undefined);
  }

  control(control: BusControl): void {
    for (const port of this.ports) if (port !== this) port.receiver.onControl(control);
  }

  setInterest(filter: string, isWanted: boolean): void {
    const count = (this.interest.get(filter) ?? 0) + (isWanted ? 1 : -1);
    if (count > 0) this.interest.set(filter, count);
    else this.interest.delete(filter);
  }

  close(): void {
    this.ports.delete(this);
  }

  private wants(topic: string): boolean {
    if (this.interest.has(topic)) return true;
    for (const filter of this.interest.keys()) if (topicMatches(filter, topic, { aws: true })) return true;
    return false;
  }
}

/** Brokers of one process. With one broker on it, it costs nothing. */
export function createLocalBus(): Bus {
  const ports = new Set<LocalPort>();
  return { attach: (receiver) => new LocalPort(ports, receiver) };
}
