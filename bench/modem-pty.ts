// Commands a second through a pseudo-terminal, with the package serialport at the host's end: one command after the other, as AT has it.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openModemSession } from "@thingline/modem";
import { openSerialPort } from "@thingline/modem/serial";
import { createNodeClock } from "@thingline/transport/node";
import type { OwnMeasurement } from "./own-rows.js";
import { median, Worker } from "./tools.js";

const clock = createNodeClock();
const server = fileURLToPath(new URL("./modem-pty-server.js", import.meta.url));
const encoder = new TextEncoder();

/** How one command goes over one port. */
interface Host {
  command(): Promise<unknown>;
  close(): Promise<void>;
}

/** Writes a command and takes bytes until there is an OK: no more than a host has to. */
async function openBareHost(path: string, line: string): Promise<Host> {
  const connection = await openSerialPort(path, { clock });
  const bytes = encoder.encode(`${line}\r`);
  let seen = "";
  let done: () => void = () => undefined;
  connection.start({
    data: (received) => {
      seen += Buffer.from(received).toString("latin1");
      if (!seen.endsWith("OK\r\n")) return;
      seen = "";
      done();
    },
    closed: () => undefined,
  });
  return {
    command: () =>
      new Promise<void>((resolve) => {
        done = resolve;
        connection.write(bytes);
        connection.flush();
      }),
    close: () => connection.close(),
  };
}

async function openSessionHost(path: string, line: string): Promise<Host> {
  const session = openModemSession(await openSerialPort(path, { clock }), { clock });
  return { command: () => session.command(line), close: () => session.close() };
}

const certificate = `-----BEGIN CERTIFICATE-----\n${`${"A".repeat(64)}\n`.repeat(17)}-----END CERTIFICATE-----\n`;

interface Case {
  name: string;
  /** What is at the other end. */
  peer: "modem" | "echo";
  ports: number;
  open: (path: string, line: string) => Promise<Host>;
  line: string;
}

const cases: readonly Case[] = [
  { name: "AT, a bare host", peer: "modem", ports: 1, open: openBareHost, line: "AT" },
  { name: "AT+CGSN=1, a bare host", peer: "modem", ports: 1, open: openBareHost, line: "AT+CGSN=1" },
  { name: "AT+CGSN=1, a session", peer: "modem", ports: 1, open: openSessionHost, line: "AT+CGSN=1" },
  { name: "AT+CGSN=1, 8 ports of one process", peer: "modem", ports: 8, open: openSessionHost, line: "AT+CGSN=1" },
  {
    name: "AT%CMNG=0 of 1,200 bytes, on disk",
    peer: "modem",
    ports: 1,
    open: openSessionHost,
    line: `AT%CMNG=0,42,0,"${certificate}"`,
  },
];
const peer: Case = { name: "AT, a bare echo instead", peer: "echo", ports: 1, open: openBareHost, line: "AT" };

interface Speed {
  commandsPerSecond: number;
  /** Processor time of both ends for one command: of the two numbers the one that a busy machine changes least. */
  processorUs: number;
}

const microseconds = ({ user, system }: NodeJS.CpuUsage): number => user + system;

/** The median of three after a warm-up. */
async function speed({ peer: kind, ports, open, line }: Case, seconds: number): Promise<Speed> {
  const folder = await mkdtemp(join(tmpdir(), "thingline-bench-"));
  const worker = new Worker(server, [kind, String(ports), folder]);
  try {
    const paths = await worker.next<string[]>();
    const hosts = await Promise.all(paths.map((path) => open(path, line)));
    const measure = async (ms: number): Promise<Speed> => {
      const there = await worker.ask<NodeJS.CpuUsage>({});
      const here = process.cpuUsage();
      const started = performance.now();
      let commands = 0;
      const run = async (host: Host): Promise<void> => {
        for (; performance.now() - started < ms; commands++) await host.command();
      };
      await Promise.all(hosts.map(run));
      const tookMs = performance.now() - started;
      const used = microseconds(process.cpuUsage(here));
      const usedThere = microseconds(await worker.ask<NodeJS.CpuUsage>({})) - microseconds(there);
      return { commandsPerSecond: (commands * 1000) / tookMs, processorUs: (used + usedThere) / commands };
    };
    await measure(300 * seconds);
    const speeds = [await measure(333 * seconds), await measure(333 * seconds), await measure(333 * seconds)];
    await Promise.all(hosts.map((host) => host.close()));
    return {
      commandsPerSecond: median(speeds.map(({ commandsPerSecond }) => commandsPerSecond)),
      processorUs: median(speeds.map(({ processorUs }) => processorUs)),
    };
  } finally {
    await worker.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

export const ptyCommandsMin = 1_500;

export interface PtyRow extends Speed {
  name: string;
}

export async function measurePty(seconds: number): Promise<{ peer: PtyRow; rows: PtyRow[] }> {
  const rows: PtyRow[] = [];
  const peerRow = { name: peer.name, ...(await speed(peer, seconds)) };
  for (const each of cases) rows.push({ name: each.name, ...(await speed(each, seconds)) });
  return { peer: peerRow, rows };
}

export const ptyMeasurements = (seconds: number): OwnMeasurement[] =>
  cases.map((each) => ({
    rows: [
      { name: `PTY, ${each.name}`, unit: "commands/s", isMore: true },
      { name: `PTY, ${each.name}, processor`, unit: "us", isMore: false },
    ],
    measure: async () => {
      const { commandsPerSecond, processorUs } = await speed(each, seconds);
      return [commandsPerSecond, processorUs];
    },
  }));
