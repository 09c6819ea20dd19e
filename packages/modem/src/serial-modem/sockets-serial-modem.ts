import type { AtParameter } from "@thingline/protocol/at";
import { integerAt, isAbsentAt, stringAt } from "@thingline/protocol/at";
import { integer, oneOf, optional, type ParameterRule, text } from "../simulator/commands/parameter-rules.js";
import type { AsyncPoll } from "./async-poll.js";
import { type AutoReception, receivedInformation } from "./auto-reception.js";
import { failed, ok, type SerialModemCommand, type SerialModemHandler, type SerialModemReply } from "./command.js";
import { errnos } from "./errno.js";
import type { SerialModemServices } from "./feature.js";
import { isOnline } from "./online.js";
import { pollBits } from "./poll-bits.js";
import { addressOf } from "./server-socket.js";
import type { ModemSocket } from "./socket.js";
import { handlePlainOption, handleSecureOption, optionRules, textOptionRules } from "./socket-options.js";
import {
  bytesAt,
  handle,
  hexAt,
  host,
  plainSocketRules,
  port,
  protocols,
  readReceiveFlags,
  readSocketKind,
  receiveTimeoutMs,
  refusedCommand,
  secureSocketRules,
  timeoutSeconds,
} from "./socket-rules.js";
import type { SocketTable } from "./socket-table.js";

const dialects = ["serialModem"] as const;

/** How data stands in a command or an answer. */
const dataForms = { text: 0, hex: 1, dataMode: 2 } as const;
const sendFlags = { acknowledged: 512, notified: 8192 } as const;

export interface SerialModemSocketParts {
  services: SerialModemServices;
  table: SocketTable;
  poll: AsyncPoll;
  reception: AutoReception;
}

/** Commands of sockets in the Serial Modem add-on, whose first parameter is the handle. */
export function serialModemSocketCommands(parts: SerialModemSocketParts): SerialModemCommand[] {
  const { services } = parts;
  const commands: Omit<SerialModemCommand, "dialects">[] = [
    openCommand(parts, "#XSOCKET"),
    openCommand(parts, "#XSSOCKET"),
    closeCommand(parts),
    optionCommand(parts, "#XSOCKETOPT"),
    optionCommand(parts, "#XSSOCKETOPT"),
    bindCommand(parts),
    connectCommand(parts),
    listenCommand(parts),
    acceptCommand(parts),
    sendCommand(parts),
    receiveCommand(parts),
    asyncPollCommand(parts),
    receiveConfigurationCommand(parts),
  ];
  const absent: Record<string, string> = {
    "#XSENDTO": "UDP sockets",
    "#XRECVFROM": "UDP sockets",
  };
  return [
    ...commands.map((command) => ({ ...command, dialects })),
    ...Object.entries(absent).map(([name, what]) => refusedCommand(services, name, what, dialects)),
  ];
}

function openCommand(
  { services, table, poll, reception }: SerialModemSocketParts,
  name: "#XSOCKET" | "#XSSOCKET",
): SerialModemCommand {
  const isSecure = name === "#XSSOCKET";
  const show = ({ handle: number, kind }: ModemSocket): string =>
    `${name}: ${number},${kind.family},${kind.role},1,${isSecure ? `${kind.secTag},` : ""}${kind.cid}`;
  const lists = isSecure ? "(1,2),(1,2),(0,1),<sec_tag>,<peer_verify>,<cid>" : "(1,2,3),(1,2,3),(0,1),<cid>";
  return {
    name,
    forms: {
      set: {
        rules: isSecure ? secureSocketRules : [oneOf(1, 2, 3), ...plainSocketRules.slice(1)],
        handle: (parameters) => {
          if (integerAt(parameters, 0) === 3) return services.refuse("raw sockets");
          const kind = readSocketKind(services, parameters, isSecure);
          if ("type" in kind) return kind;
          const socket = table.open(kind);
          if (socket === undefined) return failed();
          poll.opened(socket);
          reception.opened(socket);
          return ok(`${name}: ${socket.handle},${isSecure ? protocols.secure : protocols.plain}`);
        },
      },
      read: () => ok(...table.all.filter(({ kind }) => (kind.secTag !== undefined) === isSecure).map(show)),
      test: () => ok(`${name}: <handle>,${lists}`),
    },
  };
}

