import type { CloudService } from "../service.js";
import {
  connectionsServiceName,
  createConnections,
  type Connections,
  type ConnectionsDependencies,
} from "./service.js";

export type { Connections } from "./service.js";

/** What the data plane says of clients, and does with them. */
export function createConnectionsService(deps: ConnectionsDependencies): CloudService<Connections> {
  const operations = createConnections(deps);
  const { getConnection, deleteConnection, listSubscriptions, sendDirectMessage } = operations;
  return {
    name: connectionsServiceName,
    operations,
    rest: [getConnection, deleteConnection, listSubscriptions, sendDirectMessage],
  };
}
