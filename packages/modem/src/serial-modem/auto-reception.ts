import { endedByLine, writtenAs } from "./answer.js";
import type { InformationWithData } from "./command.js";
import { errnos } from "./errno.js";
import type { SerialModemServices } from "./feature.js";
import type { ModemSocket } from "./socket.js";
import type { SocketTable } from "./socket-table.js";

/** When a socket's data goes to the host without being asked for. */
export interface ReceiveConfiguration {
  /** 1 in command mode, 2 in data mode. */
  flags: number;
  isHex: boolean;
}

const receptionFlags = { commandMode: 1, dataMode: 2 } as const;

export interface AutoReceptionOptions {
  services: SerialModemServices;
  table: SocketTable;
}

/** The count is of the bytes, whichever way they are written. */
export function receivedInformation(
  { handle: number }: ModemSocket,
  bytes: Uint8Array,
  isHex: boolean,
): InformationWithData {
  return { head: `#XRECV: ${number},${isHex ? 1 : 0},${bytes.length}`, data: writtenAs(bytes, isHex) };
}

/** `#XRECVCFG`: what sockets receive goes to the host by itself, as fast as the line takes it. */
export class AutoReception {
  /** The one whose payload the line carries. */
  dataModeSocket: ModemSocket | undefined;
  readonly #options: AutoReceptionOptions;
  readonly #configurations = new Map<ModemSocket, ReceiveConfiguration>();
  #forNew: ReceiveConfiguration = { flags: 0, isHex: false };

  constructor(options: AutoReceptionOptions) {
    this.#options = options;
  }

  /** Those that receive by themselves, by their handles. */
  configured(): [ModemSocket, ReceiveConfiguration][] {
    return [...this.#configurations]
      .filter(([, { flags }]) => flags !== 0)
      .sort(([one], [other]) => one.handle - other.handle);
  }

  configureAll(configuration: ReceiveConfiguration): void {
    this.#forNew = configuration;
    for (const socket of this.#options.table.all) this.configure(socket, configuration);
  }

  configure(socket: ModemSocket, configuration: ReceiveConfiguration): void {
    this.#configurations.set(socket, configuration);
  }

  opened(socket: ModemSocket): void {
    this.configure(socket, this.#forNew);
  }

  stop(socket: ModemSocket): void {
    this.#configurations.delete(socket);
    if (this.dataModeSocket === socket) this.dataModeSocket = undefined;
  }

  clear(): void {
    this.#configurations.clear();
    this.#forNew = { flags: 0, isHex: false };
    this.dataModeSocket = undefined;
  }

  /** Sends what has come and may be sent now. */
  pump(): void {
    const { services } = this.#options;
    if (services.isInDataMode) this.#pumpDataMode();
    else for (const [socket, configuration] of this.configured()) this.#pumpCommandMode(socket, configuration);
  }

  #pumpDataMode(): void {
    const { services } = this.#options;
    const socket = this.dataModeSocket;
    if (socket === undefined) return;
    const { flags = 0 } = this.#configurations.get(socket) ?? {};
    while ((flags & receptionFlags.dataMode) !== 0 && socket.receivedBytes > 0 && services.hasLineRoom) {
      services.sendRaw(socket.takeReceived(services.traits.receivedBytesMax));
    }
    const isDrained = (flags & receptionFlags.dataMode) === 0 || socket.receivedBytes === 0;
    if (socket.isOver && isDrained) services.leaveDataMode(-errnos.ECONNRESET);
  }

  #pumpCommandMode(socket: ModemSocket, { flags, isHex }: ReceiveConfiguration): void {
    const { services } = this.#options;
    if ((flags & receptionFlags.commandMode) === 0) return;
    while (socket.receivedBytes > 0 && services.isLineFree && services.hasLineRoom) {
      const bytes = socket.takeReceived(services.traits.receivedBytesMax);
      services.notify(endedByLine(receivedInformation(socket, bytes, isHex)));
    }
  }
}
