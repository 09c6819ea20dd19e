import type { AtParameter } from "@thingline/protocol/at";
import { integerAt, isAbsentAt, stringAt } from "@thingline/protocol/at";
import { oneOf, optional, text } from "../simulator/commands/parameter-rules.js";
import { failed, ok, type SerialModemCommand, type SerialModemReply } from "./command.js";
import { errnos } from "./errno.js";
import type { SerialModemFeatureParts, SerialModemServices } from "./feature.js";
import { ModemSocket } from "./socket.js";
import { bytesAt, host, port, secTag } from "./socket-rules.js";
import type { HandlePool } from "./socket-table.js";

const dialects = ["slm-1.x", "slm-2.x"] as const;

/** `#XTCPCLI`: one TCP or TLS client that hands over what comes by itself. */
export class TcpClient implements SerialModemFeatureParts {
  readonly commands: readonly SerialModemCommand[];
  readonly #services: SerialModemServices;
  readonly #handles: HandlePool;
  #socket: ModemSocket | undefined;

  constructor(services: SerialModemServices, handles: HandlePool) {
    this.#services = services;
    this.#handles = handles;
    this.commands = [this.#clientCommand(), this.#sendCommand()];
  }

  lineChanged(): void {
    const socket = this.#socket;
    if (socket === undefined) return;
    const { traits, isInDataMode } = this.#services;
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

  /** The peer ended the connection, or it broke. */
  #lost(socket: ModemSocket): void {
    this.#forget();
    socket.close();
    this.#services.leaveDataMode(-errnos.ECONNRESET);
    this.#services.notify(`#XTCPCLI: ${-errnos.ECONNRESET},"disconnected"`);
  }

  #forget(): ModemSocket | undefined {
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket !== undefined) this.#handles.give(socket.handle);
    return socket;
  }

  #clientCommand(): SerialModemCommand {
    return {
      name: "#XTCPCLI",
      dialects,
      forms: {
        set: [
          { rules: [oneOf(0)], handle: () => this.#disconnect() },
          {
            rules: [oneOf(1, 2), host, port, optional(secTag), optional(oneOf(0, 1, 2)), optional(oneOf(0, 1))],
            handle: (parameters) => this.#connect(parameters),
          },
        ],
        read: () =>
          this.#socket === undefined ? ok() : ok(`#XTCPCLI: ${this.#socket.handle},${this.#socket.kind.family}`),
        test: () => ok("#XTCPCLI: (0,1,2),<url>,<port>,<sec_tag>"),
      },
    };
  }

  #disconnect(): SerialModemReply {
    const socket = this.#forget();
    if (socket === undefined) return failed();
    socket.close();
    return ok('#XTCPCLI: 0,"disconnected"');
  }

  async #connect(parameters: readonly AtParameter[]): Promise<SerialModemReply> {
    if (this.#socket !== undefined) return failed();
    const handle = this.#handles.take();
    if (handle === undefined) return failed();
    const { clock } = this.#services;
    const tag = isAbsentAt(parameters, 3) ? undefined : integerAt(parameters, 3);
    const family = integerAt(parameters, 0) === 2 ? 2 : 1;
    const kind = { family, cid: 0, secTag: tag, peerVerify: 2 } as const;
    const socket = new ModemSocket(handle, kind, clock, () => this.lineChanged());
    this.#socket = socket;
    const target = { host: stringAt(parameters, 1) ?? "", port: integerAt(parameters, 2) ?? 0, secTag: tag } as const;
    const errno = await socket.connect((signal) => {
      return this.#services.dial({ ...target, family: family === 1 ? 4 : 6 }, { signal });
    });
    if (errno === 0) return ok(`#XTCPCLI: ${handle},"connected"`);
    if (this.#socket === socket) this.#forget();
    return failed(`#XTCPCLI: ${errno},"not connected"`);
  }

  #sendCommand(): SerialModemCommand {
    const send = async (bytes: Uint8Array): Promise<number> => (await this.#socket?.send(bytes)) ?? -errnos.EBADF;
    return {
      name: "#XTCPSEND",
      dialects,
      forms: {
        execute: () => (this.#socket === undefined ? failed() : { type: "dataMode", information: [], mode: { send } }),
        set: {
          rules: [text()],
          handle: async (parameters) => {
            const bytes = bytesAt(parameters, 0);
            if (bytes.length > (this.#services.traits.sentTextBytesMax ?? bytes.length)) return failed();
            const sent = await send(bytes);
            const line = `#XTCPSEND: ${Math.max(0, sent)}`;
            return sent === bytes.length ? ok(line) : failed(line);
          },
        },
      },
    };
  }
}
