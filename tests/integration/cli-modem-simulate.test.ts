// `thingline modem simulate` as a program: what it prints, what it takes on standard input, and what it leaves behind.
import assert from "node:assert/strict";
import { lstat, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { openModemSession } from "@thingline/modem";
import { openSerialPort } from "@thingline/modem/serial";
import { checkModemBehaviour, modemBehaviourPresets } from "@thingline/modem/simulator";
import { codeOf } from "@thingline/transport/contract";
import { modemSimulate } from "thingline/dist/commands/modem-simulate.js";
import { UsageError } from "thingline/dist/failure.js";
import { createOutput } from "thingline/dist/output.js";
import { startThinglineIn, temporaryFolder } from "./cli-process.test.support.js";
import { ptyMissing } from "./pty.test.support.js";
import { adapters, startLine } from "./simulated-line.test.support.js";

const { clock } = adapters;
const skip = ptyMissing ?? false;

test(
  "modem simulate: two modems, their doors and controls; a crash leaves links that the next run replaces",
  { skip },
  async (t) => {
    const folder = await temporaryFolder(t);
    const modemDir = join(folder, "modem");
    const links = [join(folder, "ttyACM7"), join(folder, "ttyACM8")];
    const words = [
      "modem",
      "simulate",
      "--json",
      "--application",
      "slm-2.x",
      "--count",
      "2",
      "--modem-dir",
      modemDir,
      "--link",
      links[0] ?? "",
    ];

    const first = startThinglineIn(t, { input: "pipe" }, ...words, "--tcp", "0", "--verbose", "--back-after", "1s");
    const ready = await first.event(() => true);
    assert.equal(ready.event, "ready");
    const modems = ready["modems"] as Record<string, string>[];
    assert.deepEqual([ready["pty"], ready["link"]], [modems[0]?.["pty"], links[0]]);
    assert.deepEqual(
      await Promise.all(links.map((link) => readlink(link))),
      modems.map(({ pty }) => pty),
    );
    assert.notEqual(modems[0]?.["imei"], modems[1]?.["imei"]);
    assert.match(modems[1]?.["tcp"] ?? "", /^127\.0\.0\.1:\d+$/);

    const say = (line: string) => first.child.stdin?.write(`${line}\n`);
    say("noSim 2");
    say("nonsense");
    say('{"set":{"hasCoverage":7}}');
    say("status 2");
    const status = await first.event(({ event }) => event === "modemStatus");
    assert.deepEqual([status["modem"], (status["conditions"] as { sim: string }).sim], [2, "absent"]);
    for (const code of ["USAGE", "OPTION_INVALID"]) {
      await first.event((each) => each.event === "controlRefused" && each["code"] === code);
    }
    const session = openModemSession(await openSerialPort(links[1] ?? "", { clock }), { clock });
    await session.command('AT+CPIN="1234"').catch(() => undefined);
    const command = await first.event(({ event }) => event === "command");
    assert.deepEqual([command["modem"], command["door"], command["text"]], [2, "pty", "AT+CPIN=(6 bytes)"]);
    say('{"apply":"unplug","modem":2,"backAfterMs":5}');
    await session.closed;
    await first.event(({ event }) => event === "wentAway");
    await first.event(({ event, modem }) => event === "cameBack" && modem === 2);

    // Others that want the folder are told who has it.
    const inProcess = () => startLine(t, { folder: `${modemDir}-1` });
    assert.equal(await codeOf(inProcess()), "LOCKED");

    await first.end("SIGKILL");
    assert.ok((await lstat(links[0] ?? "")).isSymbolicLink());

    const second = startThinglineIn(t, {}, ...words);
    const again = await second.event(({ event }) => event === "ready");
    assert.deepEqual(
      (again["modems"] as Record<string, string>[]).map(({ imei, link }) => [imei, link]),
      modems.map(({ imei, link }) => [imei, link]),
    );
    const { code, stdout } = await second.end("SIGTERM");
    assert.equal(code, 0);
    assert.match(stdout, /\{"event":"stopped",.*\}\n$/);
    for (const link of links) await assert.rejects(lstat(link), { code: "ENOENT" });
    await assert.rejects(readFile(join(`${modemDir}-1`, "link.json")), { code: "ENOENT" });
    await inProcess();
  },
);

test("modem simulate says what of its options cannot be", async () => {
  const context = { output: createOutput({ isJson: true }), signal: AbortSignal.abort() };
  const usual = { count: 1, modemDir: "nowhere", application: "at-host", backAfter: 2_000 } as const;
  for (const [options, message] of [
    [{ tcp: "nowhere" }, /--tcp takes PORT or HOST:PORT/],
    [{ tcp: "65535", count: 2 }, /2 ports from 65535 on/],
    [{ firmware: "mfw_1" }, /--firmware is one of .*mfw_nrf9160_1\.3\.2/],
    [{ behaviour: ["nosim"] }, /--behaviour is a JSON file or one of .*noSim/],
    [{ application: "serial-modem", terminator: "NUL" }, /no terminator NUL/],
    [{ link: "./nowhere" }, /--link and --modem-dir are both .\/nowhere/],
  ] as const) {
    const refused = modemSimulate(context, {
      ...usual,
      ...options,
      behaviour: [...("behaviour" in options ? options.behaviour : [])],
    });
    await assert.rejects(refused, (error) => error instanceof UsageError && message.test(error.message));
  }
});

test("docs/modem.md names each preset, and its file of a behaviour is one", async () => {
  const text = await readFile(new URL("../../../docs/modem.md", import.meta.url), "utf8");
  const section = text.slice(text.indexOf("### What goes wrong"), text.indexOf("## Credentials"));
  const table = section.slice(0, section.indexOf("A file holds"));
  const named = [...table.matchAll(/`([a-z][A-Za-z]+)`/g)].map(([, name]) => name);
  assert.deepEqual(named.toSorted(), Object.keys(modemBehaviourPresets).toSorted());
  const [, example = ""] = /```json\n([^]*?)```/.exec(section) ?? [];
  checkModemBehaviour(JSON.parse(example));
});
