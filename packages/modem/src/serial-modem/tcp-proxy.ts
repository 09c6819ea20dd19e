import type { AtParameter } from "@thingline/protocol/at";
import { integerAt, isAbsentAt, stringAt } from "@thingline/protocol/at";
import { oneOf, optional } from "../simulator/commands/parameter-rules.js";
import { failed, ok, type SerialModemCommand, type SerialModemReply } from "./command.js";
import { errnos } from "./errno.js";
import type { SerialModemFeatureParts, SerialModemServices } from "./feature.js";
import { isOnline } from "./online.js";
import { addressOf } from "./server-socket.js";
import { ModemSocket } from "./socket.js";
import { host, port, secTag, textSendForm } from "./socket-rules.js";
import type { HandlePool } from "./socket-table.js";

const dialects = ["slm-1.x", "slm-2.x"] as const;
/** What `#XTCPSVR?` shows while nobody has called. */
const nobody = -1;

/** `#XTCPCLI` and `#XTCPSVR`: one TCP client or server that hands over what comes by itself. */
export class TcpProxy implements SerialModemFeatureParts {
  readonly commands: readonly SerialModemCommand[];
  readonly #services: SerialModemServices;
  readonly #handles: HandlePool;
  /** Connected, or listening for the one that it serves. */
  #socket: ModemSocket | undefined;
  #isTellingEnd = false;

  constructor(services: SerialModemServices, handles: HandlePool) {
    this.#services = services;
    this.#handles = handles;
    this.commands = [this.#clientCommand(), this.#serverCommand(), this.#sendCommand()];
  }

  lineChanged(): void {
    const socket = this.#socket;
    if (socket === undefined) return;
    const { traits, isInDataMode } = this.#services;
    this.#acceptCaller(socket);
    while (socket.receivedBytes > 0 && this.#services.hasLineRoom) {
      if (!isInDataMode && !this.#services.isLineFree) return;
      const data = socket.takeReceived(traits.receivedBytesMax);
      if (isInDataMode) this.#services.sendRaw(data);
      else this.#services.notify({ head: `#XTCPDATA: ${data.length}`, data });
    }
    if (socket.isOver && socket.receivedBytes === 0 && (isInDataMode || this.#services.isLineFree)) this.#lost(socket);
  }

  modemLost(): void {
    this.#forget()?.destroy();
  }

  stop(): void {
    this.#forget()?.destroy();
  }

  /** A server serves one at a time; others wait until that one has gone. */
  #acceptCaller(socket: ModemSocket): void {
    if (socket.isConnected || socket.isOver || !this.#services.isLineFree) return;
    const connection = socket.server?.accept();
    if (connection === undefined) return;
    socket.peerHandle = this.#handles.take();
    this.#services.notify(`#XTCPSVR: "${addressOf(connection)}","connected"`);
    socket.adopt(connection);
  }

  /** The peer ended the connection, or it broke. What is told of it makes the line change, which is not to be told again. */
  #lost(socket: ModemSocket): void {
    if (this.#isTellingEnd) return;
    this.#isTellingEnd = true;
    const isServer = socket.server !== undefined;
    this.#services.leaveDataMode(-errnos.ECONNRESET);
    this.#services.notify(`${isServer ? "#XTCPSVR" : "#XTCPCLI"}: ${-errnos.ECONNRESET},"disconnected"`);
    this.#isTellingEnd = false;
    if (!isServer) {
      this.#forget()?.close();
      return;
    }
    this.#freePeer(socket);
    socket.release();
    // The next one may wait already.
    this.lineChanged();
  }

  #forget(): ModemSocket | undefined {
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket === undefined) return undefined;
    this.#freePeer(socket);
    this.#handles.give(socket.handle);
    return socket;
  }

  #freePeer(socket: ModemSocket): void {
    if (socket.peerHandle !== undefined) this.#handles.give(socket.peerHandle);
    socket.peerHandle = undefined;
  }

  #open(role: 0 | 1, family: 1 | 2, tag: number | undefined): ModemSocket | undefined {
    const handle = this.#socket === undefined ? this.#handles.take() : undefined;
    if (handle === undefined) return undefined;
    const kind = { family, role, cid: 0, secTag: tag, peerVerify: 2 } as const;
    this.#socket = new ModemSocket(handle, kind, this.#services.clock, () => this.lineChanged());
    return this.#socket;
  }

