import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { type AtTerminator, CommandLineReader, formatResponse, type FinalResult } from "@thingline/protocol/at";
import { createConnectionPair } from "@thingline/transport";
import { createVirtualClock } from "@thingline/transport/virtual";
import { openModemSession } from "./session.js";

interface Host {
  /** Undefined: a plain modem, that takes a command for each write. */
  terminator?: AtTerminator;
  framing?: "modemLibrary" | "serialModem";
  answers?: Readonly<Record<string, string[]>>;
  echoes?: boolean;
  /** What lies in the line before the host comes. */
  garbage?: string;
}

const ok: FinalResult = { type: "ok" };

/** Something with a line discipline, and a session in front of it. */
function openWorld({ terminator, framing = "modemLibrary", answers = {}, echoes = false, garbage = "" }: Host) {
  const clock = createVirtualClock();
  const { near, far } = createConnectionPair({ clock });
  const reader = terminator === undefined ? undefined : new CommandLineReader({ terminator });
  reader?.push(new TextEncoder().encode(garbage));
  const say = (text: string) => far.write(new TextEncoder().encode(text));
  const execute = (line: string) => {
    const command = line.trim();
    const lines = command === "AT" ? [] : answers[command];
    say(formatResponse(lines ?? [], lines === undefined ? { type: "error" } : ok, framing));
  };
  far.start({
    data: (bytes) => {
      if (echoes) say(new TextDecoder().decode(bytes));
      if (reader === undefined) execute(new TextDecoder().decode(bytes));
      else for (const { text } of reader.push(bytes)) execute(text ?? "");
    },
    closed: () => undefined,
  });
  return { clock, far, say, session: openModemSession(near, { clock }) };
}

const quoted = ['#XSLMVER: "2.5.0","2.5.0-lte-5ccd2d4dd54c"'];
const atHost = { kind: "atHost", framing: "modemLibrary", echoes: false };
const serialModem = { kind: "serialModem", framing: "serialModem", echoes: false };

const cases: [name: string, host: Host, expected: object][] = [
  ["a plain modem", {}, { kind: "modem", lineEnd: "", framing: "modemLibrary", echoes: false }],
  ["an AT host that ends at CR", { terminator: "CR" }, { ...atHost, lineEnd: "\r" }],
  ["an AT host that ends at LF", { terminator: "LF" }, { ...atHost, lineEnd: "\n" }],
  ["an AT host that ends at CR LF", { terminator: "CR+LF" }, { ...atHost, lineEnd: "\r\n" }],
  ["an AT host that ends at NUL", { terminator: "NUL" }, { ...atHost, lineEnd: "\0" }],
  ["an AT host with half a line in it", { terminator: "CR", garbage: "AT+CF" }, { ...atHost, lineEnd: "\r" }],
  ["an AT host with an open quote", { terminator: "CR+LF", garbage: '"noise' }, { ...atHost, lineEnd: "\r\n" }],
  [
    "the SLM of 2022",
    { terminator: "CR+LF", framing: "serialModem", answers: { "AT#XSLMVER": ["#XSLMVER: 1.2"] } },
    { ...serialModem, lineEnd: "\r\n", dialect: "slm", version: "1.2" },
  ],
  [
    "a later SLM",
    { terminator: "CR+LF", framing: "serialModem", answers: { "AT#XSLMVER": quoted } },
    { ...serialModem, lineEnd: "\r\n", dialect: "slm", version: "2.5.0" },
  ],
  [
    "a Serial Modem that still has the old name",
    { terminator: "CR", framing: "serialModem", answers: { "AT#XSLMVER": quoted, ATE0: [] } },
    { ...serialModem, lineEnd: "\r", dialect: "serialModem", version: "2.5.0" },
  ],
  [
    "a Serial Modem",
    { terminator: "CR", framing: "serialModem", answers: { "AT#XSMVER": ['#XSMVER: "v2.0.0","3.4.0"'] } },
    { ...serialModem, lineEnd: "\r", dialect: "serialModem", version: "v2.0.0" },
  ],
  [
    "a serial modem that echoes and tells no version",
    { terminator: "CR", framing: "serialModem", echoes: true, answers: { ATE1: [] } },
    { ...serialModem, lineEnd: "\r", echoes: true, dialect: "serialModem", version: undefined },
  ],
];

for (const [name, host, expected] of cases) {
  test(`${name} is told by probing, and the next command is spoken its way`, async () => {
    const { clock, session } = openWorld({ ...host, answers: { ...host.answers, "AT+CFUN?": ["+CFUN: 4"] } });
    assert.deepEqual(await clock.until(session.probe()), expected);
    assert.deepEqual(await clock.until(session.command("AT+CFUN?")), ["+CFUN: 4"]);
    await clock.until(session.close());
    assert.equal(clock.timerCount, 0);
  });
}

