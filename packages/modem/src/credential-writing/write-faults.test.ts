// Whatever happens to line, modem and power while credentials are written: the report says what is in the tag, nothing half-written is called
// good, a tag keeps what it has until something else was proved, and another run completes the work.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError, toHex } from "@thingline/protocol";
import { makeTestCertificates } from "@thingline/transport/contract";
import { createVirtualClock, createVirtualFiles, type VirtualFiles } from "@thingline/transport/virtual";
import { modemBehaviourPresets } from "../simulator/behaviour/presets.js";
import type { SimulatedModem } from "../simulator/modem.js";
import { defaultScratchTag, type WriteCredentialsReport } from "./types.js";
import { writeCredentials } from "./write-credentials.js";
import { type ChunkFault, openWritingWorld, storedIn, testKeys } from "./writing-world.test.support.js";

const { ca, client, server } = await makeTestCertificates(testKeys);
const wanted = { ca: ca.certificatePem, certificate: client.certificatePem, privateKey: client.privateKeyPem };
const others = { ca: server.certificatePem, certificate: server.certificatePem, privateKey: server.privateKeyPem };
const digestOf = (text: string) => toHex(testKeys.sha256(new TextEncoder().encode(text))).toUpperCase();
const typeNumbers = { ca: 0, certificate: 1, privateKey: 2 } as const;
type Type = keyof typeof typeNumbers;
const types: readonly Type[] = ["ca", "certificate", "privateKey"];
const secTag = 42;

interface Scenario {
  name: string;
  /** What the tag has before. */
  before: Partial<Record<Type, string>>;
  withProof: boolean;
  /** The modem's mode before. */
  mode: 0 | 1;
}

const scenarios: readonly Scenario[] = [
  { name: "into an empty tag", before: {}, withProof: false, mode: 1 },
  { name: "over other credentials", before: others, withProof: false, mode: 1 },
  { name: "over other credentials, proved", before: others, withProof: true, mode: 1 },
  { name: "what a cut left, proved", before: { privateKey: wanted.privateKey }, withProof: true, mode: 0 },
];

type Fault =
  | { kind: ChunkFault; chunk: number }
  | { kind: "cutAtStorage"; write: number; phase: "before" | "after" }
  | { kind: "refuse"; cme: 515 | 528 };

const chunkFaults: readonly ChunkFault[] = ["unplug", "halfThenUnplug", "lose", "garble", "mute", "cutPower"];

/** A tag as the modem has it, by type. */
type Truth = Partial<Record<Type, string>>;

async function truthOf(
  modem: SimulatedModem,
  clock: ReturnType<typeof createVirtualClock>,
  tag: number,
): Promise<Truth> {
  const truth: Truth = {};
  for (const line of await storedIn(modem, clock, tag)) {
    const [, number, digest] = /^%CMNG: \d+,(\d+),"([0-9A-F]{64})"$/u.exec(line) ?? [];
    const type = types.find((each) => String(typeNumbers[each]) === number);
    if (type !== undefined && digest !== undefined) truth[type] = digest;
  }
  return truth;
}

/** Boots a modem with what the scenario wants there. */
async function prepare({ before, mode }: Scenario, files: VirtualFiles, clock: ReturnType<typeof createVirtualClock>) {
  const world = await openWritingWorld({ files, clock });
  for (const type of types) {
    const content = before[type];
    if (content !== undefined)
      await clock.until(world.modem.at(`AT%CMNG=0,${secTag},${typeNumbers[type]},"${content}"`));
  }
  await clock.until(world.modem.at(`AT+CFUN=${mode}`));
  await clock.advance(5_000);
  await clock.until(world.session.close());
  return world.modem;
}

interface Run {
  chunks: number;
  storageWrites: number;
}

