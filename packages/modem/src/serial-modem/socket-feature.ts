import { AsyncPoll } from "./async-poll.js";
import { AutoReception } from "./auto-reception.js";
import type { SerialModemFeature } from "./feature.js";
import { HttpRequests } from "./http-requests.js";
import { HandlePool, SocketTable } from "./socket-table.js";
import { serialModemSocketCommands } from "./sockets-serial-modem.js";
import { slmSocketCommands } from "./sockets-slm.js";
import { TcpClient } from "./tcp-client.js";

/** Sockets in each dialect, the HTTP client on them, the TCP client. */
export const makeSocketFeature: SerialModemFeature = (services) => {
  const handles = new HandlePool();
  const table = new SocketTable(services, handles);
  const poll = new AsyncPoll(services, table);
  const reception = new AutoReception({ services, table });
  const requests = new HttpRequests({ services, table, poll, reception });
  const client = new TcpClient(services, handles);
  const lineChanged = (): void => {
    requests.pump();
    reception.pump();
    client.lineChanged();
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
      ...client.commands,
    ],
    lineChanged,
    modemLost: () => {
      loseAll();
      client.modemLost();
    },
    stop: () => {
      loseAll();
      client.stop();
    },
  };
};
