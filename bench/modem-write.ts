// How long a board waits for us: three credentials written, verified and the modem put back, through a pseudo-terminal.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openModemSession, writeCredentials } from "@thingline/modem";
import { openSerialPort } from "@thingline/modem/serial";
import { makeTestCertificates } from "@thingline/transport/contract";
import { createNodeClock, createNodeKeys } from "@thingline/transport/node";
import type { OwnMeasurement } from "./own-rows.js";
import { fail, median, Worker } from "./tools.js";

const clock = createNodeClock();
const keys = createNodeKeys();
const server = fileURLToPath(new URL("./modem-pty-server.js", import.meta.url));
const writesMeasured = 7;

/** What `modem write` of three credentials may take of our own time. */
export const writeMsMax = 2_000;

export interface WriteTimes {
  /** Finding out what is behind the port, once for each call. */
  probeMs: number;
  /** From the first question to the modem put back. */
  writeMs: number;
}

/** The median of several writes, each to a tag that is empty, of a modem that is online. */
export async function measureWrite(): Promise<WriteTimes> {
  const folder = await mkdtemp(join(tmpdir(), "thingline-bench-"));
  const worker = new Worker(server, ["modem", "1", folder]);
  try {
    const [path = ""] = await worker.next<string[]>();
    const { ca, client } = await makeTestCertificates(keys);
    const credentials = { ca: ca.certificatePem, certificate: client.certificatePem, privateKey: client.privateKeyPem };
    const session = openModemSession(await openSerialPort(path, { clock }), { clock });
    const started = performance.now();
    await session.probe();
    const probeMs = performance.now() - started;
    await session.command("AT+CFUN=1");
    const times: number[] = [];
    for (let secTag = 1; secTag <= writesMeasured; secTag++) {
      const startedMs = performance.now();
      const report = await writeCredentials(session, { secTag, credentials }, { keys, clock });
      times.push(performance.now() - startedMs);
      if (report.result !== "written") fail(`the write to tag ${secTag} ${report.result}`);
    }
    await session.close();
    return { probeMs, writeMs: median(times) };
  } finally {
    await worker.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

export const writeMeasurements = (): OwnMeasurement[] => [
  {
    rows: [{ name: "PTY, three credentials with the probe", unit: "ms", isMore: false }],
    measure: async () => {
      const { probeMs, writeMs } = await measureWrite();
      return [probeMs + writeMs];
    },
  },
];
