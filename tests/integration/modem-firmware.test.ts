// `thingline modem firmware program` with a fake nrfutil on the PATH, which plays back what the real one prints with --json.
import assert from "node:assert/strict";
import { truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import {
  createSerialModemApplication,
  createSimulatedModem,
  makeSimulatedArchive,
  makeSimulatedModemDelta,
  makeSimulatedModemPackage,
} from "@thingline/modem/simulator";
import { isThinglineError, type ThinglineError } from "@thingline/protocol";
import { createNodeClock, createNodeKeys, createNodeNetwork, createNodeRandom } from "@thingline/transport/node";
import { modemFirmware } from "thingline/dist/commands/modem-firmware.js";
import { modemAt } from "thingline/dist/commands/modem-at.js";
import { modemFirmwareProgram } from "thingline/dist/commands/modem-firmware-program.js";
import { UsageError } from "thingline/dist/failure.js";
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
  path?: string,
) {
  let written = "";
  let complained = "";
  const out = { write: (text: string) => void (written += text) };
  const err = { write: (text: string) => void (complained += text) };
  const output = createOutput({ isJson: true, out, err, env: {} });
  const before = process.env["PATH"];
  if (path !== undefined) process.env["PATH"] = path;
  let error: ThinglineError | undefined;
  let result: unknown;
  try {
    result = await action({ output, signal: new AbortController().signal });
  } catch (failure) {
    if (!isThinglineError(failure)) throw failure;
    error = failure;
  } finally {
    if (path !== undefined) process.env["PATH"] = before;
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
  const done = await run((context) => modemFirmwareProgram(context, options, path), nrfutil.path);
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
    const { error } = await run((context) => modemFirmwareProgram(context, {}, path));
    assert.equal(error?.code, "FIRMWARE_PACKAGE_INVALID");
    assert.ok(error.message.startsWith(`${path}: this is no usable package: `), error.message);
  });

  test("a file of more than firmwareFileBytesMax is not read", async (t) => {
    const path = join(await temporaryFolder(t), "mfw_nrf9160_1.3.2.zip");
    await writeFile(path, "");
    await truncate(path, firmwareFileBytesMax + 1);
    const { error } = await run((context) => modemFirmwareProgram(context, {}, path));
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
    const absent = await run((context) => modemFirmwareProgram(context, {}, path), empty);
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
      {
        lines: [
          // More than are kept.
          ...Array.from({ length: 64 }, () => taskEnd("program")),
          taskEnd("program", { result: "fail", message: "No such firmware" }),
        ],
      },
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
    [
      "a task that begins and never ends, behind one that went well",
      {
        lines: [
          taskBegin("erase"),
          taskEnd("erase"),
          { type: "task_begin", data: { task: { id: "2", name: "program" } } },
        ],
      },
      /failed: it ended without saying how its task "program" went/,
    ],
  ] satisfies [string, FakeAnswer, RegExp][]) {
    test(`${what} is told as a failure, with what it means for the modem`, async (t) => {
      const { error, calls } = await programWith(t, { "device program": answer });
      assert.equal(error?.code, "PROGRAMMER_FAILED");
      assert.match(error.message, words);
      assert.match(error.message, /the modem has no whole firmware until/);
      assert.ok(!calls.some((call) => call.startsWith("device reset")));
    });
  }

  test("Ctrl-C is held from before the first byte to the last, and says what a second one would do", async (t) => {
    const nrfutil = await makeNrfutil(t, good);
    const path = await packageFile(t);
    const held: string[] = [];
    const { error, complained } = await run(async (context) => {
      const holdStop = (onStop: () => void) => {
        held.push("held");
        onStop();
        return { [Symbol.dispose]: () => void held.push("let go") };
      };
      return modemFirmwareProgram({ ...context, holdStop }, {}, path);
    }, nrfutil.path);
    assert.equal(error, undefined);
    assert.deepEqual(held, ["held", "let go"]);
    assert.match(complained, /it goes on\. Ctrl-C again ends Thingline, not nrfutil/);
  });

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

