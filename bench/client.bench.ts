// npm run bench -- client [--seconds N] [--rounds N] [--connections N] [--quick] [--json]
// The device library beside `mqtt` and `aws-iot-device-sdk-v2`, each in a process of its own, over mutual TLS against a sink that does
// nothing but acknowledge: publish rate, time to connect, memory of many connections, time to import, size on disk.
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, existsSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { createNodeKeys } from "@thingline/transport/node";
import { makeTestCertificates } from "@thingline/transport/contract";
import type { ClientTask, Library, Order } from "./client-process.js";
import { answerOwnRows, ownRowsOptions, type OwnMeasurement } from "./own-rows.js";
import { fail, median, positive, readOptions, row, say, thousands, wait, Worker } from "./tools.js";

const values = readOptions({
  seconds: { type: "string" },
  rounds: { type: "string" },
  connections: { type: "string" },
  quick: { type: "boolean", default: false },
  json: { type: "boolean", default: false },
  ...ownRowsOptions,
});
const seconds = positive("seconds", values.seconds ?? (values.quick ? "1" : "3"));
const rounds = positive("rounds", values.rounds ?? (values.quick ? "1" : "5"));
const connections = positive("connections", values.connections ?? (values.quick ? "100" : "1000"));
const handshakes = values.quick ? 10 : 50;
const windowMessages = 100;
const payloadBytes = 100;
const warmUpSeconds = values.quick ? 0.5 : 1;

const libraries = ["thingline", "mqtt", "aws-iot-device-sdk-v2"] as const;
const widths = [34, 24] as const;
const file = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const root = fileURLToPath(new URL("../..", import.meta.url));

/** `ours / best of the others`, and what it should be. */
interface Result {
  name: string;
  unit: string;
  figures: Record<string, number>;
  ratio: number;
  aim: string | undefined;
  isReached: boolean | undefined;
}

const folder = mkdtempSync(join(tmpdir(), "thingline-bench-"));
const results: Result[] = [];
/** Fewer connections than beside the peers do for a comparison with ourselves: memory varies little. */
const ownConnections = values.connections === undefined && !values.quick ? 300 : connections;
const ownImports = 5;
/** What is installed is no row of a comparison: `npm run size` has a bound for it. */
const own: OwnMeasurement[] = [
  ...([1, 0] as const).map((qos): OwnMeasurement => ({
    rows: [{ name: `publish QoS ${qos}`, unit: "messages/s", isMore: true }],
    measure: () => withSink(async (sink, port) => [await publishRate(sink, { library: "thingline", port, qos })]),
  })),
  {
    rows: [{ name: "connect to ready", unit: "ms", isMore: false }],
    measure: () => withSink(async (_sink, port) => [await connectMs("thingline", port)]),
  },
  {
    rows: [
      { name: "heap of a connection", unit: "bytes", isMore: false },
      { name: "resident memory of a connection", unit: "bytes", isMore: false },
    ],
    measure: () =>
      withSink(async (_sink, port) => {
        const { heapBytes, rssBytes } = await memoryOf("thingline", port, ownConnections);
        return [heapBytes, rssBytes];
      }),
  },
  {
    rows: [{ name: "import", unit: "ms", isMore: false }],
    measure: async () => [await importMs("thingline", ownImports)],
  },
];
try {
  if (!(await answerOwnRows(values, own))) await withSink(compareAll);
} finally {
  rmSync(folder, { recursive: true });
}

async function withSink<Result>(work: (sink: Worker, port: number) => Promise<Result>): Promise<Result> {
  const certificates = await makeTestCertificates(createNodeKeys());
  const store = (name: string, text: string): void => writeFileSync(join(folder, `${name}.pem`), text, { mode: 0o600 });
  store("ca", certificates.ca.certificatePem);
  for (const name of ["server", "client"] as const) {
    store(name, certificates[name].certificatePem);
    store(`${name}-key`, certificates[name].privateKeyPem);
  }
  const sink = new Worker(file("client-sink.js"), [folder]);
  try {
    const { port } = await sink.next<{ port: number }>();
    return await work(sink, port);
  } finally {
    await sink.stop();
  }
}

