import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { readLines } from "./input-lines.js";

async function linesOf(chunks: readonly (string | Uint8Array)[], lineBytesMax = 4): Promise<string[]> {
  const found: string[] = [];
  const input = Readable.from(chunks.map((chunk) => Buffer.from(chunk)));
  for await (const line of readLines(input, { lineBytesMax, signal: new AbortController().signal })) {
    found.push(line.type === "line" ? Buffer.from(line.bytes).toString("latin1") : `too long: ${line.number}`);
  }
  return found;
}

test("lines end with LF or CRLF, whatever the chunks, and stay as they are otherwise", async () => {
  const cases: [input: string, lines: string[]][] = [
    ["", []],
    ["a", ["a"]],
    ["a\nb\n", ["a", "b"]],
    ["\n\n", ["", ""]],
    ["a\r\nb\r", ["a", "b"]],
    ["a\rb\n", ["a\rb"]],
    ["1234\n1234\r\n", ["1234", "1234"]],
    ["12345\n1\n", ["too long: 1", "1"]],
    ["1\n123456789012345\n2\n12345", ["1", "too long: 2", "2", "too long: 4"]],
    ["\u00ff\u0000\u00fe\n", ["\u00ff\u0000\u00fe"]],
  ];
  for (const [input, lines] of cases) {
    const bytes = Buffer.from(input, "latin1");
    assert.deepEqual(await linesOf([bytes]), lines, JSON.stringify(input));
    assert.deepEqual(
      await linesOf([...bytes].map((byte) => Uint8Array.of(byte))),
      lines,
      `${JSON.stringify(input)}, byte by byte`,
    );
  }
});

test("an input without line ends is passed over and never held", async () => {
  function* endless() {
    for (let count = 0; count < 4000; count++) yield Buffer.alloc(64 * 1024, 0x61);
    yield Buffer.from("\nlast\n");
  }
  const found: string[] = [];
  const before = process.memoryUsage().arrayBuffers;
  let most = 0;
  for await (const line of readLines(Readable.from(endless()), {
    lineBytesMax: 131_072,
    signal: new AbortController().signal,
  })) {
    most = Math.max(most, process.memoryUsage().arrayBuffers - before);
    found.push(line.type === "line" ? Buffer.from(line.bytes).toString() : line.type);
  }
  assert.deepEqual(found, ["tooLong", "last"]);
  assert.ok(most < 100 * 1024 * 1024, `${most} bytes were held`);
});

test("an input that fails says so, and one that is no longer wanted ends", async () => {
  const broken = new Readable({
    read() {
      this.destroy(Object.assign(new Error("read EIO"), { code: "EIO" }));
    },
  });
  const lines = readLines(broken, { lineBytesMax: 10, signal: new AbortController().signal });
  await assert.rejects(lines.next(), (error) => {
    return isThinglineError(error, "FILE_UNREADABLE") && /standard input: EIO/.test(error.message);
  });
  const stop = new AbortController();
  const waiting = readLines(new Readable({ read() {} }), { lineBytesMax: 10, signal: stop.signal });
  const next = waiting.next();
  stop.abort();
  assert.equal((await next).done, true);
});
