import assert from "node:assert/strict";
import { test } from "node:test";
import { createCapturedLog, createLog, formatFacts, shortenIds } from "./log.js";
import { createOutput } from "./output.js";

function recordingLog(level: "debug" | "warn") {
  const lines: string[] = [];
  const stream = { write: (text: string) => void lines.push(text) };
  return { lines, log: createLog(createOutput({ isJson: false, env: {}, out: stream, err: stream }), level) };
}

test("facts are name=value pairs; what is not plain is quoted", () => {
  const cases: [Record<string, unknown>, string][] = [
    [
      { clientId: "pump-7", version: "3.1.1", count: 3, isPresent: false },
      " clientId=pump-7 version=3.1.1 count=3 isPresent=false",
    ],
    [{ topic: "$aws/things/+/shadow/#" }, " topic=$aws/things/+/shadow/#"],
    [{ reason: "two words" }, ' reason="two words"'],
    [{ empty: "", none: undefined, nothing: null }, ' empty="" nothing=null'],
    [{ made: ["root", "server"], odd: ["a b"], no: [] }, ' made=root,server odd="[\\"a b\\"]" no="[]"'],
    [{ delayMs: 445.7353590000421, big: 12n }, " delayMs=445.735 big=12"],
    [{ nested: { a: 1 } }, ' nested="{\\"a\\":1}"'],
  ];
  for (const [facts, expected] of cases) assert.equal(formatFacts(facts), expected);
});

test("a client cannot forge a log line, a fact or an escape sequence with the names it chooses", () => {
  const forged = [
    "x\n12:00:00.000 info  connected clientId=admin",
    "x\r\u001b[2K",
    "x level=info",
    'x" clientId="admin',
    "\u009b2J",
    "\u202enimda",
    "a\u2028b",
  ];
  for (const clientId of forged) {
    const text = formatFacts({ clientId, remote: "127.0.0.1" });
    assert.match(text, /^ clientId="(?:[^"\\\p{Cc}\p{Cf}\p{Zl}]|\\.)*" remote=127\.0\.0\.1$/u, JSON.stringify(text));
  }
});

test("a line has the time, the level, the event and its facts; levels below the threshold are left out", async () => {
  const { lines, log } = recordingLog("warn");
  (await log).info("connected", { clientId: "pump-7" });
  (await log).warn("denied", { action: "iot:Publish" });
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? "", /^\d\d:\d\d:\d\d\.\d\d\d warn {2}denied action=iot:Publish\n$/);
});

test("the captured log keeps the last twenty warnings", () => {
  const log = createCapturedLog();
  log.info("connected");
  for (let at = 0; at < 25; at++) log.warn("limitHit", { at });
  log.error("broken");
  assert.equal(log.warnings().length, 20);
  assert.equal(log.warnings()[0], "limitHit at=6");
  assert.equal(log.warnings().at(-1), "broken");
});

test("certificate ids are short in lines for people", () => {
  const id = "0123456789abcdef".repeat(4);
  assert.equal(
    shortenIds(`refused certificateId=${id} by="${id}: none"`),
    'refused certificateId=0123456789… by="0123456789…: none"',
  );
  assert.equal(shortenIds(`digest=${id}00`), `digest=${id}00`);
});

test("a refusal is explained once, and again when the client tries again", async () => {
  let text = "";
  const stream = { write: (written: string) => (text += written) };
  const log = await createLog(createOutput({ isJson: false, out: stream, err: stream, env: {} }), "info");
  for (let attempt = 0; attempt < 2; attempt++) {
    log.warn("connectDenied", { clientId: "a", explanation: "no statement" });
    log.info("connectionClosed", { clientId: "a", reason: "AUTH_ERROR", explanation: "no statement" });
  }
  const lines = text.split("\n").map((line) => line.slice(19));
  const once = ['connectDenied clientId=a explanation="no statement"', "connectionClosed clientId=a reason=AUTH_ERROR"];
  assert.deepEqual(lines, [...once, ...once, ""]);
});