async function compareAll(sink: Worker, port: number): Promise<void> {
  if (!values.json) introduce();
  for (const qos of [1, 0] as const) await compareRates(sink, port, qos);
  await compareConnects(port);
  await compareMemory(port);
  await compareImports();
  compareSizes();
  if (results.some(({ ratio }) => !Number.isFinite(ratio))) fail("a figure is missing");
  if (values.json) return;
  const missed = results.filter(({ isReached }) => isReached === false);
  say(missed.length === 0 ? "\nEvery aim is reached." : `\nNot reached: ${missed.map(({ name }) => name).join("; ")}.`);
}

function introduce(): void {
  say(`${cpus().length} x ${cpus()[0]?.model ?? "unknown processor"}, Node ${process.versions.node}`);
  say(
    `MQTT 3.1.1 over mutual TLS; window ${windowMessages}, ${payloadBytes} bytes; median of ${rounds} rounds of ${seconds} s.\n`,
  );
  say(row(["", ...libraries, "ours to the better one", "aim"], widths));
}

function tell(
  name: string,
  figures: Record<string, number>,
  { unit, format, isMore, aim }: { unit: string; format: (value: number) => string; isMore: boolean; aim?: number },
): void {
  const { thingline: ours = NaN, ...others } = figures;
  const comparable = Object.values(others).filter((value) => Number.isFinite(value));
  const ratio = ours / (isMore ? Math.max(...comparable) : Math.min(...comparable));
  const isReached = aim === undefined ? undefined : isMore ? ratio >= aim : ratio <= aim;
  const aimText = aim === undefined ? undefined : `${isMore ? "at least" : "at most"} ${aim}`;
  results.push({ name, unit, figures, ratio, aim: aimText, isReached });
  if (values.json) return say(JSON.stringify(results.at(-1)));
  const cells = libraries.map((library) => (figures[library] === undefined ? "" : format(figures[library])));
  say(row([`${name} (${unit})`, ...cells, ratio.toFixed(2), aimText ?? ""], widths));
}

async function start(task: ClientTask, execArgv: readonly string[] = []): Promise<Worker> {
  const worker = new Worker(file("client-process.js"), [JSON.stringify(task)], execArgv);
  await worker.next();
  return worker;
}

/** Rounds are interleaved, so that a noisy neighbour hits all alike. */
async function compareRates(sink: Worker, port: number, qos: 0 | 1): Promise<void> {
  const rates = new Map<Library, number[]>(libraries.map((library) => [library, []]));
  for (let round = 0; round < rounds; round++) {
    for (const library of libraries) {
      rates.get(library)!.push(await publishRate(sink, { library, port, qos }));
    }
  }
  const figures = Object.fromEntries(libraries.map((library) => [library, median(rates.get(library)!)]));
  tell(`publish QoS ${qos}`, figures, {
    ...{ unit: "messages/s", format: thousands, isMore: true },
    aim: qos === 1 ? 3 : 1.5,
  });
}

/** Messages a second that the sink gets from a library in a process of its own. */
async function publishRate(
  sink: Worker,
  { library, port, qos }: { library: Library; port: number; qos: 0 | 1 },
): Promise<number> {
  const profile = process.env["BENCH_CPU_PROF"] && library === "thingline" ? ["--cpu-prof"] : [];
  const worker = await start({ library, folder, port }, profile);
  const order: Order = {
    do: "publish",
    clientId: "bench",
    topic: "bench/topic/0",
    qos,
    windowMessages,
    payloadBytes,
  };
  await worker.ask(order);
  await wait(warmUpSeconds);
  const [before, startMs] = [await countOf(sink), performance.now()];
  await wait(seconds);
  const [after, endMs] = [await countOf(sink), performance.now()];
  await worker.stop();
  return ((after - before) * 1000) / (endMs - startMs);
}

async function countOf(sink: Worker): Promise<number> {
  const { publishes } = await sink.ask<{ publishes: number }>({});
  return publishes;
}

async function compareConnects(port: number): Promise<void> {
  const figures: Record<string, number> = {};
  for (const library of libraries) {
    figures[library] = await connectMs(library, port);
  }
  tell("connect to ready", figures, { unit: "ms", format: (ms) => ms.toFixed(1), isMore: false });
}

