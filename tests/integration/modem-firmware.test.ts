// `thingline modem firmware program` with a fake nrfutil on the PATH, which plays back what the real one prints with --json.
import assert from "node:assert/strict";
import { truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { createSimulatedModem, makeSimulatedArchive } from "@thingline/modem/simulator";
import { isThinglineError, type ThinglineError } from "@thingline/protocol";
import { createNodeClock, createNodeKeys, createNodeNetwork, createNodeRandom } from "@thingline/transport/node";
import { modemFirmware } from "thingline/dist/commands/modem-firmware.js";
import { modemFirmwareProgram } from "thingline/dist/commands/modem-firmware-program.js";
import { hintFor } from "thingline/dist/hints.js";
import { programmerLineBytesMax, programmerWordsMax, runNrfutil } from "thingline/dist/modem-firmware/nrfutil.js";
import { firmwareFileBytesMax } from "thingline/dist/modem-firmware/package-file.js";
import { createOutput } from "thingline/dist/output.js";
import { temporaryFolder, type JsonEvent } from "./cli-process.test.support.js";
import { board, good, listOf, makeNrfutil, taskBegin, taskEnd, type FakeAnswer } from "./nrfutil.test.support.js";
import { makePty, ptyMissing } from "./pty.test.support.js";

const skip = process.platform === "win32" ? "a program of a script is made otherwise there" : false;

/** Runs an action in this process, with its own PATH. */
async function run(
  action: (context: { output: ReturnType<typeof createOutput>; signal: AbortSignal }) => Promise<unknown>,
  path = "",
) {
  let written = "";
  let complained = "";
  const out = { write: (text: string) => void (written += text) };
  const err = { write: (text: string) => void (complained += text) };
  const output = createOutput({ isJson: true, out, err, env: {} });
  const before = process.env["PATH"];
  process.env["PATH"] = path;
  let error: ThinglineError | undefined;
  let result: unknown;
  try {
    result = await action({ output, signal: new AbortController().signal });
  } catch (failure) {
    if (!isThinglineError(failure)) throw failure;
    error = failure;
  } finally {
    process.env["PATH"] = before;
    output.close();
  }
  const events = written
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as JsonEvent);
  return { events, error, complained, result };
}

async function packageFile(t: TestContext, name = "mfw_nrf9160_1.3.2.zip", bytes = makeSimulatedArchive()) {
  const path = join(await temporaryFolder(t), name);
  await writeFile(path, bytes);
  return path;
}

type Options = Parameters<typeof modemFirmwareProgram>[1];

async function programWith(
  t: TestContext,
  answers: Readonly<Record<string, FakeAnswer>>,
  options: Partial<Options> = {},
) {
  const nrfutil = await makeNrfutil(t, { ...good, ...answers });
  const path = await packageFile(t);
  const done = await run(
    (context) => modemFirmwareProgram(context, { with: "device", ...options }, path),
    nrfutil.path,
  );
  return { ...done, path, calls: await nrfutil.calls() };
}

const named = (events: readonly JsonEvent[], name: string) => events.filter(({ event }) => event === name);

