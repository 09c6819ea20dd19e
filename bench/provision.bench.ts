// npm run bench -- provision [--devices N] [--lanes N] [--rounds N] [--quick] [--json]
// Devices provisioned a second, end to end: from a claim to a connection with a certificate of their own. Beside each, in the same round, a
// bare loop of the same keys, signatures and two handshakes between two processes (decision 0259); how long a thousand at once take; and where
// the time goes.
import { cpus, loadavg } from "node:os";
import { fileURLToPath } from "node:url";
import { answerOwnRows, type OwnMeasurement, ownRowsOptions } from "./own-rows.js";
import {
  type BareFacts,
  type BareServerFacts,
  type BareServerTask,
  type BareTask,
  type DevicesFacts,
  type DevicesTask,
  type ProcessorFacts,
  type ProvisionCloudFacts,
  type ProvisionCloudTask,
  type ProvisionKind,
  provisionKinds,
} from "./provision-kinds.js";
import { median, positive, readOptions, row, say, Worker } from "./tools.js";

const values = readOptions({
  devices: { type: "string" },
  lanes: { type: "string" },
  rounds: { type: "string" },
  quick: { type: "boolean", default: false },
  json: { type: "boolean", default: false },
  ...ownRowsOptions,
});
const quick = values.quick;
/** RSA keys take some 50 ms each: fewer of them fill a round as well. */
const ecDevices = positive("devices", values.devices ?? (quick ? "16" : "400"));
const lanes = positive("lanes", values.lanes ?? "32");
const rounds = positive("rounds", values.rounds ?? (quick ? "1" : "5"));
const atOnce = quick ? 50 : 1_000;
/** How much longer than the bare loop it may take. */
const allowed = 1.2;
const widths = [30, 15] as const;
const file = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const missed: string[] = [];
const countOf = ({ keyKind }: ProvisionKind): number => Math.ceil(keyKind === "rsa-2048" ? ecDevices / 4 : ecDevices);

const shortName = ({ method, keysOf, keyKind }: ProvisionKind): string =>
  `${method.kind} ${keysOf === "cloud" ? "keys" : "csr"} ${keyKind.slice(0, 3)}`.replace(/-$/, "");

let runs = 0;

class Setting {
  readonly #cloud = new Worker(file("provision-cloud.js"));
  readonly #devices = new Worker(file("provision-devices.js"));
  #facts: ProvisionCloudFacts | undefined;

  async facts(): Promise<ProvisionCloudFacts> {
    return (this.#facts ??= await this.#ask<ProvisionCloudFacts>({ do: "open" }));
  }

  #ask<Answer>(task: ProvisionCloudTask): Promise<Answer> {
    return this.#cloud.ask(task);
  }

  async provision(kind: ProvisionKind, count: number, width: number): Promise<Timed & DevicesFacts> {
    const cloud = await this.facts();
    const task: DevicesTask = { count, lanes: width, kind, prefix: `device-${process.pid}-${++runs}`, cloud };
    const before = await this.#ask<ProcessorFacts>({ do: "askProcessor" });
    const facts = await this.#devices.ask<DevicesFacts>(task);
    const after = await this.#ask<ProcessorFacts>({ do: "askProcessor" });
    return { ...facts, cloudCpuSeconds: after.cpuSeconds - before.cpuSeconds };
  }

