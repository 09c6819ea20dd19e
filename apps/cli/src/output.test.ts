import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { createOutput, logBytesWaitingMax, type OutputOptions, type TextStream } from "./output.js";

class RecordingStream implements TextStream {
  text = "";
  readonly isTTY: boolean;
  readonly columns = 60;
  constructor(isTTY = false) {
    this.isTTY = isTTY;
  }
  write(text: string): void {
    this.text += text;
  }
}

function open({ isTTY = false, ...options }: Partial<OutputOptions> & { isTTY?: boolean } = {}) {
  const out = new RecordingStream(isTTY);
  const err = new RecordingStream(isTTY);
  return { out, err, output: createOutput({ isJson: false, env: {}, out, err, ...options }) };
}

const escapeCode = "\u001b";

test("with --json only facts reach standard output, one object a line", () => {
  const { out, err, output } = open({ isJson: true });
  output.say("a heading");
  output.event({ event: "ready", text: "two\nlines \u009b" }, "for people");
  output.begin("working").end("worked");
  output.event({ event: "done" });
  const lines = out.text.trimEnd().split("\n");
  assert.deepEqual(
    lines.map((line) => JSON.parse(line) as unknown),
    [{ event: "ready", text: "two\nlines \u009b" }, { event: "done" }],
  );
  assert.equal(out.text.includes("\u009b"), false);
  assert.equal(err.text, "a heading\nworked\n");
});

test("with --json nothing moves on a terminal: the objects may come to the same one", () => {
  const { err, output } = open({ isJson: true, isTTY: true });
  const step = output.begin("working");
  output.event({ event: "ready" });
  step.end("worked");
  assert.equal(err.text, "worked\n");
});

test("without --json people read the text of a fact, and nothing of facts that have none", () => {
  const { out, output } = open();
  output.event({ event: "ready" }, "ready now");
  output.event({ event: "stepStarted" });
  assert.equal(out.text, "ready now\n");
});

test("colours and lines reach a terminal, and nothing that a board or a program says moves its cursor", () => {
  const { out, output } = open({ isTTY: true, env: { TERM: "xterm" } });
  const hostile = `${escapeCode}]0;title\u0007${escapeCode}[2J\r\u009b1A\u202e`;
  output.event({ event: "answer" }, `${output.paint.green("ok")}\n\tmfw${hostile}`);
  output.say(hostile);
  output.begin("a\nb").end(hostile);
  const status = output.status();
  status.show(hostile, false);
  status.end();
  const own = out.text.replaceAll(`\r${escapeCode}[K`, "").replaceAll(new RegExp(`${escapeCode}\\[\\d+m`, "g"), "");
  assert.doesNotMatch(own, /[^\P{C}\n\t]/u);
  assert.ok(out.text.startsWith(output.paint.green("ok")));
  assert.ok(own.startsWith("ok\n\tmfw\\u001b]0;title\\u0007\\u001b[2J\\u000d\\u009b1A\\u202e\n"), own);
});

test("nothing moves and nothing is coloured when the output is not a terminal", () => {
  const { out, err, output } = open();
  const step = output.begin("working");
  output.say(output.paint.green("ok"));
  output.complain({ kind: "error", message: "broken", code: "CLOSED", hint: { text: "mend it" } });
  step.end("worked");
  assert.equal(out.text, "ok\nworked\n");
  assert.equal(err.text, "error: broken (CLOSED)\nnext:  mend it\n");
});

test("NO_COLOR turns colours off on a terminal; an empty one does not", () => {
  const paint = (env: NodeJS.ProcessEnv) => open({ isTTY: true, env }).output.paint.green("ok");
  assert.equal(paint({ NO_COLOR: "1" }), "ok");
  assert.ok(paint({ NO_COLOR: "" }).startsWith(escapeCode));
  assert.ok(paint({}).startsWith(escapeCode));
});

test("standard error has its own colours: a file that it goes to gets none", () => {
  const out = new RecordingStream(true);
  const err = new RecordingStream(false);
  const output = createOutput({ isJson: false, env: {}, out, err });
  output.complain({ kind: "error", message: "broken" });
  assert.equal(err.text, "error: broken\n");
  assert.equal(output.logPaint.red("x"), "x");
});

