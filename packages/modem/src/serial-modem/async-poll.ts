import type { SerialModemServices } from "./feature.js";
import { pollBits } from "./poll-bits.js";
import type { ModemSocket } from "./socket.js";
import type { SocketTable } from "./socket-table.js";

const alwaysTold = pollBits.error | pollBits.hangUp | pollBits.invalid;

interface Watch {
  /** What the host asked for, of data and room. */
  requested: number;
  /** What is told when it holds: told once, then again after a command has received or sent. */
  armed: number;
  /** Its end was told: nothing more is. */
  isOver: boolean;
}

/** `#XAPOLL`: URCs for sockets on which something can be done. */
export class AsyncPoll {
  readonly #services: SerialModemServices;
  readonly #table: SocketTable;
  readonly #watches = new Map<ModemSocket, Watch>();
  /** For sockets to come; undefined: they are not watched. */
  #forNew: number | undefined;

  constructor(services: SerialModemServices, table: SocketTable) {
    this.#services = services;
    this.#table = table;
  }

  get isRunning(): boolean {
    return this.#forNew !== undefined || this.#watches.size > 0;
  }

  /** What is asked for of sockets to come. */
  get eventsForNew(): number | undefined {
    return this.#forNew;
  }

  eventsOf(socket: ModemSocket): number | undefined {
    return this.#watches.get(socket)?.requested;
  }

  startAll(events: number): void {
    this.#forNew = events;
    for (const socket of this.#table.all) this.start(socket, events);
  }

  stopAll(): void {
    this.#forNew = undefined;
    this.#watches.clear();
  }

  start(socket: ModemSocket, events: number): void {
    this.#watches.set(socket, { requested: events, armed: events | alwaysTold, isOver: false });
  }

  stop(socket: ModemSocket): void {
    this.#watches.delete(socket);
  }

  opened(socket: ModemSocket): void {
    if (this.#forNew !== undefined) this.start(socket, this.#forNew);
  }

  /** A command has received or sent: that there is more, or room again, is told once more. */
  rearm(socket: ModemSocket, bit: typeof pollBits.in | typeof pollBits.out): void {
    const watch = this.#watches.get(socket);
    if (watch?.isOver === false) watch.armed |= watch.requested & bit;
  }

  /** Tells what holds and was not told yet, when the line is free for it. */
  tell(): void {
    if (!this.#services.isLineFree) return;
    for (const [socket, watch] of [...this.#watches]) {
      const bits = socket.poll() & watch.armed;
      if (bits === 0) continue;
      watch.isOver = (bits & alwaysTold) !== 0;
      watch.armed = watch.isOver ? 0 : watch.armed & ~bits;
      this.#services.notify(`#XAPOLL: ${socket.handle},${bits}`);
    }
  }
}
