import assert from "node:assert/strict";
import { test } from "node:test";
import { registrationLineBytesMax } from "./model.js";
import { LineSplitter, parseParameters, type InputLine } from "./registration-input.js";

const bytesOf = (text: string) => new TextEncoder().encode(text);
const shown = ({ bytes, start, end }: InputLine) => [bytes && new TextDecoder().decode(bytes), start, end];

function linesOf(chunks: readonly Uint8Array[], offset = 0) {
  const splitter = new LineSplitter(offset);
  const lines = chunks.flatMap((chunk) => [...splitter.push(chunk)]);
  const last = splitter.end();
  return [...lines, ...(last === undefined ? [] : [last])].map(shown);
}

test("lines are the same however their bytes are cut", () => {
  const text = bytesOf('{"a":"å"}\n\n \r\n{}\nlast');
  const expected = [
    ['{"a":"å"}', 100, 111],
    ["", 111, 112],
    [" \r", 112, 115],
    ["{}", 115, 118],
    ["last", 118, 122],
  ];
  assert.deepEqual(linesOf([text], 100), expected);
  assert.deepEqual(
    linesOf(
      [...text].map((byte) => Uint8Array.of(byte)),
      100,
    ),
    expected,
  );
  for (let cut = 0; cut <= text.length; cut++) {
    assert.deepEqual(linesOf([text.subarray(0, cut), text.subarray(cut)], 100), expected);
  }
  assert.deepEqual(linesOf([]), []);
  assert.deepEqual(linesOf([bytesOf("a\n")]), [["a", 0, 2]]);
});

test("a line longer than registrationLineBytesMax is told without its bytes, and nothing of it is kept", () => {
  const longest = new Uint8Array(registrationLineBytesMax).fill(0x20);
  assert.equal(linesOf([longest, bytesOf("\n")])[0]?.[2], registrationLineBytesMax + 1);
  const [line] = linesOf([longest, bytesOf(" "), bytesOf(" \n")]);
  assert.deepEqual(line?.slice(0, 2), [undefined, 0]);
});

test("the parameters of a line are a JSON object in UTF-8", () => {
  assert.deepEqual(parseParameters(bytesOf(' {"a":"b"}\r')), { a: "b" });
  for (const wrong of [bytesOf(""), bytesOf("null"), bytesOf("[]"), bytesOf('"x"'), Uint8Array.of(0x7b, 0xff, 0x7d)]) {
    assert.throws(() => parseParameters(wrong));
  }
});
