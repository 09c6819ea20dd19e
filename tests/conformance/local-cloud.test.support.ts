import assert from "node:assert/strict";
import { spawnSync, spawn, type ChildProcess } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { IoTClient } from "@aws-sdk/client-iot";
import {
  runThingline,
  startThingline,
  temporaryFolder,
  type JsonEvent,
} from "../integration/cli-process.test.support.js";

/** False when the program is there, else why its tests are left out. */
export function missing(program: string, debianPackage: string): false | string {
  const isThere = spawnSync(program, ["--version"], { stdio: "ignore" }).error === undefined;
  return isThere ? false : `needs Debian's ${debianPackage}; .ci/run installs it`;
}

/** Subtests that fail instead of waiting for ever. They take a second; the rest is for slow machines. */
export const subtests = (t: TestContext) => (name: string, run: (t: TestContext) => Promise<void>) =>
  t.test(name, { timeout: 60_000 }, run);

/** The credentials of one thing, as `thingline thing create` wrote them. */
export interface ThingFiles {
  thingName: string;
  certificateId: string;
  caFile: string;
  certificateFile: string;
  keyFile: string;
  ca: string;
  certificate: string;
  key: string;
}

/** `thingline cloud start` in a process and folder of its own; gone when the test is over. */
export interface LocalCloud {
  folder: string;
  caFile: string;
  port: number;
  httpsPort: number;
  /** `http://localhost:port` */
  api: string;
  /** The cloud's control plane through the AWS SDK. */
  iot: IoTClient;
  createThing(name: string, ...options: string[]): Promise<ThingFiles>;
  /** The first line of the log, past or future, with all of these texts. */
  logLine(...texts: string[]): Promise<string>;
  /** Ends the process and starts another one on the same folder and ports. */
  restart(signal?: NodeJS.Signals): Promise<void>;
  /** Ends the process; `start` again with {@link start}. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  start(): Promise<void>;
}

export async function startLocalCloud(t: TestContext): Promise<LocalCloud> {
  const folder = await temporaryFolder(t);
  const dataDir = join(folder, "cloud");
  const open = async (mqtts: number, https: number, api: number) => {
    const ports = ["--mqtts-port", String(mqtts), "--https-port", String(https), "--api-port", String(api)];
    const program = startThingline(t, "cloud", "start", "--data-dir", dataDir, ...ports, "--json");
    const ready = await program.event(({ event }) => event === "ready");
    return { program, ready };
  };
  let { program, ready } = await open(0, 0, 0);
  const port = portOf(ready["mqtts"]);
  const httpsPort = portOf(ready["https"]);
  const api = String(ready["api"]);
  const iot = new IoTClient({
    endpoint: api,
    region: "us-east-1",
    credentials: { accessKeyId: "test", secretAccessKey: "test" },
  });
  t.after(() => iot.destroy());
  const start = async () => {
    ({ program, ready } = await open(port, httpsPort, portOf(api)));
  };
  const stop = async (signal: NodeJS.Signals = "SIGTERM") => {
    await program.end(signal);
  };
  return {
    folder,
    caFile: String(ready["ca"]),
    port,
    httpsPort,
    api,
    iot,
    createThing: (name, ...options) => createThing(t, { folder, dataDir }, name, options),
    logLine: (...texts) => program.logLine((line) => texts.every((text) => line.includes(text))),
    stop,
    start,
    async restart(signal) {
      await stop(signal);
      await start();
    },
  };
}

async function createThing(
  t: TestContext,
  { folder, dataDir }: { folder: string; dataDir: string },
  thingName: string,
  options: readonly string[],
): Promise<ThingFiles> {
  const out = join(folder, thingName);
  const words = ["thing", "create", thingName, "--data-dir", dataDir, "--out", out, "--json", ...options];
  const { code, stdout, stderr } = await runThingline(t, ...words);
  assert.equal(code, 0, stderr);
  const created = JSON.parse(stdout) as JsonEvent;
  const files = created["files"] as { caPem: string; certificatePem: string; privateKeyPem: string };
  const [ca, certificate, key] = await Promise.all(
    [files.caPem, files.certificatePem, files.privateKeyPem].map((file) => readFile(file, "utf8")),
  );
  return {
    thingName,
    certificateId: String(created["certificateId"]),
    caFile: files.caPem,
    certificateFile: files.certificatePem,
    keyFile: files.privateKeyPem,
    ca: ca ?? "",
    certificate: certificate ?? "",
    key: key ?? "",
  };
}

const portOf = (address: unknown): number => Number(String(address).split(":").at(-1));

/** A running program whose output, standard and error together, can be awaited. */
export interface Running {
  child: ChildProcess;
  readonly output: string;
  /** The output has this. Fails when the program ends without it. */
  says(pattern: RegExp | string): Promise<void>;
  /** The exit code and whole output. */
  ended: Promise<{ code: number | null; output: string }>;
}

/** Starts a program; killed when the test is over. A character of `input` is a byte. */
export function start(
  t: TestContext,
  command: string,
  args: readonly string[],
  { input, env }: { input?: string; env?: Record<string, string> } = {},
): Running {
  const stdin = input === undefined ? "ignore" : "pipe";
  const child = spawn(command, args, { stdio: [stdin, "pipe", "pipe"], ...(env === undefined ? {} : { env }) });
  t.after(() => child.kill("SIGKILL"));
  child.stdin?.on("error", () => undefined); // The program may end without reading.
  child.stdin?.end(input, "latin1");
  let output = "";
  let hasEnded = false;
  let checks: (() => boolean)[] = [];
  const check = () => (checks = checks.filter((isDone) => !isDone()));
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (chunk: string) => {
      output += chunk;
      check();
    });
  }
  const ended = new Promise<{ code: number | null; output: string }>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => {
      hasEnded = true;
      check();
      resolve({ code, output });
    });
  });
  return {
    child,
    ended,
    get output() {
      return output;
    },
    says: (pattern) =>
      new Promise((resolve, reject) => {
        checks.push(() => {
          const isSaid = typeof pattern === "string" ? output.includes(pattern) : pattern.test(output);
          if (isSaid) resolve();
          else if (hasEnded) reject(new Error(`${command} ended without ${pattern}:\n${output}`));
          return isSaid || hasEnded;
        });
        check();
      }),
  };
}