  async close(): Promise<void> {
    await this.#ask({ do: "close" });
    await Promise.all([this.#cloud.stop(), this.#devices.stop()]);
  }
}

interface Timed {
  seconds: number;
  cpuSeconds: number;
  cloudCpuSeconds: number;
}

/** The bare loop, with the listener's certificate and the same claim. */
async function runBare(
  kind: ProvisionKind,
  count: number,
  { claim, server, own }: ProvisionCloudFacts,
): Promise<Timed> {
  const [listener, client] = [
    new Worker(file("provision-bare-server.js")),
    new Worker(file("provision-bare-client.js")),
  ];
  const ask = <Answer>(task: BareServerTask): Promise<Answer> => listener.ask(task);
  try {
    const keyKind = kind.keyKind;
    const isCloud = kind.keysOf === "cloud";
    const { port } = await ask<BareServerFacts>({
      do: "listen",
      server,
      keyKind: isCloud ? keyKind : undefined,
      issued: own[keyKind].certificate,
    });
    const task: BareTask = { count, lanes, keyKind: isCloud ? undefined : keyKind, port, claim, own: own[keyKind] };
    // Once without the clock, as the cloud's processes are warm by then too.
    await client.ask<BareFacts>({ ...task, count: Math.ceil(count / 4) });
    const before = await ask<ProcessorFacts>({ do: "askProcessor" });
    const facts = await client.ask<BareFacts>(task);
    const after = await ask<ProcessorFacts>({ do: "askProcessor" });
    return { ...facts, cloudCpuSeconds: after.cpuSeconds - before.cpuSeconds };
  } finally {
    await ask({ do: "close" });
    await Promise.all([listener.stop(), client.stop()]);
  }
}

if (!(await answerOwnRows(values, ownMeasurements()))) await compareAll();

async function compareAll(): Promise<void> {
  if (!values.json) {
    const load = loadavg()[0]?.toFixed(1) ?? "unknown";
    say(`${cpus().length} x ${cpus()[0]?.model ?? "unknown processor"}, Node ${process.versions.node}, load ${load}`);
    say(`A cloud and all devices in a process each, ${lanes} devices at a time; median of ${rounds} rounds.`);
  }
  const setting = new Setting();
  try {
    await compareKinds(setting);
    await showAtOnce(setting);
    await showSteps(setting);
  } finally {
    await setting.close();
  }
  if (!values.json) say(missed.length === 0 ? "\nEvery aim is reached." : `\nNot reached: ${missed.join("; ")}.`);
}

function title(text: string, ...columns: string[]): void {
  if (!values.json) say(`\n${row([text, ...columns], widths)}`);
}

function tell(facts: { name: string } & Record<string, unknown>, ...cells: string[]): void {
  say(values.json ? JSON.stringify(facts) : row([facts.name, ...cells], widths));
}

async function compareKinds(setting: Setting): Promise<void> {
  title(
    "provisioned a second",
    "ours",
    "bare loop",
    "time, ratio",
    "cloud cpu, ms",
    "device cpu, ms",
    "bare cpu, ms",
    `aim ${allowed}`,
  );
  for (const kind of provisionKinds) {
    const count = countOf(kind);
    await setting.provision(kind, Math.ceil(count / 4), lanes);
    const ours: (Timed & DevicesFacts)[] = [];
    const bare: Timed[] = [];
    for (let round = 0; round < rounds; round++) {
      // Side by side in each round, so that a noisy neighbour hits both alike.
      ours.push(await setting.provision(kind, count, lanes));
      bare.push(await runBare(kind, count, await setting.facts()));
    }
    const ratio = median(ours.map(({ seconds }, at) => seconds / bare[at]!.seconds));
    const perSecond = (runs: Timed[]) => count / median(runs.map(({ seconds }) => seconds));
    const cpuMs = (values: number[]) => (median(values) / count) * 1_000;
    const cloudMs = cpuMs(ours.map(({ cloudCpuSeconds }) => cloudCpuSeconds));
    const deviceMs = cpuMs(ours.map(({ cpuSeconds }) => cpuSeconds));
    const bareMs = cpuMs(bare.map(({ cpuSeconds, cloudCpuSeconds }) => cpuSeconds + cloudCpuSeconds));
    const isReached = ratio <= allowed;
    if (!isReached) missed.push(kind.name);
    const rates = [perSecond(ours), perSecond(bare)];
    tell(
      { name: kind.name, ours: rates[0], bare: rates[1], ratio, cloudMs, deviceMs, bareMs, isReached },
      ...rates.map((rate) => rate.toFixed(1)),
      ...[ratio, cloudMs, deviceMs, bareMs].map((value) => value.toFixed(2)),
      isReached ? "reached" : "MISSED",
    );
  }
}

async function showAtOnce(setting: Setting): Promise<void> {
  title(`${atOnce} devices at once`, "seconds", "a second", "retries");
  for (const kind of provisionKinds.filter(({ keyKind }) => keyKind === "ec-p256" || !quick)) {
    const { seconds, notes } = await setting.provision(kind, atOnce, atOnce);
    const facts = { name: kind.name, devices: atOnce, seconds, notes };
    tell(facts, seconds.toFixed(1), (atOnce / seconds).toFixed(1), String(notes));
  }
}

/** One device after the other: what each step takes when nothing else is done. */
async function showSteps(setting: Setting): Promise<void> {
  const count = quick ? 2 : 40;
  const found = [];
  for (const kind of provisionKinds) found.push((await setting.provision(kind, count, 1)).steps);
  title("one at a time, ms a step", ...provisionKinds.map(shortName));
  const names = [...new Set(found.flatMap((steps) => steps.map(({ name }) => name)))];
  for (const name of names) {
    const times = found.map((steps) => steps.find((step) => step.name === name)?.ms);
    tell({ name, ms: times }, ...times.map((ms) => ms?.toFixed(2) ?? ""));
  }
}

function ownMeasurements(): OwnMeasurement[] {
  return provisionKinds.map((kind) => ({
    rows: [
      { name: kind.name, unit: "a second", isMore: true },
      { name: `${kind.name}, processor of the cloud`, unit: "ms a device", isMore: false },
    ],
    measure: async () => {
      const setting = new Setting();
      try {
        const count = countOf(kind);
        await setting.provision(kind, Math.ceil(count / 4), lanes);
        const { seconds, cloudCpuSeconds } = await setting.provision(kind, count, lanes);
        return [count / seconds, (cloudCpuSeconds / count) * 1_000];
      } finally {
        await setting.close();
      }
    },
  }));
}
