import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { concatBytes } from "@thingline/protocol";
import { checkPayload } from "../payload.js";
import { hexBytesMax, planSends, type SendPiece } from "./send-plan.js";

const bytesOf = (piece: SendPiece): Uint8Array => {
  if (piece.type === "data") return concatBytes(piece.parts);
  return piece.type === "hex" ? piece.bytes : new TextEncoder().encode(piece.text);
};
const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const shown = (pieces: readonly SendPiece[]): string[] =>
  pieces.map((piece) => `${piece.type} ${new TextDecoder().decode(bytesOf(piece))}`);

test("a payload that would end data mode goes around it", () => {
  const options = { countsPayload: false, burstBytesMax: 8 };
  for (const [text, pieces] of [
    ["abc", ["data abc"]],
    ["a+b++c", ["data a+b++c"]],
    ["abc+", ["data abc", "text +"]],
    ["abc++", ["data abc", "text ++"]],
    ["abc+++", ["data abc", "text +++"]],
    ["+++abc", ["text +++", "data abc"]],
    ["a++++b", ["data a", "text ++++", "data b"]],
    ["1234567+9", ["data 1234567", "data +9"]],
    ["12345678", ["data 12345678"]],
    ["123456++9", ["data 123456", "data ++9"]],
    ["", []],
  ] as const) {
    assert.deepEqual(shown(planSends([encode(text)], options)), pieces, text);
  }
});

test("where data mode ends by count, few bytes go as hex digits and more in bursts", () => {
  const options = { countsPayload: true, burstBytesMax: 8 };
  assert.deepEqual(planSends([Uint8Array.of(0xc0), Uint8Array.of(0)], options), [
    { type: "hex", bytes: Uint8Array.of(0xc0, 0) },
  ]);
  const text = "+".repeat(hexBytesMax + 1);
  const pieces = planSends([encode(text)], options);
  assert.deepEqual(shown(pieces), ["data ++++++++", "data ++++++++", "data ++++++++", "data ++++++++", "data +"]);
});

test("the marker never lies across two buffers of an application that looks for it at the end of one", () => {
  const options = { countsPayload: false, burstBytesMax: 100, markerBufferBytes: 16 };
  for (let length = 1; length <= 100; length++) {
    for (const filler of ["abcd", "ab++", "a+b+"]) {
      const text = filler.repeat(25).slice(0, length);
      const pieces = planSends([encode(text)], options);
      assert.equal(new TextDecoder().decode(concatBytes(pieces.map(bytesOf))), text);
      for (const piece of pieces) {
        if (piece.type !== "data") continue;
        checkPayload({ bytes: bytesOf(piece), end: "marker" });
        assert.ok(piece.lengthBytes % 16 <= 13, `${length} bytes: a piece of ${piece.lengthBytes}`);
      }
    }
  }
});

test("every byte goes out once, in order, in pieces that keep their limits", () => {
  const part = fc.array(fc.constantFrom(0x2b, 0x2b, 0x61, 0), { maxLength: 60 }).map((bytes) => Uint8Array.from(bytes));
  fc.assert(
    fc.property(
      fc.array(part, { maxLength: 6 }),
      fc.boolean(),
      fc.integer({ min: 4, max: 40 }),
      (parts, countsPayload, burstBytesMax) => {
        const pieces = planSends(parts, { countsPayload, burstBytesMax });
        assert.deepEqual(concatBytes(pieces.map(bytesOf)), concatBytes(parts));
        for (const piece of pieces) {
          const bytes = bytesOf(piece);
          assert.ok(bytes.length > 0);
          if (piece.type !== "data") continue;
          assert.equal(piece.lengthBytes, bytes.length);
          assert.ok(bytes.length <= burstBytesMax);
          if (!countsPayload) checkPayload({ bytes, end: "marker" });
        }
      },
    ),
    { numRuns: 300 },
  );
});