  #clientCommand(): SerialModemCommand {
    return {
      name: "#XTCPCLI",
      dialects,
      forms: {
        set: [
          { rules: [oneOf(0)], handle: () => this.#end(0) },
          {
            rules: [oneOf(1, 2), host, port, optional(secTag), optional(oneOf(0, 1, 2)), optional(oneOf(0, 1))],
            handle: (parameters) => this.#connect(parameters),
          },
        ],
        read: () => {
          const socket = this.#socketOf(0);
          return socket === undefined ? ok() : ok(`#XTCPCLI: ${socket.handle},${socket.kind.family}`);
        },
        test: () => ok("#XTCPCLI: (0,1,2),<url>,<port>,<sec_tag>"),
      },
    };
  }

  #socketOf(role: 0 | 1): ModemSocket | undefined {
    return this.#socket?.kind.role === role ? this.#socket : undefined;
  }

  #end(role: 0 | 1): SerialModemReply {
    if (this.#socketOf(role) === undefined) return failed();
    this.#forget()?.close();
    return ok(role === 0 ? '#XTCPCLI: 0,"disconnected"' : '#XTCPSVR: 0,"stopped"');
  }

  async #connect(parameters: readonly AtParameter[]): Promise<SerialModemReply> {
    const tag = isAbsentAt(parameters, 3) ? undefined : integerAt(parameters, 3);
    const family = integerAt(parameters, 0) === 2 ? 2 : 1;
    const socket = this.#open(0, family, tag);
    if (socket === undefined) return failed();
    const target = { host: stringAt(parameters, 1) ?? "", port: integerAt(parameters, 2) ?? 0, secTag: tag } as const;
    const errno = await socket.connect((signal) => {
      return this.#services.dial({ ...target, family: family === 1 ? 4 : 6 }, { signal });
    });
    if (errno === 0) return ok(`#XTCPCLI: ${socket.handle},"connected"`);
    if (this.#socket === socket) this.#forget();
    return failed(`#XTCPCLI: ${errno},"not connected"`);
  }

  #serverCommand(): SerialModemCommand {
    return {
      name: "#XTCPSVR",
      dialects,
      forms: {
        set: [
          { rules: [oneOf(0)], handle: () => this.#end(1) },
          { rules: [oneOf(1, 2), port], handle: (parameters) => this.#listen(parameters) },
          { rules: [oneOf(1, 2), port, secTag], handle: () => this.#services.refuse("TLS servers (AT#XTCPSVR)") },
        ],
        read: () => {
          const socket = this.#socketOf(1);
          if (socket === undefined) return ok();
          return ok(`#XTCPSVR: ${socket.handle},${socket.peerHandle ?? nobody},${socket.kind.family}`);
        },
        test: () => ok("#XTCPSVR: (0,1,2),<port>,<sec_tag>"),
      },
    };
  }

  async #listen(parameters: readonly AtParameter[]): Promise<SerialModemReply> {
    const { listen } = this.#services.options;
    if (listen === undefined) return this.#services.refuse("TCP servers (AT#XTCPSVR)");
    if (!(await isOnline(this.#services))) return failed(`#XTCPSVR: ${-errnos.ENETDOWN},"not started"`);
    const socket = this.#open(1, integerAt(parameters, 0) === 2 ? 2 : 1, undefined);
    if (socket === undefined) return failed();
    socket.localPort = integerAt(parameters, 1) ?? 0;
    const errno = await socket.listen({ listen });
    if (errno === 0) return ok(`#XTCPSVR: ${socket.handle},"started"`);
    if (this.#socket === socket) this.#forget();
    return failed(`#XTCPSVR: ${errno},"not started"`);
  }

  #sendCommand(): SerialModemCommand {
    const send = async (bytes: Uint8Array): Promise<number> => (await this.#socket?.send(bytes)) ?? -errnos.EBADF;
    return {
      name: "#XTCPSEND",
      dialects,
      forms: {
        execute: () => (this.#socket === undefined ? failed() : { type: "dataMode", information: [], mode: { send } }),
        set: textSendForm(this.#services, "#XTCPSEND", send),
      },
    };
  }
}
