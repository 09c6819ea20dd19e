import type { AtParameter } from "@thingline/protocol/at";
import { integerAt, stringAt } from "@thingline/protocol/at";
import { integer, oneOf, optional } from "../simulator/commands/parameter-rules.js";
import { socketsMax } from "../simulator/sockets.js";
import type { AsyncPoll } from "./async-poll.js";
import { failed, ok, type SerialModemCommand, type SerialModemReply } from "./command.js";
import { errnos } from "./errno.js";
import type { SerialModemServices } from "./feature.js";
import { isOnline } from "./online.js";
import { pollBits } from "./poll-bits.js";
import { addressOf } from "./server-socket.js";
import type { ModemSocket } from "./socket.js";
import { handlePlainOption, handleSecureOption, optionRules, textOptionRules } from "./socket-options.js";
import {
  handle,
  host,
  plainSocketRules,
  port,
  protocols,
  readReceiveFlags,
  readSocketKind,
  receiveTimeoutMs,
  refusedCommand,
  secureSocketRules,
  textSendForm,
  timeoutSeconds,
} from "./socket-rules.js";
import type { SocketTable } from "./socket-table.js";

const dialects = ["slm-1.x", "slm-2.x"] as const;
/** What `#XSOCKETSELECT?` shows in place of a security tag. */
const noSecTag = -1;

export interface SlmSocketParts {
  services: SerialModemServices;
  table: SocketTable;
  poll: AsyncPoll;
}

/** Commands of sockets in Serial LTE Modem, which work on the one that was opened or selected last. */
export function slmSocketCommands(parts: SlmSocketParts): SerialModemCommand[] {
  const commands: Omit<SerialModemCommand, "dialects">[] = [
    openCommand(parts, "#XSOCKET"),
    openCommand(parts, "#XSSOCKET"),
    selectCommand(parts),
    optionCommand(parts, "#XSOCKETOPT"),
    optionCommand(parts, "#XSSOCKETOPT"),
    bindCommand(parts),
    connectCommand(parts),
    listenCommand(parts),
    acceptCommand(parts),
    sendCommand(parts),
    receiveCommand(parts),
    pollCommand(parts),
  ];
  return [...commands.map((command) => ({ ...command, dialects })), asyncPollCommand(parts), ...absentCommands(parts)];
}

/** `=1|2,…` opens, `=0` closes the active one. */
function openCommand({ services, table, poll }: SlmSocketParts, name: "#XSOCKET" | "#XSSOCKET"): SerialModemCommand {
  const isSecure = name === "#XSSOCKET";
  const open = (parameters: readonly AtParameter[]): SerialModemReply => {
    const kind = readSocketKind(services, parameters, isSecure);
    if ("type" in kind) return kind;
    const socket = table.open(kind);
    if (socket === undefined) return failed();
    poll.opened(socket);
    return ok(`${name}: ${socket.handle},${isSecure ? protocols.secure : protocols.plain}`);
  };
  const close = (): SerialModemReply => {
    const { active } = table;
    if (active === undefined) return ok();
    poll.stop(active);
    table.close(active);
    return ok('#XSOCKET: 0,"closed"');
  };
  const read = (): SerialModemReply => {
    const { active } = table;
    if (active === undefined || (active.kind.secTag !== undefined) !== isSecure) return ok();
    const { family, role, secTag, cid } = active.kind;
    return ok(`${name}: ${active.handle},${family},${role},1,${isSecure ? `${secTag},` : ""}${cid}`);
  };
  const lists = isSecure ? "(0,1,2),(1,2),(0,1),<sec_tag>,<peer_verify>,<cid>" : "(0,1,2),(1,2,3),(0,1),<cid>";
  return {
    name,
    forms: {
      set: [
        { rules: isSecure ? secureSocketRules : plainSocketRules, handle: open },
        { rules: [oneOf(0)], handle: close },
      ],
      read,
      test: () => ok(`${name}: ${lists}`),
    },
  };
}

function selectCommand({ table }: SlmSocketParts): SerialModemCommand {
  const show = (socket: ModemSocket): string => {
    const { family, role, secTag, cid } = socket.kind;
    return `#XSOCKETSELECT: ${socket.handle},${family},${role},1,${secTag ?? noSecTag},${table.rankingOf(socket)},${cid}`;
  };
  return {
    name: "#XSOCKETSELECT",
    forms: {
      set: {
        rules: [handle],
        handle: (parameters) => {
          const socket = table.get(integerAt(parameters, 0));
          if (socket === undefined) return failed();
          table.select(socket);
          return ok(`#XSOCKETSELECT: ${socket.handle}`);
        },
      },
      read: () => {
        const active = table.active === undefined ? [] : [`#XSOCKETSELECT: ${table.active.handle}`];
        return ok(...table.all.map(show), ...active);
      },
    },
  };
}

