import assert from "node:assert/strict";
import { test } from "node:test";
import { escapeControls, fitLines, usageText, wrapText } from "./terminal-text.js";

test("nothing that moves a cursor, forges a line or turns text around reaches a terminal", () => {
  const cases: [string, string][] = [
    ["plain ÄÖÜ 漢字 😀 text", "plain ÄÖÜ 漢字 😀 text"],
    ["\u001b[2J\u001b]0;title\u0007", "\\u001b[2J\\u001b]0;title\\u0007"],
    ["a\r\nready  forged", "a\\u000d\\u000aready  forged"],
    ["C1 \u009b31m", "C1 \\u009b31m"],
    ["\u202egnp.exe\u2066", "\\u202egnp.exe\\u2066"],
    ["zero\u200bwidth\ufeff", "zero\\u200bwidth\\ufeff"],
    ["line\u2028paragraph\u2029", "line\\u2028paragraph\\u2029"],
    ["half \ud800 character", "half \\ud800 character"],
    ["\u{e0041}", "\\udb40\\udc41"],
    ["\u007f\t\0", "\\u007f\\u0009\\u0000"],
  ];
  for (const [text, expected] of cases) assert.equal(escapeControls(text), expected);
});

test("an escaped JSON text means the same as before", () => {
  const value = { event: "note", message: "\u009b31m \u202e \ud83d\ude00 \u2028" };
  const escaped = escapeControls(JSON.stringify(value));
  assert.doesNotMatch(escaped, /[\u0080-\u009f\u2028\u202e]/);
  assert.deepEqual(JSON.parse(escaped), value);
});

test("prose breaks at blanks, goes on below its beginning, and keeps long words whole", () => {
  const text = "the new credentials in security tag 50 were not accepted";
  assert.equal(
    wrapText(text, { columns: 30, indent: 4 }),
    "the new credentials in\n    security tag 50 were not\n    accepted",
  );
  const path = `/a/${"long".repeat(20)}/path`;
  assert.equal(wrapText(`see ${path} now`, { columns: 40, indent: 2 }), `see\n  ${path}\n  now`);
  assert.equal(wrapText(text, { columns: undefined, indent: 4 }), text);
  for (const line of wrapText(text, { columns: 3, indent: 9 }).split("\n")) assert.ok(line.length <= 29);
});

test("a printed line breaks at blanks where a terminal ends, colours counted as nothing; command lines stay whole", () => {
  const bold = "\u001b[1m";
  const cases: [line: string, fitted: string][] = [
    ["short", "short"],
    [
      "  local AWS IoT Core     MQTT over mutual TLS at localhost:8883",
      "  local AWS IoT Core     MQTT over\n    mutual TLS at localhost:8883",
    ],
    [`${" ".repeat(25)}AWS API at http://localhost:4680`, "    AWS API at http://localhost:4680"],
    [`${bold}Thingline: from a shared claim certificate`, `${bold}Thingline: from a shared claim\n  certificate`],
    [`${"x".repeat(38)} ${bold}y${bold}`, `${"x".repeat(38)} ${bold}y${bold}`],
    [`  ca  ${"/path".repeat(10)}  end`, `  ca\n${"/path".repeat(10)}\n    end`],
    [`  cipher  ${"x".repeat(38)}`, `  cipher\n  ${"x".repeat(38)}`],
    ["  thingline thing create my-thing --data-dir my-cloud", "  thingline thing create my-thing --data-dir my-cloud"],
    ...["node apps/cli/bin/thingline.js", "node '/my tools/bin/thingline.js'", "npx thingline"].map(
      (program): [string, string] => [`  ${program} demo --keep my-demo`, `  ${program} demo --keep my-demo`],
    ),
    [
      `  mosquitto_pub -h localhost --cafile \\\n    --cert my-thing/client-cert.pem --key private-key.pem`,
      `  mosquitto_pub -h localhost --cafile \\\n    --cert my-thing/client-cert.pem --key private-key.pem`,
    ],
  ];
  for (const [line, fitted] of cases) {
    assert.equal(fitLines(line, 40), fitted);
    assert.equal(fitLines(line, undefined), line);
  }
});

test("what is said of wrong words breaks at blanks, below its beginning", () => {
  const text = "error: option '--prove <host:port>' is invalid. A host and a port.\n(Did you mean --port?)\n";
  assert.equal(
    usageText(text, 40),
    "error: option '--prove <host:port>' is\n       invalid. A host and a port.\n(Did you mean --port?)\n",
  );
  assert.equal(usageText(text, undefined), text);
});
