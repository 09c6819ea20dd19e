// The brokers that `npm run bench -- broker` compares, each in a process of its own on a free port of the loopback.
import { fork, spawn, spawnSync, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, connect, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export interface BenchServer {
  name: string;
  version: string;
  port: number;
  /** Ends the process, by its id. */
  stop(): Promise<void>;
}

/** @returns undefined, after saying why, when the broker cannot be started on this machine. */
type Start = () => Promise<BenchServer | undefined>;

const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url));

export const startThingline: Start = () => startNode("thingline", here("thingline-server.js"), "this tree");
export const startAedes: Start = () => startNode("aedes", here("aedes-server.js"), "npm, MQTT 3.1.1 only");

/** The local cloud on a store of that kind. */
export const startShadowServer = (store: "memory" | "lmdb"): Promise<BenchServer> =>
  startNode("thingline", here("shadow-server.js"), "this tree", { BENCH_STORE: store });

/** A server that tells its port by a message to its parent. */
async function startNode(
  name: string,
  file: string,
  version: string,
  env: Record<string, string> = {},
): Promise<BenchServer> {
  const execArgv = name === "thingline" && process.env["BENCH_CPU_PROF"] ? ["--cpu-prof"] : [];
  const child = fork(file, [], {
    stdio: ["ignore", 2, 2, "ipc"],
    execArgv,
    env: { ...process.env, ...env },
  });
  const port = await new Promise<number>((resolve, reject) => {
    child.once("message", (message: { port: number }) => resolve(message.port));
    child.once("exit", (code) => reject(new Error(`${name} ended with ${code} before it was ready`)));
  });
  return { name, version, port, stop: () => stopProcess(child) };
}

const mosquittoPaths = ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto", "/usr/bin/mosquitto"];

/** Nothing is dropped and nothing is written to disk: queues and windows without limit, no delay of small packets. */
const mosquittoConfig = (port: number): string =>
  [
    `listener ${port} 127.0.0.1`,
    "allow_anonymous true",
    "persistence false",
    "set_tcp_nodelay true",
    "max_inflight_messages 0",
    "max_queued_messages 0",
    "max_queued_bytes 0",
    "log_type error",
    "",
  ].join("\n");

export const startMosquitto: Start = async () => {
  const path = mosquittoPaths.find((candidate) => existsSync(candidate));
  if (path === undefined) {
    process.stderr.write("Mosquitto is not installed (Debian: apt-get install mosquitto): left out.\n");
    return undefined;
  }
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), "thingline-bench-"));
  const config = join(folder, "mosquitto.conf");
  writeFileSync(config, mosquittoConfig(port));
  const child = spawn(path, ["-c", config], { stdio: ["ignore", 2, 2] });
  await listening(port, child);
  const help = spawnSync(path, ["-h"], { encoding: "utf8" }).stdout;
  const version = /version ([\d.]+)/.exec(help)?.[1] ?? "unknown version";
  const stop = async (): Promise<void> => {
    await stopProcess(child);
    rmSync(folder, { recursive: true });
  };
  return { name: "mosquitto", version, port, stop };
};

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

async function listening(port: number, child: ChildProcess): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    if (child.exitCode !== null) throw new Error(`the broker ended with ${child.exitCode}`);
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect({ port, host: "127.0.0.1" });
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
      socket.once("connect", () => socket.destroy());
    });
    if (isOpen) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`nobody listens on port ${port}`);
}

function stopProcess(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    child.once("exit", () => resolve());
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), 3_000);
    child.once("exit", () => clearTimeout(timer));
  });
}
