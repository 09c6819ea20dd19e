import { isThinglineError, ThinglineError } from "@thingline/protocol";
import type { Connection, Endpoint, Listener, ListenOptions, Network } from "@thingline/transport";

/** Where to listen. `optionName` is what an error tells the user to change. */
export interface ListenAddress {
  /** `localhost` means 127.0.0.1 and, where the machine has it, ::1. */
  host: string;
  /** 0 picks a free one. */
  port: number;
  optionName: string;
}

/** How often a free port is looked for that is free on both loopback addresses. */
export const freePortAttemptsMax = 20;

/**
 * Listens on one address, or on both loopback addresses at the same port for `localhost`: some clients try ::1 first,
 * some know 127.0.0.1 only.
 *
 * @throws {ThinglineError} PORT_IN_USE with port and option, OPTION_INVALID.
 */
export async function listenTogether(
  network: Network,
  address: ListenAddress,
  options: Partial<ListenOptions>,
  onConnection: (connection: Connection) => void,
): Promise<{ endpoint: Endpoint; listeners: Listener[] }> {
  const listen = (host: string, port: number) => network.listen({ ...options, host, port }, onConnection);
  if (address.host !== "localhost") {
    const listener = await listen(address.host, address.port).catch((error: unknown) => {
      throw nameOption(error, address);
    });
    return { endpoint: listener.address, listeners: [listener] };
  }
  for (let attempt = 1; ; attempt++) {
    const first = await listen("127.0.0.1", address.port).catch((error: unknown) => {
      throw nameOption(error, address);
    });
    const endpoint = { host: "localhost", port: first.address.port };
    try {
      return { endpoint, listeners: [first, await listen("::1", first.address.port)] };
    } catch (error) {
      if (!isThinglineError(error, "PORT_IN_USE")) {
        // No IPv6 on this machine.
        if (isThinglineError(error)) return { endpoint, listeners: [first] };
        await first.close();
        throw error;
      }
      await first.close();
      if (address.port !== 0 || attempt >= freePortAttemptsMax) throw nameOption(error, address);
    }
  }
}

/** Says which option a taken port came from. Other errors are handed back as they are. */
export function nameOption(error: unknown, { port, host, optionName }: ListenAddress): unknown {
  if (!isThinglineError(error, "PORT_IN_USE")) return error;
  const message = `port ${port} of ${host} is in use by another process; choose another with ${optionName} (0 picks a free one)`;
  return new ThinglineError("PORT_IN_USE", message, { details: { port, host, option: optionName }, cause: error });
}