describe("modem firmware program by nrfutil", { skip }, () => {
  test("the package is checked, the one board chosen, programmed with progress, restarted", async (t) => {
    const { events, error, calls, path } = await programWith(t, {});
    assert.equal(error, undefined);
    assert.deepEqual(calls, [
      "device --version --json",
      "device list --json",
      `device program --firmware ${path} --serial-number 000960012345 --json`,
      "device reset --serial-number 000960012345 --json",
    ]);
    assert.deepEqual(
      events.map(({ event }) => event),
      [
        ...["firmwarePackage", "programmerBoard", "firmwarePhase"],
        ...["firmwareProgress", "firmwareProgress", "firmwareProgress", "firmwareProgrammed"],
      ],
    );
    // Two steps, each with its own hundred percent.
    assert.deepEqual(
      named(events, "firmwareProgress").map(({ percent }) => percent),
      [25, 50, 65],
    );
    assert.equal(events.at(-1)?.["isVerified"], false);
  });

  test("a package that is none is refused before nrfutil is even looked for", async (t) => {
    const path = await packageFile(t, "mfw_nrf9160_1.3.2.zip", new Uint8Array(100));
    const { error } = await run((context) => modemFirmwareProgram(context, { with: "device" }, path));
    assert.equal(error?.code, "FIRMWARE_PACKAGE_INVALID");
  });

  test("a file of more than firmwareFileBytesMax is not read", async (t) => {
    const path = join(await temporaryFolder(t), "mfw_nrf9160_1.3.2.zip");
    await writeFile(path, "");
    await truncate(path, firmwareFileBytesMax + 1);
    const { error } = await run((context) => modemFirmwareProgram(context, { with: "device" }, path));
    assert.equal(error?.code, "FILE_TOO_LARGE");
  });

  test("--recover unlocks first, with a warning of what it erases; it is never done by itself", async (t) => {
    const { complained, calls } = await programWith(t, {}, { recover: true });
    assert.match(calls[2] ?? "", /^device recover --serial-number 000960012345/);
    assert.match(calls[3] ?? "", /^device program /);
    assert.match(complained, /all that it keeps in its flash, is erased/);
  });

  test("--with 91 programs by that command, which may say nothing when all is well", async (t) => {
    const answers = { "91 --version": {}, "91 modem-firmware-upgrade": { lines: ["Programming done"] } };
    const { error, calls, path } = await programWith(t, answers, { with: "91" });
    assert.equal(error, undefined);
    assert.ok(calls.includes(`91 modem-firmware-upgrade --firmware ${path} --serial-number 000960012345 --json`));
  });

  test("without nrfutil, or without its command, it says what to install and from where", async (t) => {
    const empty = await temporaryFolder(t);
    const path = await packageFile(t);
    const absent = await run((context) => modemFirmwareProgram(context, { with: "device" }, path), empty);
    assert.equal(absent.error?.code, "PROGRAMMER_MISSING");
    const hint = absent.error && hintFor(absent.error, "modem firmware program");
    assert.match(hint?.text ?? "", /nordicsemi\.com/);
    const without = await programWith(t, { "device --version": { stderr: "error: not installed\n", code: 1 } });
    assert.equal(without.error?.code, "PROGRAMMER_MISSING");
    const command = without.error && hintFor(without.error, "modem firmware program")?.command;
    assert.equal(command, "nrfutil install device");
  });

  test("which board is meant has to be clear: by its number, or because there is one of the series", async (t) => {
    const two = { "device list": listOf(board("000960012345"), board("001050993570", "PCA10153")) };
    const unclear = await programWith(t, two);
    assert.equal(unclear.error?.code, "PROGRAMMER_FAILED");
    assert.match(unclear.error.message, /--serial-number.*000960012345 \(PCA10090\), 001050993570 \(PCA10153\)/);
    const chosen = await programWith(t, two, { serialNumber: "1050993570" });
    assert.ok(chosen.calls.some((call) => /^device program .* --serial-number 001050993570/.test(call)));
    const other = { "device list": listOf(board("000683000001", "PCA10056", "NRF52_FAMILY"), board("000960012345")) };
    assert.equal((await programWith(t, other)).error, undefined);
    for (const list of [listOf(), listOf(board("000683000001", "PCA10056", "NRF52_FAMILY"))]) {
      assert.match(
        (await programWith(t, { "device list": list })).error?.message ?? "",
        /no board of the nRF91 series/,
      );
    }
    assert.match((await programWith(t, {}, { serialNumber: "7" })).error?.message ?? "", /sees no board 7/);
  });

  for (const [what, answer, words] of [
    [
      "a task that fails",
      {
        lines: [
          taskBegin("program"),
          taskEnd("program", { result: "fail", error: { code: 52, description: "Access protected" } }),
        ],
        code: 1,
      },
      /failed: Access protected/,
    ],
    [
      "a task that fails although the program ends well",
      { lines: [taskEnd("program", { result: "fail", message: "No such firmware" })] },
      /failed: No such firmware/,
    ],
    [
      "a failure inside a batch",
      { lines: [{ type: "batch_update", data: { batch: {}, data: taskEnd("program", { result: "fail" }) } }] },
      /failed/,
    ],
    ["words on standard error", { stderr: "panic: out of luck\n", code: 101 }, /code 101; it said: panic: out of luck/],
    [
      "an error in its log",
      { lines: [{ type: "log", data: { level: "ERROR", message: "probe gone" } }], code: 1 },
      /probe gone/,
    ],
    ["garbage", { lines: ["{", "[1,2", '{"type":7}', "null", "\u0000\u001b[2J"] }, /without saying that it has done/],
    ["nothing", {}, /without saying that it has done/],
  ] satisfies [string, FakeAnswer, RegExp][]) {
    test(`${what} is told as a failure, with what it means for the modem`, async (t) => {
      const { error, calls } = await programWith(t, { "device program": answer });
      assert.equal(error?.code, "PROGRAMMER_FAILED");
      assert.match(error.message, words);
      assert.match(error.message, /the modem has no whole firmware until/);
      assert.ok(!calls.some((call) => call.startsWith("device reset")));
    });
  }

  test("a locked board gets the advice to recover it", async (t) => {
    const locked = { lines: [taskEnd("program", { result: "fail", message: "Device is protected" })], code: 1 };
    const { error } = await programWith(t, { "device program": locked });
    assert.match((error && hintFor(error, "modem firmware program")?.text) ?? "", /--recover/);
  });

  test("a board that cannot be restarted is programmed all the same; an answer without devices is a failure", async (t) => {
    const stuck = await programWith(t, { "device reset": { code: 1, stderr: "no\n" } });
    assert.equal(stuck.error, undefined);
    assert.match(stuck.complained, /press its reset button/);
    const strange = await programWith(t, { "device list": { lines: [{ type: "info", data: {} }] } });
    assert.match(strange.error?.message ?? "", /no list of devices/);
  });

  test(
    "--verify-port asks the modem afterwards, and another firmware than the package's is a failure",
    { skip: ptyMissing ?? false },
    async (t) => {
      const clock = createNodeClock();
      const world = { network: createNodeNetwork(), clock, random: createNodeRandom(), keys: createNodeKeys() };
      for (const [firmware, isRight] of [
        ["mfw_nrf9160_1.3.2", true],
        ["mfw_nrf91x1_2.0.2", false],
      ] as const) {
        const modem = await createSimulatedModem({ ...world, firmware });
        const pty = await makePty();
        const port = modem.openPort();
        port.start({ data: (bytes) => void pty.connection.write(bytes), closed: () => undefined });
        pty.connection.start({ data: (bytes) => void port.write(bytes), closed: () => undefined });
        const { error, events } = await programWith(t, {}, { verifyPort: pty.path });
        if (isRight) assert.deepEqual(named(events, "firmwareProgrammed")[0]?.["isVerified"], true, error?.message);
        else
          assert.match(
            error?.message ?? "",
            /runs mfw_nrf91x1_2\.0\.2 after the programming, expected mfw_nrf9160_1\.3\.2/,
          );
        await modem.close();
      }
    },
  );
});