function closeCommand({ table, poll, reception }: SerialModemSocketParts): SerialModemCommand {
  const close = (socket: ModemSocket): string => {
    poll.stop(socket);
    reception.stop(socket);
    table.close(socket);
    return `#XCLOSE: ${socket.handle},0`;
  };
  const closeAll = (): SerialModemReply => ok(...table.all.map(close));
  return {
    name: "#XCLOSE",
    forms: {
      execute: closeAll,
      set: {
        rules: [optional(handle)],
        handle: (parameters) => {
          if (isAbsentAt(parameters, 0)) return closeAll();
          const socket = table.get(integerAt(parameters, 0));
          return socket === undefined ? failed() : ok(close(socket));
        },
      },
    },
  };
}

/** A set form of a socket that is there. */
function onSocket(
  table: SocketTable,
  handleSocket: (
    socket: ModemSocket,
    parameters: readonly AtParameter[],
  ) => SerialModemReply | Promise<SerialModemReply>,
): SerialModemHandler {
  return (parameters) => {
    const socket = table.get(integerAt(parameters, 0));
    return socket === undefined ? failed() : handleSocket(socket, parameters);
  };
}

function optionCommand(
  { services, table }: SerialModemSocketParts,
  name: "#XSOCKETOPT" | "#XSSOCKETOPT",
): SerialModemCommand {
  const handleOption = name === "#XSOCKETOPT" ? handlePlainOption : handleSecureOption;
  const { dialect } = services.traits;
  const handleForm = onSocket(table, (socket, parameters) => handleOption({ socket, dialect, parameters, from: 1 }));
  const numbers = { rules: [handle, ...optionRules], handle: handleForm };
  const texts = { rules: [handle, ...textOptionRules], handle: handleForm };
  return {
    name,
    forms: {
      set: name === "#XSOCKETOPT" ? numbers : [numbers, texts],
      test: () => ok(`${name}: <handle>,(0,1),<name>,<value>`),
    },
  };
}

function bindCommand({ table }: SerialModemSocketParts): SerialModemCommand {
  const bind = onSocket(table, (socket, parameters) => {
    socket.localPort = integerAt(parameters, 1) ?? 0;
    return ok();
  });
  return { name: "#XBIND", forms: { set: { rules: [handle, integer(0, 65_535)], handle: bind } } };
}

function connectCommand({ table }: SerialModemSocketParts): SerialModemCommand {
  const connect = onSocket(table, async (socket, parameters) => {
    const errno = await table.connect(socket, stringAt(parameters, 1) ?? "", integerAt(parameters, 2) ?? 0);
    return errno === 0 ? ok(`#XCONNECT: ${socket.handle},1`) : failed();
  });
  return { name: "#XCONNECT", forms: { set: { rules: [handle, host, port], handle: connect } } };
}

/** Of a socket that is bound to a port. */
function listenCommand({ services, table }: SerialModemSocketParts): SerialModemCommand {
  const listenOn = onSocket(table, async (socket) => {
    const { listen } = services.options;
    if (listen === undefined) return services.refuse("server sockets (AT#XLISTEN)");
    if (socket.localPort === 0 || socket.kind.secTag !== undefined || !(await isOnline(services))) return failed();
    return (await socket.listen({ listen })) === 0 ? ok() : failed();
  });
  return {
    name: "#XLISTEN",
    forms: {
      set: { rules: [handle], handle: listenOn },
      read: () => {
        const listening = table.all.filter((socket) => socket.server !== undefined);
        return ok(...listening.map((socket) => `#XLISTEN: ${socket.handle},${socket.kind.cid},${socket.localPort}`));
      },
      test: () => ok("#XLISTEN: <handle>"),
    },
  };
}