test("on a terminal a running step is shown below what is printed and gone when it ends", () => {
  const { out, output } = open({ isTTY: true });
  const outer = output.begin("outer");
  const inner = output.begin("inner");
  output.say("between");
  inner.end("inner done");
  outer.end();
  const erase = "\r\u001b[K";
  assert.ok(out.text.startsWith(`${erase}⠋ outer${erase}⠙ inner`), out.text);
  assert.ok(out.text.includes(`${erase}between\n`));
  assert.ok(out.text.includes(`${erase}inner done\n`));
  assert.ok(out.text.endsWith(erase), "the line is left empty");
});

test("a terminal that cannot move its cursor gets no running step", () => {
  const { out, output } = open({ isTTY: true, env: { TERM: "dumb" } });
  output.begin("working").end("worked");
  assert.equal(out.text, "worked\n");
});

test("a running step is no longer than a line", () => {
  const { out, output } = open({ isTTY: true });
  output.begin("x".repeat(200)).end();
  assert.equal(out.text.split("\u001b[K")[1]?.replace("\r", "").length, 59);
});

test("a status line stays below what is printed, moves only while something goes on, and is gone at its end", (t: TestContext) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const { out, output } = open({ isTTY: true });
  const erase = "\r\u001b[K";
  const status = output.status();
  status.show("connecting", true);
  t.mock.timers.tick(80);
  assert.equal(out.text, `${erase}⠋ connecting${erase}⠙ connecting`);
  status.show("ready", false);
  const before = out.text;
  t.mock.timers.tick(800);
  assert.equal(out.text, before, "nothing moves");
  output.say("a message");
  assert.equal(out.text, `${before}${erase}a message\n${erase}● ready`);
  status.end();
  output.say("the end");
  assert.ok(out.text.endsWith(`● ready${erase}the end\n`), JSON.stringify(out.text));
});

test("there is no status line in a file, and none with --json", () => {
  for (const options of [{ isTTY: false }, { isTTY: true, isJson: true }]) {
    const { out, err, output } = open(options);
    output.status().show("ready", true);
    assert.equal(out.text + err.text, "");
  }
});

test("closing ends what still moves, so that no timer keeps the process", (t: TestContext) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const { out, output } = open({ isTTY: true });
  const step = output.begin("never ends");
  t.mock.timers.tick(80);
  output.close();
  const before = out.text;
  t.mock.timers.tick(800);
  step.end("too late");
  assert.equal(out.text, before);
});

test("a complaint wraps its prose, keeps its command whole, and escapes what a peer sent", () => {
  const { err, output } = open({ isTTY: true, env: { NO_COLOR: "1" } });
  const command = `thingline modem write --sec-tag 43 --from ${"folder".repeat(6)}`;
  output.complain({
    kind: "error",
    message: "the cloud refused \u001b[2J to provision this device for a reason of many words",
    code: "PROVISIONING_REJECTED",
    hint: { text: "do this:", command },
  });
  assert.equal(
    err.text,
    "error: the cloud refused \\u001b[2J to provision this device\n" +
      "       for a reason of many words (PROVISIONING_REJECTED)\n" +
      "next:  do this:\n" +
      `         ${command}\n`,
  );
});

test("a complaint of several lines is a list below its first", () => {
  const { err, output } = open();
  output.complain({ kind: "error", message: "two mistakes\na.conf:1: one\na.conf:2: two", code: "KCONFIG_INVALID" });
  assert.equal(err.text, "error: two mistakes (KCONFIG_INVALID)\n  a.conf:1: one\n  a.conf:2: two\n");
});

test("a paragraph is indented, wrapped and escaped", () => {
  const { output } = open({ isTTY: true, env: { NO_COLOR: "1" } });
  const text = output.paragraph("attempt 1 of 5 failed: localhost:1 refused the connection\r", 9);
  assert.equal(text, "         attempt 1 of 5 failed: localhost:1 refused the\n         connection\\u000d");
});

test("log lines that a slow reader does not take are counted, not kept", () => {
  let text = "";
  const err = { write: (written: string) => (text += written), writableLength: 0 };
  const output = createOutput({ isJson: false, out: err, err, env: {} });
  err.writableLength = logBytesWaitingMax;
  output.logLine("one");
  err.writableLength = logBytesWaitingMax + 1;
  for (let count = 0; count < 3; count++) output.logLine("lost");
  err.writableLength = 0;
  output.logLine("two");
  assert.equal(text, "one\n3 log lines were left out: nobody read them in time\ntwo\n");
});
