import { socketsMax } from "../simulator/sockets.js";
import type { SerialModemServices } from "./feature.js";
import { ModemSocket, type SocketKind } from "./socket.js";

/** Numbers of sockets, given out again when they are free, the lowest first. */
export class HandlePool {
  readonly #taken = new Set<number>();

  take(): number | undefined {
    for (let handle = 0; handle < socketsMax; handle++) {
      if (this.#taken.has(handle)) continue;
      this.#taken.add(handle);
      return handle;
    }
    return undefined;
  }

  give(handle: number): void {
    this.#taken.delete(handle);
  }
}

/** The sockets that commands open, and the one that commands without a handle mean. */
export class SocketTable {
  readonly #services: SerialModemServices;
  readonly #handles: HandlePool;
  readonly #sockets = new Map<number, ModemSocket>();
  readonly #rankings = new Map<ModemSocket, number>();
  readonly #listeners = new Set<(socket: ModemSocket) => void>();
  readonly #closeListeners = new Set<(socket: ModemSocket) => void>();
  readonly #lossListeners = new Set<() => void>();
  #ranking = 0;
  #active: ModemSocket | undefined;

  constructor(services: SerialModemServices, handles: HandlePool) {
    this.#services = services;
    this.#handles = handles;
  }

  /** The one that was opened or selected last. */
  get active(): ModemSocket | undefined {
    return this.#active;
  }

  /** By their handles. */
  get all(): ModemSocket[] {
    return [...this.#sockets.values()].sort((one, other) => one.handle - other.handle);
  }

  get(handle: number | undefined): ModemSocket | undefined {
    return handle === undefined ? undefined : this.#sockets.get(handle);
  }

  /** How late it was opened: the highest is chosen when the active one is closed. */
  rankingOf(socket: ModemSocket): number {
    return this.#rankings.get(socket) ?? 0;
  }

  /** Calls back when bytes came, or a connection began or ended. @returns what ends the subscription. */
  onChange(listener: (socket: ModemSocket) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Calls back before a command closes a socket. @returns what ends the subscription. */
  onClose(listener: (socket: ModemSocket) => void): () => void {
    this.#closeListeners.add(listener);
    return () => this.#closeListeners.delete(listener);
  }

  /** Calls back when all sockets are gone, however many there were. @returns what ends the subscription. */
  onLoss(listener: () => void): () => void {
    this.#lossListeners.add(listener);
    return () => this.#lossListeners.delete(listener);
  }

  /** @returns undefined when all are in use. */
  open(kind: SocketKind): ModemSocket | undefined {
    const handle = this.#handles.take();
    if (handle === undefined) return undefined;
    const socket = new ModemSocket(handle, kind, this.#services.clock, (changed) => this.#changed(changed));
    this.#sockets.set(handle, socket);
    this.#rankings.set(socket, ++this.#ranking);
    this.#active = socket;
    return socket;
  }

  /** A number for the connection that a socket of SLM has accepted, in place of the one before. */
  namePeer(socket: ModemSocket): number | undefined {
    if (socket.peerHandle !== undefined) this.#handles.give(socket.peerHandle);
    socket.peerHandle = this.#handles.take();
    return socket.peerHandle;
  }

  select(socket: ModemSocket): void {
    this.#active = socket;
  }

  close(socket: ModemSocket): void {
    for (const listener of [...this.#closeListeners]) listener(socket);
    this.#forget(socket);
    socket.close();
  }

  /** All are gone, as when the modem restarts. */
  destroyAll(): void {
    for (const socket of this.all) {
      this.#forget(socket);
      socket.destroy();
      this.#changed(socket);
    }
    for (const listener of [...this.#lossListeners]) listener();
  }

  /** Connects by way of the modem, with what the socket was told. */
  connect(socket: ModemSocket, host: string, port: number): Promise<number> {
    const { family, secTag } = socket.kind;
    const { hostName, isSessionCached } = socket;
    const target = { host, port, secTag, serverName: hostName, isResumable: isSessionCached } as const;
    return socket.connect((signal) => this.#services.dial({ ...target, family: family === 1 ? 4 : 6 }, { signal }));
  }

  #forget(socket: ModemSocket): void {
    this.#sockets.delete(socket.handle);
    this.#rankings.delete(socket);
    this.#handles.give(socket.handle);
    if (socket.peerHandle !== undefined) this.#handles.give(socket.peerHandle);
    if (this.#active !== socket) return;
    const ranked = [...this.#rankings].sort(([, one], [, other]) => other - one);
    this.#active = ranked[0]?.[0];
  }

  #changed(socket: ModemSocket): void {
    for (const listener of [...this.#listeners]) listener(socket);
  }
}
