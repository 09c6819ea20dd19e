import { openSerialModemSockets, type ProveCredentials } from "@thingline/modem";
import { ThinglineError } from "@thingline/protocol";
import type { SecTagDialer } from "@thingline/transport";
import { nodeAdapters } from "../adapters.js";
import { UsageError } from "../failure.js";
import type { ModemAtHand } from "./at-hand.js";

export interface Proof extends AsyncDisposable {
  prove: ProveCredentials;
}

/** A server that does not know a certificate hangs up when the handshake is over; one that does waits for the first packet. */
const hangUpMs = 1_000;
const portMax = 65_535;

/** `HOST:PORT` as people write it, an IPv6 address in brackets. @throws {UsageError} */
export function proofTarget(text: string): { host: string; port: number } {
  const [, host = "", digits = ""] = /^(.+):(\d{1,5})$/u.exec(text) ?? [];
  const port = Number(digits);
  if (host !== "" && port > 0 && port <= portMax) return { host: host.replace(/^\[(.*)\]$/u, "$1"), port };
  throw new UsageError(`--prove takes HOST:PORT, got ${text}`);
}

/**
 * What proves credentials: a full TLS handshake inside the modem with those of a security tag, and a server that stays.
 *
 * @throws {ThinglineError} MODEM_APPLICATION_MISSING for a board without sockets: before anything is written.
 */
export async function openProof(hand: ModemAtHand, target: { host: string; port: number }): Promise<Proof> {
  const { dialer, close } = await openDialer(hand, target);
  const { clock } = nodeAdapters();
  return {
    prove: async (secTag, { signal }) => {
      const connection = await dialer.dial(
        { ...target, secTag, handshake: "full" },
        signal === undefined ? {} : { signal },
      );
      const ended = new Promise<ThinglineError | "closed">((resolve) => {
        connection.start({ data: () => undefined, closed: (error) => resolve(error ?? "closed") });
      });
      const stays = clock.sleep(hangUpMs, signal === undefined ? {} : { signal }).then(() => undefined);
      const end = await Promise.race([ended, stays]);
      await connection.close();
      if (end === undefined) return;
      const { host, port } = target;
      const why = end === "closed" ? "" : `: ${end.message}`;
      const message = `${host}:${port} hung up right after the handshake${why}; it does not take this certificate`;
      throw new ThinglineError("CONNECTION_LOST", message, { details: { secTag, host, port } });
    },
    [Symbol.asyncDispose]: close,
  };
}

async function openDialer(
  { simulated, probe, session, where }: ModemAtHand,
  { host, port }: { host: string; port: number },
): Promise<{ dialer: SecTagDialer; close: () => Promise<void> }> {
  if (simulated !== undefined) return { dialer: simulated.secTagDialer, close: async () => undefined };
  if (probe?.kind !== "serialModem") {
    const message =
      `--prove ${host}:${port} needs sockets of the modem, and ${where} has an AT host without any: put the serial modem application on the ` +
      "board, or leave out --prove; nothing was written";
    throw new ThinglineError("MODEM_APPLICATION_MISSING", message, { details: { where } });
  }
  const sockets = await openSerialModemSockets(session, { clock: nodeAdapters().clock });
  return { dialer: sockets.secTagDialer, close: () => sockets.close() };
}