async function connectMs(library: Library, port: number): Promise<number> {
  const worker = await start({ library, folder, port });
  const { elapsedMs } = await worker.ask<{ elapsedMs: number[] }>({ do: "connect", times: handshakes });
  await worker.stop();
  return median(elapsedMs);
}

async function compareMemory(port: number): Promise<void> {
  const heap: Record<string, number> = {};
  const rss: Record<string, number> = {};
  for (const library of ["bare TLS", ...libraries] as const) {
    const { heapBytes, rssBytes } = await memoryOf(library, port, connections);
    [heap[library], rss[library]] = [heapBytes, rssBytes];
  }
  const kilobytes = (bytes: number): string => (bytes / 1000).toFixed(1);
  const { "bare TLS": bareHeap = 0, ...heaps } = heap;
  const { "bare TLS": bareRss = 0, ...all } = rss;
  const above = Object.fromEntries(Object.entries(heaps).map(([name, bytes]) => [name, bytes - bareHeap]));
  // The SDK's connections live outside the JavaScript heap: the aim is against `mqtt`.
  tell(
    `heap of a connection above bare TLS`,
    { thingline: above["thingline"] ?? NaN, mqtt: above["mqtt"] ?? NaN },
    {
      ...{ unit: "kB", format: kilobytes, isMore: false },
      aim: 0.25,
    },
  );
  tell("resident memory of a connection", all, { unit: "kB", format: kilobytes, isMore: false });
  if (!values.json) {
    say(
      `${"".padEnd(4)}bare TLS: ${kilobytes(bareHeap)} kB heap, ${kilobytes(bareRss)} kB resident; ${connections} connections`,
    );
  }
}

async function memoryOf(
  library: Library,
  port: number,
  count: number,
): Promise<{ heapBytes: number; rssBytes: number }> {
  const worker = await start({ library, folder, port }, ["--expose-gc"]);
  const order: Order = { do: "keep", connections: count };
  const memory = await worker.ask<{ heapBytes: number; rssBytes: number }>(order);
  await worker.stop();
  return memory;
}

async function compareImports(): Promise<void> {
  const figures: Record<string, number> = {};
  for (const library of libraries) {
    figures[library] = await importMs(library, values.quick ? 3 : 9);
  }
  tell("import", figures, { unit: "ms", format: (ms) => ms.toFixed(0), isMore: false });
}

async function importMs(library: Library, times: number): Promise<number> {
  const elapsedMs: number[] = [];
  for (let round = 0; round < times; round++) {
    const worker = new Worker(file("client-import.js"), [library]);
    elapsedMs.push((await worker.next<{ elapsedMs: number }>()).elapsedMs);
    await worker.stop();
  }
  return median(elapsedMs);
}

function compareSizes(): void {
  const figures = Object.fromEntries(
    libraries.map((library) => [library, installedBytes(library === "thingline" ? "@thingline/device" : library)]),
  );
  tell("installed", figures, { unit: "MB", format: (bytes) => (bytes / 1e6).toFixed(1), isMore: false });
}

/** A package with everything that it depends on, as npm lays it out. Of our own, what would be published. */
function installedBytes(name: string): number {
  const seen = new Set<string>();
  const visit = (wanted: string, from: string): number => {
    const place = find(wanted, from);
    if (place === undefined || seen.has(place)) return 0;
    seen.add(place);
    const manifest = JSON.parse(readFileSync(join(place, "package.json"), "utf8")) as {
      dependencies?: Record<string, string>;
    };
    const isOurs = wanted.startsWith("@thingline/");
    let bytes = sizeOf(isOurs ? join(place, "dist") : place, isOurs);
    for (const dependency of Object.keys(manifest.dependencies ?? {})) bytes += visit(dependency, place);
    return bytes;
  };
  return visit(name, root);
}

function find(name: string, from: string): string | undefined {
  for (let folder = from; ; folder = dirname(folder)) {
    const place = join(folder, "node_modules", name);
    if (existsSync(place)) return place;
    if (folder === dirname(folder)) return undefined;
  }
}

function sizeOf(folder: string, isOurs: boolean): number {
  let bytes = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) bytes += entry.name === "node_modules" ? 0 : sizeOf(path, isOurs);
    else if (!isOurs || !/\.test\.|\.map$|\.tsbuildinfo$/u.test(entry.name)) bytes += statSync(path).size;
  }
  return bytes;
}