function optionCommand({ services, table }: SlmSocketParts, name: "#XSOCKETOPT" | "#XSSOCKETOPT"): SerialModemCommand {
  const handleOption = name === "#XSOCKETOPT" ? handlePlainOption : handleSecureOption;
  const { dialect } = services.traits;
  const handleForm = (parameters: readonly AtParameter[]): SerialModemReply => {
    const socket = table.active;
    return socket === undefined ? failed() : handleOption({ socket, dialect, parameters, from: 0 });
  };
  const numbers = { rules: optionRules, handle: handleForm };
  const texts = { rules: textOptionRules, handle: handleForm };
  return {
    name,
    forms: {
      set: name === "#XSOCKETOPT" ? numbers : [numbers, texts],
      test: () => ok(`${name}: (0,1),<name>,<value>`),
    },
  };
}

function bindCommand({ table }: SlmSocketParts): SerialModemCommand {
  return {
    name: "#XBIND",
    forms: {
      set: {
        rules: [integer(0, 65_535)],
        handle: (parameters) => {
          if (table.active === undefined) return failed();
          table.active.localPort = integerAt(parameters, 0) ?? 0;
          return ok();
        },
      },
    },
  };
}

function connectCommand({ table }: SlmSocketParts): SerialModemCommand {
  return {
    name: "#XCONNECT",
    forms: {
      set: {
        rules: [host, port],
        handle: async (parameters) => {
          const { active } = table;
          if (active === undefined || active.kind.role === 1) return failed();
          const errno = await table.connect(active, stringAt(parameters, 0) ?? "", integerAt(parameters, 1) ?? 0);
          return errno === 0 ? ok("#XCONNECT: 1") : failed();
        },
      },
    },
  };
}

function listenCommand({ services, table }: SlmSocketParts): SerialModemCommand {
  return {
    name: "#XLISTEN",
    forms: {
      execute: async () => {
        const { listen } = services.options;
        const { active } = table;
        if (listen === undefined) return services.refuse("server sockets (AT#XLISTEN)");
        if (active?.kind.role !== 1 || !(await isOnline(services))) return failed();
        return (await active.listen({ listen })) === 0 ? ok() : failed();
      },
    },
  };
}

/** `#XACCEPT=<timeout>`: what is sent and received goes to the caller from then on; 0 waits for ever. */
function acceptCommand({ services, table }: SlmSocketParts): SerialModemCommand {
  return {
    name: "#XACCEPT",
    forms: {
      set: {
        rules: [timeoutSeconds],
        handle: async (parameters) => {
          const { active } = table;
          const server = active?.server;
          if (active === undefined || server === undefined) return failed();
          const seconds = integerAt(parameters, 0) ?? 0;
          const isSo = (): boolean => server.poll() !== 0 || active.server !== server;
          await waitUntil({ services, table, timeoutMs: seconds === 0 ? -1 : seconds * 1000, isSo });
          const connection = active.server === server ? server.accept() : undefined;
          if (connection === undefined) return failed();
          const peer = table.namePeer(active);
          if (peer === undefined) {
            connection.destroy();
            return failed();
          }
          active.adopt(connection);
          return ok(`#XACCEPT: ${peer},"${addressOf(connection)}"`);
        },
      },
      read: () => ok(`#XTCPACCEPT: ${table.active?.peerHandle ?? 0}`),
    },
  };
}

/** With text it is sent; without, what follows is payload. */
function sendCommand({ services, table, poll }: SlmSocketParts): SerialModemCommand {
  const send = async (bytes: Uint8Array): Promise<number> => {
    const { active } = table;
    if (active === undefined) return -errnos.EBADF;
    const sent = await active.send(bytes);
    poll.rearm(active, pollBits.out);
    return sent;
  };
  return {
    name: "#XSEND",
    forms: {
      execute: () => ({ type: "dataMode", information: [], mode: { send } }),
      set: textSendForm(services, "#XSEND", send),
    },
  };
}