describe("modem firmware program over a serial modem application", { concurrency: true }, () => {
  const keys = createNodeKeys();
  const network = createNodeNetwork();
  const [clock, random] = [createNodeClock(), createNodeRandom()];
  const world = { network, clock, random, keys };
  const from = "mfw_nrf9160_1.3.2";
  const to = "mfw_nrf9160_1.3.7";
  const small = { bootloaderBytes: 600, firmwareBytes: 2_000, sha256: (bytes: Uint8Array) => keys.sha256(bytes) };

  /** A board behind a TCP port; `isPlain`: without the application. */
  async function serve(t: TestContext, isPlain = false) {
    const modem = await createSimulatedModem(world);
    const application = await createSerialModemApplication(modem, { clock, random, dialect: "serialModem" });
    const listener = await network.listen({ host: "127.0.0.1", port: 0 }, (outside) => {
      const inside = (isPlain ? modem : application).openPort();
      inside.start({ data: (bytes) => void outside.write(bytes), closed: () => outside.destroy() });
      outside.start({ data: (bytes) => void inside.write(bytes), closed: () => inside.destroy() });
    });
    t.after(async () => {
      await listener.close();
      await application.close();
      await modem.close();
    });
    const tcp = `127.0.0.1:${listener.address.port}`;
    const program = (path: string | undefined, options: Partial<Options> = {}) =>
      run((context) => modemFirmwareProgram(context, { tcp, ...options }, path));
    return { program, tcp };
  }

  const wholePackage = (t: TestContext, revision: string) => {
    const image = { name: `${revision}.cbor`, bytes: makeSimulatedModemPackage({ to: revision, ...small }) };
    return packageFile(t, `${revision}.zip`, makeSimulatedArchive({ image }));
  };

  test("a whole firmware out of its package; a second time it runs already", async (t) => {
    const { program, tcp } = await serve(t);
    const path = await wholePackage(t, to);
    const { error, events } = await program(path);
    assert.equal(error, undefined);
    const [done] = named(events, "firmwareProgrammed");
    assert.deepEqual(
      [done?.["before"], done?.["after"], done?.["attempts"], done?.["isVerified"]],
      [from, to, 1, true],
    );
    assert.equal(named(events, "firmwareProgress").at(-1)?.["percent"], 100);
    const shown = await run((context) => modemFirmware(context, { modemDir: "none", tcp }));
    assert.equal(shown.events[0]?.["revision"], to);
    const again = await program(path);
    assert.deepEqual(named(again.events, "firmwareUnchanged").length, 1);
  });

  test("a modem that waits for a whole firmware, and refuses AT, gets one", async (t) => {
    const { program, tcp } = await serve(t);
    const [host = "", port = ""] = tcp.split(":");
    const line = await network.dial({ host, port: Number(port) });
    await new Promise<void>((resolve) => {
      let said = "";
      line.start({
        data: (bytes) => {
          said += new TextDecoder().decode(bytes);
          if (said.includes("Bootloader mode ready")) resolve();
        },
        closed: () => undefined,
      });
      line.write(new TextEncoder().encode("AT#XDFUINIT=2\r"));
    });
    line.destroy();
    const { error, events } = await program(await wholePackage(t, to));
    assert.equal(error, undefined);
    assert.deepEqual(
      named(events, "firmwareProgrammed").map(({ before, after }) => [before, after]),
      [[null, to]],
    );
  });

  test("a delta, known by its first bytes and its name; and what is no delta", async (t) => {
    const { program } = await serve(t);
    const image = makeSimulatedModemDelta({ from, to, sizeBytes: 5_000 });
    const delta = await packageFile(t, "mfw_nrf9160_update_from_1.3.2_to_1.3.7.bin", image);
    const { error, events } = await program(undefined, { delta });
    assert.equal(error, undefined);
    assert.equal(named(events, "firmwareProgrammed")[0]?.["after"], to);
    const none = await program(undefined, { app: delta });
    assert.match(none.error?.message ?? "", /is a delta for a modem, and not an MCUboot image/);
  });

  test("a package for another family, one without an image for a serial line, and a board without the application", async (t) => {
    const { program } = await serve(t);
    const foreign = await program(await wholePackage(t, "mfw_nrf91x1_2.0.4"));
    assert.deepEqual([foreign.error?.code, foreign.error?.details["family"]], ["FIRMWARE_PACKAGE_INVALID", "nrf9160"]);
    assert.match((await program(await packageFile(t))).error?.message ?? "", /no image for a serial line/);
    const plain = await serve(t, true);
    const missing = await plain.program(await wholePackage(t, to));
    assert.equal(missing.error?.code, "MODEM_APPLICATION_MISSING");
    assert.match((missing.error && hintFor(missing.error, "modem firmware program")?.text) ?? "", /nrfutil/);
  });

  test("modem at shows what a serial modem tells in front of an ERROR", async (t) => {
    const { tcp } = await serve(t);
    const commands = ["AT#XSOCKET=1,1,0", 'AT#XSEND=0,0,0,"x"'];
    const { events } = await run((context) => modemAt(context, { tcp, modemDir: "unused" }, ...commands));
    assert.deepEqual(events.at(-1)?.["lines"], ["#XSEND: 0,0,0", "ERROR"]);
  });

  test("words that do not go together are wrong usage", async () => {
    const wrong = (options: Partial<Options>, path?: string) =>
      assert.rejects(
        run((context) => modemFirmwareProgram(context, options, path)),
        (error) => error instanceof UsageError,
      );
    await wrong({});
    await wrong({ delta: "d" });
    await wrong({ delta: "d", tcp: "localhost:1" }, "p.zip");
    await wrong({ recover: true, tcp: "localhost:1" }, "p.zip");
    await wrong({ force: true }, "p.zip");
    await wrong({ restart: false }, "p.zip");
    await wrong({ restart: false, tcp: "localhost:1" }, "p.zip");
    await wrong({ with: "91", tcp: "localhost:1" }, "p.zip");
    await wrong({ baudRate: 9600, tcp: "localhost:1" }, "p.zip");
    await wrong({ flowControl: false }, "p.zip");
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
