// A board that runs the serial modem application, or a plain AT client, behind a TCP port of this machine.
import type { TestContext } from "node:test";
import { createSerialModemApplication, createSimulatedModem } from "@thingline/modem/simulator";
import type { Connection } from "@thingline/transport";
import {
  createNodeClock,
  createNodeFiles,
  createNodeKeys,
  createNodeNetwork,
  createNodeRandom,
} from "@thingline/transport/node";

const clock = createNodeClock();
const network = createNodeNetwork();
const random = createNodeRandom();

export interface TcpBoard {
  /** For `--tcp`. */
  where: string;
  /** The cable is pulled. */
  unplug(): void;
}

/** @param folder of the modem, as the command line keeps it */
export async function openTcpBoard(
  t: TestContext,
  { folder, runs = "serialModem" }: { folder: string; runs?: "serialModem" | "atClient" },
): Promise<TcpBoard> {
  const lte = { searchMs: 1, attachMs: 1, detachMs: 1 };
  const adapters = { network, clock, random, keys: createNodeKeys(), files: createNodeFiles() };
  const modem = await createSimulatedModem({ ...adapters, folder, lte });
  const application = runs === "atClient" ? undefined : await createSerialModemApplication(modem, { clock, random });
  const outside = new Set<Connection>();
  const listener = await network.listen({ host: "127.0.0.1", port: 0 }, (connection) => {
    outside.add(connection);
    const port = (application ?? modem).openPort();
    port.start({ data: (bytes) => void connection.write(bytes), closed: () => connection.destroy() });
    connection.start({ data: (bytes) => void port.write(bytes), closed: () => port.destroy() });
  });
  const unplug = () => {
    for (const connection of outside) connection.destroy();
  };
  t.after(async () => {
    unplug();
    await listener.close();
    await application?.close();
    await modem.close();
  });
  return { where: `127.0.0.1:${listener.address.port}`, unplug };
}