/** One write with one fault, its checks, and the run that completes it. */
async function run(scenario: Scenario, fault: Fault | undefined): Promise<Run> {
  const label = `${scenario.name}: ${JSON.stringify(fault)}`;
  const clock = createVirtualClock();
  const files = createVirtualFiles();
  const prepared = await prepare(scenario, files, clock);
  const isChunkFault = fault !== undefined && "chunk" in fault;
  const first = await openWritingWorld({
    files,
    clock,
    runningModem: prepared,
    fault: isChunkFault ? fault : undefined,
  });
  if (fault?.kind === "cutAtStorage") first.modem.faults.cutPowerAtWrite(fault.write, fault.phase);
  if (fault?.kind === "refuse") first.modem.faults.refuseWrites({ cme: fault.cme, count: 1 });
  let hasPower = true;
  void first.modem.closed.then(() => (hasPower = false));
  let isProved = false;
  const write = async (world: typeof first): Promise<WriteCredentialsReport> => {
    const prove = async () => {
      isProved = true;
    };
    const options = { keys: testKeys, clock, networkTimeoutMs: 60_000, ...(scenario.withProof && { prove }) };
    return clock.until(writeCredentials(world.session, { secTag, credentials: wanted }, options));
  };
  const writesBefore = files.writeCount;
  const report = await write(first);
  // A write of the storage replaces a file, which is three of the disk.
  const storageWrites = Math.floor((files.writeCount - writesBefore) / 3);
  await clock.until(first.session.close());
  await clock.settle();

  // What is in the modem in truth: it lies on its disk.
  const modem = hasPower ? first.modem : (await openWritingWorld({ files, clock })).modem;
  const truth = await truthOf(modem, clock, secTag);
  checkReport(report, truth, label);
  if (report.modem?.isRestored === true && hasPower) {
    assert.equal(await clock.until(modem.at("AT+CFUN?")), `+CFUN: ${scenario.mode}\r\nOK\r\n`, label);
    assert.equal(await clock.until(modem.at("AT+CMEE?")), "+CMEE: 0\r\nOK\r\n", label);
  }
  if (scenario.withProof && !isProved) {
    for (const type of types) {
      const old = scenario.before[type];
      if (old !== undefined) assert.equal(truth[type], digestOf(old), `${label}: ${type} was touched before a proof`);
    }
  }

  const again = await write(await openWritingWorld({ files, clock, runningModem: modem }));
  assert.equal(again.failure, undefined, label);
  assert.ok(again.result !== "failed" && again.items.every(({ state }) => state === "equal"), label);
  assert.equal(again.modem?.isRestored, true, label);
  assert.equal(again.leftInScratchTag, undefined, label);
  const end = await truthOf(modem, clock, secTag);
  for (const type of types) assert.equal(end[type], digestOf(wanted[type]), label);
  assert.deepEqual(await truthOf(modem, clock, defaultScratchTag), {}, label);
  return { chunks: first.chunks(), storageWrites };
}

function checkReport(report: WriteCredentialsReport, truth: Truth, label: string): void {
  for (const { type, state } of report.items) {
    const found = truth[type as Type];
    const real = found === undefined ? "missing" : found === digestOf(wanted[type as Type]) ? "equal" : "differs";
    if (state !== "unknown") assert.equal(state, real, `${label}: ${type}`);
    if (report.result !== "failed") assert.equal(real, "equal", `${label}: ${type} is called good`);
  }
  assert.equal(report.result === "failed", report.failure !== undefined, label);
  if (report.failure !== undefined) assert.ok(isThinglineError(report.failure), label);
  if (report.oldCredentials === "kept") {
    for (const type of types) assert.notEqual(truth[type], undefined, `${label}: the old ${type} is said to be kept`);
  }
}

const isLong = process.env["THINGLINE_TEST_LONG"] === "1";
/** Of the ordinary run; each scenario begins at another place. */
const sampleEvery = 101;

test("at every cut point of a write the report is true, and another run completes it", async (context) => {
  let points = 0;
  let ran = 0;
  for (const [offset, scenario] of scenarios.entries()) {
    const clean = await run(scenario, undefined);
    const faults: Fault[] = [];
    for (let chunk = 1; chunk <= clean.chunks; chunk++) {
      for (const kind of chunkFaults) faults.push({ kind, chunk });
    }
    for (let write = 1; write <= clean.storageWrites; write++) {
      for (const phase of ["before", "after"] as const) faults.push({ kind: "cutAtStorage", write, phase });
    }
    for (const cme of [515, 528] as const) faults.push({ kind: "refuse", cme });
    points += faults.length;
    for (const [at, fault] of faults.entries()) {
      if (!isLong && (at + offset * 7) % sampleEvery !== 0) continue;
      await run(scenario, fault);
      ran++;
    }
  }
  assert.ok(points >= 300, String(points));
  context.diagnostic(`${points} cut points, ${ran} of them in this run`);
});

for (const name of ["powerCut", "writeFailure", "slowFlash", "lostLink"] as const) {
  test(`with the behaviour ${name} of the simulated modem a report is true, and another run completes the work`, async () => {
    const clock = createVirtualClock();
    const files = createVirtualFiles();
    const first = await openWritingWorld({ files, clock, modem: { behaviour: modemBehaviourPresets[name] } });
    const options = { keys: testKeys, clock };
    const write = (world: typeof first) =>
      clock.until(writeCredentials(world.session, { secTag, credentials: wanted }, options));
    let hasPower = true;
    void first.modem.closed.then(() => (hasPower = false));
    const report = await write(first);
    assert.equal(report.result === "failed", name === "powerCut" || name === "writeFailure");
    await clock.settle();
    if (hasPower) {
      checkReport(report, await truthOf(first.modem, clock, secTag), name);
      await clock.until(first.modem.close());
    }
    const second = await openWritingWorld({ files, clock });
    assert.notEqual((await write(second)).result, "failed");
    const end = await truthOf(second.modem, clock, secTag);
    for (const type of types) assert.equal(end[type], digestOf(wanted[type]), name);
  });
}
