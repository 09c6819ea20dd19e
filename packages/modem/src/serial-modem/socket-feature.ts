import { AsyncPoll } from "./async-poll.js";
import { AutoReception } from "./auto-reception.js";
import type { SerialModemFeature } from "./feature.js";
import { HttpRequests } from "./http-requests.js";
import { HandlePool, SocketTable } from "./socket-table.js";
import { serialModemSocketCommands } from "./sockets-serial-modem.js";
import { slmSocketCommands } from "./sockets-slm.js";
import { TcpProxy } from "./tcp-proxy.js";

/** Sockets in each dialect, the HTTP client on them, the TCP client and server. */
export const makeSocketFeature: SerialModemFeature = (services) => {
  const handles = new HandlePool();
  const table = new SocketTable(services, handles);
  const poll = new AsyncPoll(services, table);
  const reception = new AutoReception({ services, table });
  const requests = new HttpRequests({ services, table, poll, reception });
  const proxy = new TcpProxy(services, handles);
  const lineChanged = (): void => {
    requests.pump();
    reception.pump();
    proxy.lineChanged();
    poll.tell();
  };
  table.onChange(lineChanged);
  const loseAll = (): void => {
    requests.clear();
    poll.stopAll();
    reception.clear();
    table.destroyAll();
  };
  return {
    commands: [
      ...slmSocketCommands({ services, table, poll }),
      ...serialModemSocketCommands({ services, table, poll, reception }),
      ...requests.commands,
      ...proxy.commands,
    ],
    lineChanged,
    modemLost: () => {
      loseAll();
      proxy.modemLost();
    },
    stop: () => {
      loseAll();
      proxy.stop();
    },
  };
};
