// npm run bench -- broker [--seconds N] [--rounds N] [--only PATTERN] [--json]
// Messages per second delivered by our broker, Mosquitto and aedes under the same load, on plain TCP on the loopback.
import { fork, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import { startAedes, startMosquitto, startThingline, type BenchServer } from "./broker-servers.js";
import type { LoadResult, LoadTask } from "./load.js";
import { answerOwnRows, ownRowsOptions, type OwnMeasurement } from "./own-rows.js";
import { fail, median, positive, readOptions, row, say, thousands } from "./tools.js";

type Shape = Pick<LoadTask, "publishers" | "subscribers" | "routing" | "windowMessages">;

/** Windows are such that no broker has a reason to drop: at most some 2 MB of deliveries are on their way. */
const shapes: Record<string, Shape> = {
  "1to1": { publishers: 1, subscribers: 1, routing: "pairs", windowMessages: 1_000 },
  "50to50": { publishers: 50, subscribers: 50, routing: "pairs", windowMessages: 100 },
  "50to1": { publishers: 50, subscribers: 1, routing: "all", windowMessages: 100 },
  "1to100": { publishers: 1, subscribers: 100, routing: "all", windowMessages: 200 },
};
const payloadBytes = 100;
const warmUpSeconds = 0.5;
const widths = [14, 14] as const;

const values = readOptions({
  seconds: { type: "string", default: "2" },
  rounds: { type: "string", default: "3" },
  only: { type: "string", default: "" },
  json: { type: "boolean", default: false },
  ...ownRowsOptions,
});
const seconds = positive("seconds", values.seconds);
const rounds = positive("rounds", values.rounds);

const patterns = Object.entries(shapes)
  .flatMap(([name, shape]) => ([0, 1] as const).map((qos) => ({ name: `${name} qos${qos}`, shape, qos })))
  .filter(({ name }) => name.includes(values.only));
if (patterns.length === 0) fail(`--only ${values.only}: no such pattern; there are ${Object.keys(shapes).join(", ")}`);

const own = patterns.map(({ name, shape, qos }): OwnMeasurement => ({
  rows: [{ name, unit: "messages/s", isMore: true }],
  measure: async () => {
    const task = { ...shape, qos, payloadBytes, warmUpSeconds, seconds };
    const result = await withServers([startThingline()], ([server], generator) =>
      load(generator, { ...task, port: server!.port }),
    );
    if (result.error !== undefined) fail(result.error);
    return [result.messagesPerSecond];
  },
}));
if (!(await answerOwnRows(values, own))) {
  await withServers([startThingline(), startMosquitto(), startAedes()], compare);
}

async function withServers<Result>(
  starting: readonly ReturnType<typeof startThingline>[],
  work: (servers: readonly BenchServer[], generator: ChildProcess) => Promise<Result>,
): Promise<Result> {
  const servers = (await Promise.all(starting)).filter((server) => server !== undefined);
  const generator = fork(fileURLToPath(new URL("load.js", import.meta.url)), [], { stdio: ["ignore", 2, 2, "ipc"] });
  try {
    return await work(servers, generator);
  } finally {
    generator.kill();
    await Promise.all(servers.map((server) => server.stop()));
  }
}

async function compare(servers: readonly BenchServer[], generator: ChildProcess): Promise<void> {
  if (!values.json) {
    say(servers.map(({ name, version }) => `${name} (${version})`).join(", "));
    say(`Messages delivered per second, median of ${rounds} rounds of ${seconds} s; ${payloadBytes}-byte payload.\n`);
    const ratios = servers.slice(1).map(({ name }) => `vs ${name}`);
    say(row(["pattern", ...servers.map(({ name }) => name), ...ratios, "generator"], widths));
  }
  for (const { name, shape, qos } of patterns) {
    const { rates, generatorLoad } = await measure(servers, generator, { shape, qos });
    const [ours = 0, ...others] = servers.map((server) => median(rates.get(server.name)!));
    const ratios = others.map((other) => (other === 0 ? Infinity : ours / other));
    if (values.json) {
      const perSecond = Object.fromEntries(servers.map((server) => [server.name, median(rates.get(server.name)!)]));
      say(JSON.stringify({ pattern: name, perSecond, generatorLoad }));
      continue;
    }
    const load = `${Math.round(generatorLoad * 100)}%`;
    say(
      row([name, ...[ours, ...others].map(thousands), ...ratios.map((ratio) => `${ratio.toFixed(2)}x`), load], widths),
    );
  }
}

/** Rounds are interleaved, so that a noisy neighbour hits all brokers alike. */
async function measure(
  servers: readonly BenchServer[],
  generator: ChildProcess,
  { shape, qos }: { shape: Shape; qos: 0 | 1 },
): Promise<{ rates: Map<string, number[]>; generatorLoad: number }> {
  const rates = new Map<string, number[]>(servers.map(({ name }) => [name, []]));
  let generatorLoad = 0;
  for (let round = 0; round < rounds; round++) {
    for (const { name, port } of servers) {
      const result = await load(generator, { ...shape, port, qos, payloadBytes, warmUpSeconds, seconds });
      if (result.error !== undefined) process.stderr.write(`${name}: ${result.error}\n`);
      rates.get(name)!.push(result.messagesPerSecond);
      generatorLoad = Math.max(generatorLoad, result.generatorLoad);
    }
  }
  return { rates, generatorLoad };
}

function load(process: ChildProcess, task: LoadTask): Promise<LoadResult> {
  return new Promise((resolve) => {
    process.once("message", (result: LoadResult) => resolve(result));
    process.send(task);
  });
}