/** Does not wait: a URC of `#XAPOLL` tells when somebody calls. */
function acceptCommand({ table, poll, reception }: SerialModemSocketParts): SerialModemCommand {
  const accept = onSocket(table, (listening) => {
    const connection = listening.server?.accept();
    if (connection === undefined) return failed();
    const socket = table.open({ ...listening.kind, role: 0 });
    if (socket === undefined) {
      connection.destroy();
      return failed();
    }
    poll.opened(socket);
    reception.opened(socket);
    poll.rearm(listening, pollBits.in);
    socket.adopt(connection);
    const { port: number } = connection.remote;
    return ok(`#XACCEPT: ${socket.handle},${socket.kind.cid},"${addressOf(connection)}",${number}`);
  });
  return {
    name: "#XACCEPT",
    forms: { set: { rules: [handle], handle: accept }, test: () => ok("#XACCEPT: <handle>") },
  };
}

/** `=<handle>,<mode>,<flags>[,<data>|,<data_len>]` */
function sendCommand(parts: SerialModemSocketParts): SerialModemCommand {
  const { table, poll, reception } = parts;
  const flags = oneOf(0, sendFlags.acknowledged, sendFlags.notified, sendFlags.acknowledged + sendFlags.notified);
  const sender = new Sender(parts);
  const sendText = onSocket(table, async (socket, parameters) => {
    const isHex = integerAt(parameters, 1) === dataForms.hex;
    const bytes = isHex ? hexAt(parameters, 3) : bytesAt(parameters, 3);
    if (bytes === undefined) return failed();
    const asked = integerAt(parameters, 2) ?? 0;
    const sent = await sender.send(socket, bytes, asked);
    const line = `#XSEND: ${socket.handle},${isNotified(asked) ? 1 : 0},${Math.max(0, sent)}`;
    return sent === bytes.length ? ok(line) : failed(line);
  });
  const enterDataMode = onSocket(table, (socket, parameters) => {
    const asked = integerAt(parameters, 2) ?? 0;
    reception.dataModeSocket = socket;
    return {
      type: "dataMode",
      information: [],
      mode: {
        send: (bytes) => sender.send(socket, bytes, asked),
        dataBytes: integerAt(parameters, 3),
        ended: () => {
          reception.dataModeSocket = undefined;
          poll.rearm(socket, pollBits.out);
        },
      },
    };
  });
  return {
    name: "#XSEND",
    forms: {
      set: [
        { rules: [handle, oneOf(dataForms.text, dataForms.hex), flags, text()], handle: sendText },
        {
          rules: [handle, oneOf(dataForms.dataMode), flags, optional(integer(1, 2_147_483_647))],
          handle: enterDataMode,
        },
      ],
    },
  };
}

const isNotified = (flags: number): boolean => (flags & sendFlags.notified) !== 0;

/** Sends, and tells when the network has it where that was asked for. */
class Sender {
  readonly #parts: SerialModemSocketParts;
  /** Their last send was not acknowledged yet: they take no more until it was. */
  readonly #unacknowledged = new Set<ModemSocket>();

  constructor(parts: SerialModemSocketParts) {
    this.#parts = parts;
  }

  async send(socket: ModemSocket, bytes: Uint8Array, flags: number): Promise<number> {
    if (this.#unacknowledged.has(socket)) return -errnos.EAGAIN;
    const sent = await socket.send(bytes, { isAcknowledged: (flags & sendFlags.acknowledged) !== 0 });
    if (isNotified(flags) && sent > 0) void this.#notifyLater(socket, sent);
    else this.#parts.poll.rearm(socket, pollBits.out);
    return sent;
  }

  async #notifyLater(socket: ModemSocket, sentBytes: number): Promise<void> {
    this.#unacknowledged.add(socket);
    const result = await socket.send(new Uint8Array(), { isAcknowledged: true });
    this.#unacknowledged.delete(socket);
    const { table, poll, services } = this.#parts;
    // Closed meanwhile: nobody asks any more.
    if (table.get(socket.handle) !== socket) return;
    poll.rearm(socket, pollBits.out);
    services.notify(`#XSENDNTF: ${socket.handle},${result < 0 ? -1 : 0},${sentBytes}`);
  }
}

