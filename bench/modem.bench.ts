// The simulated modem: commands a second in process, over a port, and through a session, beside a bare echo on the same pair of connections;
// and many modems in one process. Prints rates, ratios, and memory.
//   npm run bench -- modem [--seconds N] [--modems N] [--json]
import { openModemSession } from "@thingline/modem";
import { createSimulatedModem, type SimulatedModem } from "@thingline/modem/simulator";
import { type Connection, createConnectionPair, type Dialer } from "@thingline/transport";
import { createNodeClock, createNodeKeys, createNodeRandom } from "@thingline/transport/node";
import { answerOwnRows, ownRowsOptions, type OwnMeasurement } from "./own-rows.js";
import { fail, median, positive, readOptions, row, say, thousands } from "./tools.js";

const values = readOptions({
  seconds: { type: "string", default: "0.5" },
  modems: { type: "string", default: "200" },
  json: { type: "boolean", default: false },
  ...ownRowsOptions,
});
const measureMs = positive("seconds", values.seconds) * 1000;
const modemCount = positive("modems", values.modems);

/** What the simulated modem has to do at least, commands a second in process. */
const requiredRate = 20_000;
const commands = ["AT", "AT+CFUN?", "AT+CEREG?", "AT%CMNG=1,43", 'AT%CMNG=0,43,4,"identity"'] as const;
const noNetwork: Dialer = { dial: () => Promise.reject(new Error("nobody dials in this bench")) };
const clock = createNodeClock();
const random = createNodeRandom();
const keys = createNodeKeys();

const bootModem = (): Promise<SimulatedModem> => createSimulatedModem({ network: noNetwork, clock, random, keys });

/** Rounds a second: the median of three measurements after a warm-up. */
async function rate(round: () => Promise<void>): Promise<number> {
  const measure = async (ms: number): Promise<number> => {
    const started = performance.now();
    let rounds = 0;
    while (performance.now() - started < ms) {
      await round();
      rounds++;
    }
    return (rounds * 1000) / (performance.now() - started);
  };
  await measure(measureMs / 2);
  return median([await measure(measureMs / 3), await measure(measureMs / 3), await measure(measureMs / 3)]);
}

/** Sends bytes and waits until an answer has come whole. */
function asker(connection: Connection, isWhole: (received: number, last: Uint8Array) => boolean) {
  let received = 0;
  let arrived: () => void = () => undefined;
  connection.start({
    data: (bytes) => {
      received += bytes.length;
      if (!isWhole(received, bytes)) return;
      received = 0;
      arrived();
    },
    closed: () => undefined,
  });
  return (bytes: Uint8Array): Promise<void> =>
    new Promise((resolve) => {
      arrived = resolve;
      connection.write(bytes);
    });
}

/** `OK` or `ERROR` at the end. */
const isFinal = (_received: number, last: Uint8Array): boolean =>
  last.at(-1) === 0x0a && (last.at(-3) === 0x4b || last.at(-3) === 0x52);

async function inProcess(command: string): Promise<number> {
  const modem = await bootModem();
  const result = await rate(async () => void (await modem.at(command)));
  await modem.close();
  return result;
}

async function overPort(command: string): Promise<number> {
  const modem = await bootModem();
  const ask = asker(modem.openPort(), isFinal);
  const line = new TextEncoder().encode(`${command}\r`);
  const result = await rate(() => ask(line));
  await modem.close();
  return result;
}

async function throughSession(command: string): Promise<number> {
  const modem = await bootModem();
  const session = openModemSession(modem.openPort(), { clock });
  const result = await rate(async () => void (await session.command(command)));
  await session.close();
  await modem.close();
  return result;
}

/** The peer: what a pair of connections carries when the other end sends back what it got, and does nothing else. */
async function bareEcho(command: string): Promise<number> {
  const { near, far } = createConnectionPair({ clock });
  far.start({ data: (bytes) => far.write(bytes), closed: () => undefined });
  const line = new TextEncoder().encode(`${command}\r`);
  const ask = asker(near, (received) => received >= line.length);
  const result = await rate(() => ask(line));
  near.destroy();
  return result;
}

interface Crowd {
  bootMs: number;
  /** Of all together. */
  rate: number;
  /** Heap of each. */
  bytesEach: number;
  /** Heap that is left of each when all are closed. */
  bytesLeftEach: number;
}

function heapBytes(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

async function crowd(count: number): Promise<Crowd> {
  // Once before: what is loaded and compiled with the first is not counted.
  await (await bootModem()).close();
  const before = heapBytes();
  const started = performance.now();
  let modems = await Promise.all(Array.from({ length: count }, bootModem));
  const bootMs = performance.now() - started;
  for (const modem of modems) await modem.at("AT+CFUN=1");
  const bytesEach = (heapBytes() - before) / count;
  const together = await rate(async () => void (await Promise.all(modems.map((modem) => modem.at("AT+CEREG?")))));
  await Promise.all(modems.map((modem) => modem.close()));
  modems = [];
  const bytesLeftEach = Math.max(0, (heapBytes() - before) / count);
  return { bootMs, rate: together * count, bytesEach, bytesLeftEach };
}

const more = (name: string) => ({ name, unit: "1/s", isMore: true });
const own: OwnMeasurement[] = [
  ...commands.map((command) => ({
    rows: [more(`in process ${command}`)],
    measure: async () => [await inProcess(command)],
  })),
  { rows: [more("port AT+CFUN?")], measure: async () => [await overPort("AT+CFUN?")] },
  { rows: [more("session AT+CFUN?")], measure: async () => [await throughSession("AT+CFUN?")] },
  {
    rows: [more(`${modemCount} modems`), { name: "heap of a modem", unit: "byte", isMore: false }],
    measure: async () => {
      const { rate: together, bytesEach } = await crowd(modemCount);
      return [together, bytesEach];
    },
  },
];

if (!(await answerOwnRows(values, own))) {
  const lines: { command: string; inProcess: number; port: number; session: number; echo: number }[] = [];
  for (const command of commands) {
    lines.push({
      command,
      inProcess: await inProcess(command),
      port: await overPort(command),
      session: await throughSession(command),
      echo: await bareEcho(command),
    });
  }
  const many = await crowd(modemCount);
  if (values.json) say(JSON.stringify({ lines, many }));
  else {
    const widths = [28, 14] as const;
    say("commands a second, one after the other:");
    say(row(["", "in process", "port", "session", "bare echo", "port/echo"], widths));
    for (const { command, inProcess: at, port, session, echo } of lines) {
      const ratio = `${(port / echo).toFixed(2)}x`;
      say(row([command, thousands(at), thousands(port), thousands(session), thousands(echo), ratio], widths));
    }
    const kilobytes = (bytes: number) => `${(bytes / 1024).toFixed(1)} KB`;
    say(`\n${modemCount} modems in one process:`);
    say(`  booted in ${many.bootMs.toFixed(0)} ms, ${thousands(many.rate)} commands a second together`);
    const isExact = globalThis.gc !== undefined;
    say(`  heap of each ${kilobytes(many.bytesEach)}, left of each when closed ${kilobytes(many.bytesLeftEach)}`);
    if (!isExact) say("  (exact with node --expose-gc bench/dist/modem.bench.js)");
  }
  const slowest = Math.min(...lines.map((line) => line.inProcess));
  if (slowest < requiredRate) fail(`${slowest.toFixed(0)} commands a second in process, ${requiredRate} are required`);
}