function receiveCommand({ services, table, poll }: SlmSocketParts): SerialModemCommand {
  return {
    name: "#XRECV",
    forms: {
      set: {
        rules: [timeoutSeconds, optional(integer(0, 65_535))],
        handle: async (parameters) => {
          const { active } = table;
          const flags = readReceiveFlags(integerAt(parameters, 1) ?? 0);
          if (active === undefined || flags === undefined) return failed();
          active.receiveTimeoutSeconds = integerAt(parameters, 0) ?? 0;
          const timeoutMs = receiveTimeoutMs(active.receiveTimeoutSeconds, flags);
          const data = await active.receive({ bytesMax: services.traits.receivedBytesMax, timeoutMs, ...flags });
          if (typeof data === "number") return failed();
          poll.rearm(active, pollBits.in);
          // The peer has ended its stream.
          return data.length === 0 ? ok() : ok({ head: `#XRECV: ${data.length}`, data });
        },
      },
    },
  };
}

/** `#XPOLL=<ms>[,<handle>…]`: waits until there is something to read on one of them, -1 for ever. */
function pollCommand({ services, table, poll }: SlmSocketParts): SerialModemCommand {
  return {
    name: "#XPOLL",
    forms: {
      set: {
        rules: [integer(-1, 2_147_483_647), ...Array.from({ length: socketsMax }, () => optional(handle))],
        handle: async (parameters) => {
          if (poll.isRunning) return failed();
          const named = parameters.slice(1).map((_, index) => table.get(integerAt(parameters, index + 1)));
          const sockets = named.length === 0 ? table.all : named;
          if (sockets.includes(undefined)) return failed();
          const isReady = (socket: ModemSocket | undefined): boolean => readable(socket) !== 0;
          const timeoutMs = integerAt(parameters, 0) ?? 0;
          await waitUntil({ services, table, timeoutMs, isSo: () => sockets.some(isReady) });
          return ok(
            ...sockets.filter(isReady).map((socket) => {
              return `#XPOLL: ${socket?.handle},"0x${readable(socket).toString(16).padStart(4, "0")}"`;
            }),
          );
        },
      },
    },
  };
}

function readable(socket: ModemSocket | undefined): number {
  return (socket?.poll() ?? 0) & ~pollBits.out;
}

interface Condition {
  services: SerialModemServices;
  table: SocketTable;
  timeoutMs: number;
  isSo: () => boolean;
}

function waitUntil({ services, table, timeoutMs, isSo }: Condition): Promise<void> {
  return new Promise((resolve) => {
    if (timeoutMs === 0 || isSo()) return resolve();
    const settle = (): void => {
      timer?.cancel();
      for (const unsubscribe of subscriptions) unsubscribe();
      resolve();
    };
    const timer = timeoutMs < 0 ? undefined : services.clock.setTimer(timeoutMs, settle);
    const subscriptions = [
      table.onChange(() => {
        if (isSo()) settle();
      }),
      // Without a socket, nothing else would end the wait.
      table.onLoss(settle),
    ];
  });
}

/** `#XAPOLL=<op>[,<events>[,<handle>…]]` of SLM 2.x. */
function asyncPollCommand({ table, poll }: SlmSocketParts): SerialModemCommand {
  return {
    name: "#XAPOLL",
    dialects: ["slm-2.x"],
    forms: {
      set: [
        {
          rules: [oneOf(0)],
          handle: () => {
            poll.stopAll();
            return ok();
          },
        },
        {
          rules: [oneOf(1), oneOf(0, 1, 4, 5), ...Array.from({ length: socketsMax }, () => optional(handle))],
          handle: (parameters) => {
            const events = integerAt(parameters, 1) ?? 0;
            const named = parameters.slice(2).map((_, index) => table.get(integerAt(parameters, index + 2)));
            if (named.includes(undefined)) return failed();
            poll.stopAll();
            if (named.length === 0) poll.startAll(events);
            for (const socket of named) if (socket !== undefined) poll.start(socket, events);
            return ok();
          },
        },
      ],
      read: () => {
        const watched = table.all.filter((socket) => poll.eventsOf(socket) !== undefined);
        const events = poll.eventsForNew ?? watched.map((socket) => poll.eventsOf(socket))[0] ?? 0;
        return ok(`#XAPOLL: ${[poll.isRunning ? 1 : 0, events, ...watched.map((socket) => socket.handle)].join(",")}`);
      },
      test: () => ok("#XAPOLL: (0,1),<0,1,4,5>,<handle1>,<handle2>,..."),
    },
  };
}

/** What the transport of the simulated modem cannot do, by name. */
function absentCommands({ services }: SlmSocketParts): SerialModemCommand[] {
  const absent: Record<string, string> = {
    "#XSENDTO": "UDP sockets",
    "#XRECVFROM": "UDP sockets",
    "#XUDPSVR": "UDP servers",
    "#XUDPCLI": "UDP clients",
  };
  return Object.entries(absent).map(([name, what]) => refusedCommand(services, name, what, dialects));
}
