// The firmware of a modem, updated by a job: the simulated modem applies a delta image when it starts, and tells what came of it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createFirmwareUpdater, createHttpDownloader, createModemTarget, type FotaEvent } from "@thingline/device/fota";
import type { JobOutcome, RunningJob } from "@thingline/device/jobs";
import { createSimulatedModem, makeSimulatedModemDelta, type SimulatedModem } from "@thingline/modem/simulator";
import {
  createProcessClock,
  createVirtualClock,
  createVirtualFiles,
  createVirtualKeys,
  createVirtualNetwork,
  createVirtualRandom,
} from "@thingline/transport/virtual";
import { serveUpdateFiles } from "./update-files.test.support.js";

const from = "mfw_nrf9160_1.3.2";
const to = "mfw_nrf9160_1.3.7";
const good = makeSimulatedModemDelta({ from, to, sizeBytes: 20_000 });
const damaged = good.slice();
damaged[9_000] = (damaged[9_000] ?? 0) ^ 1;

interface Options {
  image: Uint8Array;
  fwversion?: string;
  isVoltageLow?: boolean;
  /** Cuts the power before so many writes of the disk of modem and device. */
  cutAt?: number;
  /** Something lies in the area already. */
  isUsed?: boolean;
}

async function update({ image, fwversion, isVoltageLow = false, cutAt, isUsed = false }: Options) {
  const clock = createVirtualClock();
  const random = createVirtualRandom(1);
  const network = createVirtualNetwork({ clock, random });
  let files = createVirtualFiles();
  const server = await clock.until(
    serveUpdateFiles(network, { host: "files.test", port: 80 }, { answers: [], bytes: image, otherBytes: image }),
  );
  const events: FotaEvent[] = [];
  const location = { url: "http://files.test/modem.bin" };
  const document = { operation: "app_fw_update", location, ...(fwversion !== undefined && { fwversion }) };
  let outcome: Exclude<JobOutcome, { status: "IN_PROGRESS" }> | undefined;
  let modem: SimulatedModem | undefined;
  let startCount = 0;
  let writes = 0;
  let isCut = false;

  async function start(): Promise<void> {
    startCount += 1;
    assert.ok(startCount < 12, "it starts for ever");
    const ownClock = createProcessClock(clock);
    let end: (() => void) | undefined;
    let isOver = false;
    const ended = new Promise<void>((resolve) => {
      end = () => {
        isOver = true;
        resolve();
      };
    });
    if (cutAt !== undefined && cutAt > writes && !isCut) {
      const onPowerLoss = (): void => {
        isCut = true;
        end?.();
      };
      files = files.restartProcess({ powerLossBeforeWrite: cutAt - writes, onPowerLoss });
    }
    const keys = createVirtualKeys({ random });
    const life = (async () => {
      modem = await createSimulatedModem({
        network,
        clock: ownClock,
        random,
        keys,
        files,
        folder: "/modem",
        isVoltageLow,
      });
      if (isUsed && startCount === 1) {
        await modem.firmware.write(0, makeSimulatedModemDelta({ from, to: "mfw_other" }));
        await modem.firmware.schedule();
      }
      const updater = createFirmwareUpdater({
        files,
        journalPath: "/device/fota.json",
        clock: ownClock,
        random,
        targets: [createModemTarget({ firmware: modem.firmware })],
        downloaders: [createHttpDownloader({ clock: ownClock, dialer: network, rangeBytes: 4_096 })],
        connected: () => Promise.resolve(),
        reboot: () => {
          end?.();
          return new Promise(() => undefined);
        },
        onEvent: (event) => void events.push(event),
        limits: { syncBytes: 4_096 },
      });
      const job: RunningJob = {
        jobId: "modem",
        executionNumber: 1,
        operation: "app_fw_update",
        document,
        statusDetails: {},
        isResumed: startCount > 1,
        signal: new AbortController().signal,
        report: () => Promise.resolve(),
        freshDocument: () => Promise.resolve(document),
      };
      const came = (await updater.handler(job)) as JobOutcome;
      // Without power it says nothing any more.
      if (isOver || came.status === "IN_PROGRESS") return;
      outcome = came;
      end?.();
    })();
    life.catch(() => undefined);
    await ended;
    writes += files.writeCount;
    ownClock.kill();
    modem?.cutPower();
    await clock.sleep(1);
    files = files.restart();
  }
  while (outcome === undefined) await clock.until(start(), { limitMs: 3_600_000 });
  await clock.until(server.close());
  modem = await createSimulatedModem({
    network,
    clock,
    random,
    keys: createVirtualKeys({ random }),
    files,
    folder: "/modem",
  });
  const state = await modem.firmware.state();
  await modem.close();
  const names = events.map(({ type }) => type).filter((type) => type !== "progress" && type !== "note");
  const { status, statusDetails = {} } = outcome;
  return { status, statusDetails, state, names, startCount, writes };
}

test("a delta image goes to the modem by its magic, and the version that runs tells", async () => {
  const { status, statusDetails, state, names } = await update({ image: good, fwversion: to });
  assert.deepEqual([status, statusDetails["versionRunning"], statusDetails["target"]], ["SUCCEEDED", to, "modem"]);
  assert.equal(state.version, to);
  assert.deepEqual(names.slice(-4), ["rebooting", "booted", "healthy", "confirmed"]);
});

test("an area that holds something is erased first, which is told when it takes long", async () => {
  const { status, names } = await update({ image: good, isUsed: true });
  assert.equal(status, "SUCCEEDED");
  assert.ok(!names.includes("erasePending"), "54 seconds are not long");
});

test("what the modem refuses ends FAILED, with its word", async () => {
  for (const [options, reason, word] of [
    [{ image: makeSimulatedModemDelta({ from: "mfw_nrf9160_1.3.0", to }) }, "modemInvalidUuid", "invalidUuid (9)"],
    [{ image: damaged }, "notBooted", "authenticationError"],
    [{ image: good, isVoltageLow: true }, "notBooted", "voltageLow"],
  ] as const) {
    const { status, statusDetails, state } = await update(options);
    assert.deepEqual([status, statusDetails["reason"], statusDetails["versionRunning"]], ["FAILED", reason, from]);
    assert.ok(statusDetails["message"]?.includes(word), statusDetails["message"]);
    assert.deepEqual([state.isScheduled, state.version], [false, from]);
  }
});

test("a version that shows only when it runs is held against the job document then", async () => {
  const { status, statusDetails, state } = await update({ image: good, fwversion: "mfw_nrf9160_2.0.0" });
  assert.deepEqual([status, statusDetails["reason"]], ["FAILED", "versionMismatch"]);
  assert.deepEqual(
    [state.version, statusDetails["versionRunning"]],
    [to, to],
    "a modem does not go back, and that is said",
  );
});

test("the power may go before each write of modem and device", async () => {
  const { writes } = await update({ image: good });
  const step = process.env["THINGLINE_TEST_LONG"] === "1" ? 1 : 9;
  for (let cutAt = 1; cutAt <= writes; cutAt += step) {
    const { status, statusDetails, state } = await update({ image: good, cutAt });
    assert.deepEqual(
      [status, statusDetails["versionRunning"], state.version],
      ["SUCCEEDED", to, to],
      `cut before ${cutAt}`,
    );
  }
});