describe("a run of nrfutil", { skip }, () => {
  const limits = { timeoutMs: 20_000, silenceMs: 20_000 };
  const withPath = async <Result>(path: string, action: () => Promise<Result>): Promise<Result> => {
    const before = process.env["PATH"];
    process.env["PATH"] = path;
    try {
      return await action();
    } finally {
      process.env["PATH"] = before;
    }
  };

  test("one that hangs is ended, also when it does not mind being told", async (t) => {
    for (const isStubborn of [false, true]) {
      const { path } = await makeNrfutil(t, {
        "device program": { ...good["device program"], hangs: true, isStubborn },
      });
      const hanging = { args: ["device", "program"], timeoutMs: 20_000, silenceMs: 300, killGraceMs: 50 };
      await assert.rejects(
        withPath(path, () => runNrfutil(hanging)),
        (error) => {
          assert.ok(isThinglineError(error, "PROGRAMMER_FAILED"));
          return /gave no sign of life for 0\.3 s/.test(error.message);
        },
      );
    }
  });

  test("of what it says in words the last programmerWordsMax characters are kept", async (t) => {
    const wordy = { stderr: `${"blah ".repeat(1_000)}the end`, code: 1 };
    const { path } = await makeNrfutil(t, { "device program": wordy });
    const failing = withPath(path, () => runNrfutil({ args: ["device", "program"], ...limits }));
    await assert.rejects(failing, (error) => {
      assert.ok(isThinglineError(error, "PROGRAMMER_FAILED"));
      const said = String(error.details["said"]);
      return said.length <= programmerWordsMax && said.endsWith("the end");
    });
  });

  test("an abort ends it, before and meanwhile", async (t) => {
    const { path } = await makeNrfutil(t, { "device list": { lines: [taskBegin("list")], hangs: true } });
    const stop = new AbortController();
    const listing = { args: ["device", "list"], ...limits, signal: stop.signal, onLine: () => stop.abort() };
    await assert.rejects(
      withPath(path, () => runNrfutil(listing)),
      (error) => isThinglineError(error, "ABORTED"),
    );
    await assert.rejects(withPath(path, () => runNrfutil(listing)));
  });

  test("a line without end is passed over, and what follows it is read", async (t) => {
    const flood = { ...good["device program"], floodBytes: 2 * programmerLineBytesMax };
    const { path } = await makeNrfutil(t, { "device program": flood });
    const { ends } = await withPath(path, () => runNrfutil({ args: ["device", "program"], ...limits }));
    assert.equal(ends.length, 1);
  });
});

test("modem firmware of a simulated modem's folder says what runs, and what it is good for", async (t) => {
  const folder = join(await temporaryFolder(t), "modem");
  const nothing = await run((context) => modemFirmware(context, { modemDir: folder }));
  assert.equal(nothing.error?.code, "MODEM_NOT_FOUND");
  const { files } = (await import("thingline/dist/adapters.js")).nodeAdapters();
  const world = {
    network: createNodeNetwork(),
    clock: createNodeClock(),
    random: createNodeRandom(),
    keys: createNodeKeys(),
  };
  await (await createSimulatedModem({ ...world, files, folder })).close();
  const { events, result } = await run((context) => modemFirmware(context, { modemDir: folder }));
  assert.equal(result, 0);
  const [told] = events;
  assert.deepEqual([told?.["revision"], told?.["verdict"], told?.["version"]], ["mfw_nrf9160_1.3.2", "fine", "1.3.2"]);
  const needs = told?.["needs"] as { name: string; isMet: boolean; from: string | null }[];
  assert.deepEqual(
    needs.filter(({ isMet }) => !isMet).map(({ name, from }) => [name, from]),
    [
      ["claimToken", "1.3.4"],
      ["attestationToken", null],
      ["certificateCheck", null],
      ["serialModem", null],
    ],
  );
});