test("a port where nothing answers is silent, in less than five seconds", async () => {
  const clock = createVirtualClock();
  const { near, far } = createConnectionPair({ clock });
  far.start({ data: () => undefined, closed: () => undefined });
  const session = openModemSession(near, { clock });
  assert.deepEqual(await clock.until(session.probe()), { kind: "silent" });
  assert.ok(clock.monotonicMs() < 5_000);
});

test("a log that nobody asked for is no modem", async () => {
  const { clock, session, say } = openWorld({ terminator: "NUL", garbage: '"' });
  const probing = session.probe();
  await clock.advance(10);
  say("[00:00:01.123] <inf> app: started\r\n");
  // The NUL host answers in the second round; without it only the log is there.
  assert.equal((await clock.until(probing)).kind, "atHost");
  const deaf = createVirtualClock();
  const { near, far } = createConnectionPair({ clock: deaf });
  far.start({ data: () => void far.write(new TextEncoder().encode("uart:~$ ")), closed: () => undefined });
  assert.deepEqual(await deaf.until(openModemSession(near, { clock: deaf }).probe()), { kind: "unknown" });
});

test("the line that spoils a version, or answers twice, does not make another dialect of the application", async () => {
  for (const [spoilt, answers] of [
    ["\r\n~\r\nOK\r\n", { "AT#XSMVER": '\r\n#XSMVER: "v2.0.0"\r\n\r\nOK\r\n' }],
    ["\r\nERROR\r\n", { "AT#XSMVER": '\r\n#XSMVER: "v2.0.0"\r\n\r\nOK\r\n' }],
    ["\r\nOK\r\n", { "AT#XSLMVER": "\r\n#XSLMVER: 1.2\r\n\r\nOK\r\n" }],
  ] as const) {
    const clock = createVirtualClock();
    const { near, far } = createConnectionPair({ clock });
    let isSpoilt = false;
    let asked = 0;
    const say = (text: string) => void far.write(new TextEncoder().encode(text));
    let line = "";
    const onLine = (command: string) => {
      const answer =
        command === "AT" ? "\r\nOK\r\n" : ((answers as Record<string, string>)[command] ?? "\r\nERROR\r\n");
      // The answer to its command before, once more: each that follows is taken for that of the next.
      if (command === "AT#XSMVER" && !isSpoilt) {
        isSpoilt = true;
        say(spoilt);
        if (!spoilt.includes("~")) clock.setTimer(1, () => say(answer));
      } else say(command === "AT" && ++asked === 3 ? "~\r\nOK\r\n" : answer);
    };
    far.start({
      data: (bytes) => {
        for (const char of new TextDecoder().decode(bytes)) {
          if (char === "\r") onLine(line);
          line = char === "\r" || char === "\n" ? "" : line + char;
        }
      },
      closed: () => undefined,
    });
    const probe = await clock.until(openModemSession(near, { clock }).probe());
    assert.ok(probe.kind === "serialModem");
    const expected = "AT#XSMVER" in answers ? ["serialModem", "v2.0.0"] : ["slm", "1.2"];
    assert.deepEqual([probe.dialect, probe.version], expected, spoilt);
  }
});

test("a probe that is aborted ends soon, and the next command finds the modem", async () => {
  for (const leavesDataMode of [false, true]) {
    const clock = createVirtualClock();
    const { near, far } = createConnectionPair({ clock });
    let isDeaf = true;
    far.start({
      data: (bytes) => {
        const isCommand = new TextDecoder().decode(bytes).startsWith("AT");
        if (!isDeaf && isCommand) far.write(new TextEncoder().encode("OK\r\n"));
      },
      closed: () => undefined,
    });
    const session = openModemSession(near, { clock });
    const controller = new AbortController();
    const abortMs = leavesDataMode ? 5_000 : 500;
    clock.setTimer(abortMs, () => controller.abort());
    const probing = session.probe({ leavesDataMode, signal: controller.signal });
    await assert.rejects(clock.until(probing), (error) => isThinglineError(error, "ABORTED"));
    assert.ok(clock.monotonicMs() <= abortMs + 1_000);
    isDeaf = false;
    assert.deepEqual(await clock.until(session.command("AT")), []);
    assert.equal(session.counters.resyncs, 1);
    await clock.until(session.close());
    assert.equal(clock.timerCount, 0);
  }
});

test("commands wait for the probe, and an unplugged board ends it", async () => {
  const { clock, session, far } = openWorld({ terminator: "LF" });
  const probing = session.probe();
  const command = session.command("AT");
  assert.deepEqual(await clock.until(command), []);
  await probing;
  const second = session.probe();
  await clock.advance(1);
  far.destroy();
  await assert.rejects(clock.until(second), (error) => isThinglineError(error, "CONNECTION_LOST"));
  assert.equal(clock.timerCount, 0);
});