/** `=<handle>,<mode>,<flags>,<timeout>[,<data_len>]` */
function receiveCommand({ services, table, poll }: SerialModemSocketParts): SerialModemCommand {
  const bytesMax = services.traits.receivedBytesMax;
  const receive = onSocket(table, async (socket, parameters) => {
    const flags = readReceiveFlags(integerAt(parameters, 2) ?? 0);
    if (flags === undefined) return failed();
    socket.receiveTimeoutSeconds = integerAt(parameters, 3) ?? 0;
    const timeoutMs = receiveTimeoutMs(socket.receiveTimeoutSeconds, flags);
    const data = await socket.receive({ bytesMax: integerAt(parameters, 4) ?? bytesMax, timeoutMs, ...flags });
    if (typeof data === "number") return failed();
    poll.rearm(socket, pollBits.in);
    // The peer has ended its stream.
    return data.length === 0 ? ok() : ok(receivedInformation(socket, data, integerAt(parameters, 1) === dataForms.hex));
  });
  const rules: ParameterRule[] = [
    handle,
    oneOf(dataForms.text, dataForms.hex),
    integer(0, 65_535),
    timeoutSeconds,
    optional(integer(1, bytesMax)),
  ];
  return { name: "#XRECV", forms: { set: { rules, handle: receive } } };
}

/** `=[<handle>],<op>[,<events>]` */
function asyncPollCommand({ table, poll }: SerialModemSocketParts): SerialModemCommand {
  return {
    name: "#XAPOLL",
    forms: {
      set: {
        rules: [optional(handle), oneOf(0, 1), optional(oneOf(0, 1, 4, 5))],
        handle: (parameters) => {
          const [isStart, events] = [integerAt(parameters, 1) === 1, integerAt(parameters, 2) ?? 0];
          if (isAbsentAt(parameters, 0)) {
            if (isStart) poll.startAll(events);
            else poll.stopAll();
            return ok();
          }
          const socket = table.get(integerAt(parameters, 0));
          if (socket === undefined) return failed();
          if (isStart) poll.start(socket, events);
          else poll.stop(socket);
          return ok();
        },
      },
      read: () => {
        const watched = table.all.filter((socket) => poll.eventsOf(socket) !== undefined);
        return ok(...watched.map((socket) => `#XAPOLL: ${socket.handle},${poll.eventsOf(socket)}`));
      },
      test: () => ok("#XAPOLL: <handle>,(0,1),(0,1,4,5)"),
    },
  };
}

/** `=[<handle>],<auto_reception_flags>[,<hex_format>]` */
function receiveConfigurationCommand({ table, reception }: SerialModemSocketParts): SerialModemCommand {
  return {
    name: "#XRECVCFG",
    forms: {
      set: {
        rules: [optional(handle), oneOf(0, 1, 2, 3), optional(oneOf(0, 1))],
        handle: (parameters) => {
          const configuration = { flags: integerAt(parameters, 1) ?? 0, isHex: integerAt(parameters, 2) === 1 };
          if (isAbsentAt(parameters, 0)) {
            reception.configureAll(configuration);
            return ok();
          }
          const socket = table.get(integerAt(parameters, 0));
          if (socket === undefined) return failed();
          reception.configure(socket, configuration);
          return ok();
        },
      },
      read: () => {
        const lines = reception.configured().map(([socket, { flags, isHex }]) => {
          return `#XRECVCFG: ${socket.handle},${flags},${isHex ? 1 : 0}`;
        });
        return ok(...lines);
      },
      test: () => ok("#XRECVCFG: <handle>,(0,1,2,3),(0,1)"),
    },
  };
}
