import type { Connection } from "@thingline/transport";
import type { IotLogEntry } from "../services/iot-log.js";

/** A connection and who is at its end, as far as that is known. */
export interface LoggedClient {
  readonly clientId: string;
  readonly certificateId: string | undefined;
  readonly connection: Connection;
}

type Entry = Omit<IotLogEntry, "protocol" | "clientId" | "principalId" | "sourceIp" | "sourcePort">;

/** What happened to a client, or by it, for the log of the account. To be made only when the log wants it. */
export function clientEntry({ clientId, certificateId, connection }: LoggedClient, entry: Entry): IotLogEntry {
  const { host, port } = connection.remote;
  return { ...entry, protocol: "MQTT", clientId, principalId: certificateId, sourceIp: host, sourcePort: port };
}

/** @param details what the policy says, for people */
export const unauthorized = (eventType: string, details?: string): Entry => ({
  ...{ level: "ERROR", eventType, isFailure: true, reason: "AUTHORIZATION_FAILURE", details },
});
