import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { AtTerminator } from "./command-line-reader.js";
import { CommandLineReader } from "./command-line-reader.js";
import { atCommandBytesMax } from "./command.js";

const bytes = (text: string) => new TextEncoder().encode(text);

const cases: { name: string; terminator?: AtTerminator; input: string; lines: string[]; pending?: string }[] = [
  { name: "one command ends with CR", input: "AT\r", lines: ["AT"] },
  { name: "in CR mode a line feed begins the next command", input: "AT\r\nAT+CFUN?\r\n", lines: ["AT", "\nAT+CFUN?"] },
  { name: "a blank line vanishes", input: "\r\n\r \r\n", lines: [] },
  { name: "line ends inside quotes are content", input: 'AT%CMNG=0,1,0,"a\r\nb"\r', lines: ['AT%CMNG=0,1,0,"a\r\nb"'] },
  { name: "an open quote swallows lines until it closes", input: 'x"\rAT\r"y\r', lines: ['x"\rAT\r"y'] },
  { name: "backspace and DEL erase", input: "ATX\x08+CFUN!\x7f?\r", lines: ["AT+CFUN?"] },
  { name: "erasing a quote opens the line again", input: 'AT"\x08\r', lines: ["AT"] },
  { name: "erasing at the start does nothing", input: "\x08\x08AT\r", lines: ["AT"] },
  { name: "NUL bytes are ignored", input: "A\0T\r", lines: ["AT"] },
  { name: "LF mode ends with LF", terminator: "LF", input: "AT\nAT\r\n", lines: ["AT", "AT\r"] },
  { name: "CR+LF mode wants both", terminator: "CR+LF", input: "A\rT\nAT\r\n", lines: ["A\rT\nAT"] },
  { name: "CR+LF mode strips both", terminator: "CR+LF", input: "AT\r\n", lines: ["AT"] },
  { name: "NUL mode takes CR and LF as data", terminator: "NUL", input: "AT\r\n\0", lines: ["AT\r\n"] },
  { name: "what is not ended stays", input: "AT+CF", lines: [], pending: "AT+CF" },
];

for (const { name, terminator = "CR", input, lines, pending = "" } of cases) {
  for (const chunkBytes of [Infinity, 1, 3]) {
    test(`${name}, in chunks of ${chunkBytes}`, () => {
      const reader = new CommandLineReader({ terminator });
      const all = bytes(input);
      const got: (string | undefined)[] = [];
      for (let at = 0; at < all.length; at += Math.min(chunkBytes, all.length)) {
        got.push(...reader.push(all.subarray(at, at + chunkBytes)).map((line) => line.text));
      }
      assert.deepEqual(got, lines);
      if (pending !== "") assert.equal(reader.pendingBytes, pending.length);
    });
  }
}

test("what does not fit is dropped, counted, and the next command is whole", () => {
  const reader = new CommandLineReader({ lineBytesMax: 8 });
  assert.deepEqual(reader.push(bytes('AT%X="abcdef"\rAT\r')), [
    { text: 'AT%X="ab', droppedBytes: 5 },
    { text: "AT", droppedBytes: 0 },
  ]);
});

test("bytes that are no UTF-8 make a line without text", () => {
  const reader = new CommandLineReader();
  assert.deepEqual(reader.push(Uint8Array.of(0x41, 0xff, 0x0d)), [{ text: undefined, droppedBytes: 0 }]);
});

test("any bytes in any chunking give the same lines, and never more than the buffer", () => {
  const byte = fc.oneof(fc.constantFrom(0x22, 0x0d, 0x0a, 0x08, 0x41, 0), fc.nat(255));
  fc.assert(
    fc.property(fc.array(byte, { maxLength: 300 }), fc.integer({ min: 1, max: 20 }), (input, chunkBytes) => {
      const whole = new CommandLineReader({ lineBytesMax: 32 }).push(Uint8Array.from(input));
      const reader = new CommandLineReader({ lineBytesMax: 32 });
      const pieces = [];
      for (let at = 0; at < input.length; at += chunkBytes) {
        pieces.push(...reader.push(Uint8Array.from(input.slice(at, at + chunkBytes))));
        assert.ok(reader.pendingBytes <= 32);
      }
      assert.deepEqual(pieces, whole);
    }),
    { numRuns: process.env["THINGLINE_TEST_LONG"] === "1" ? 50_000 : 500 },
  );
});

test("without an option a command has atCommandBytesMax, and what is more is cut off and counted", () => {
  const line = "x".repeat(atCommandBytesMax);
  assert.deepEqual(new CommandLineReader().push(bytes(`${line}\r${line}x\r`)), [
    { text: line, droppedBytes: 0 },
    { text: line, droppedBytes: 1 },
  ]);
});
