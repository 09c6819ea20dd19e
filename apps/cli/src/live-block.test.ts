import assert from "node:assert/strict";
import { test } from "node:test";
import { LiveBlock } from "./live-block.js";

/** As much of a terminal as a block needs: what is on it in the end. */
function terminal() {
  const lines = [""];
  let row = 0;
  const write = (text: string) => {
    for (const piece of text.split(/(\r|\n|(?=\p{Cc}\[)|(?<=\[\d*[AKJ]))/u)) {
      const [, count, command] = /^\p{Cc}\[(\d*)([AKJ])$/u.exec(piece) ?? [];
      if (piece === "\n") lines[++row] ??= "";
      else if (command === "A") row -= Number(count);
      else if (command === "J") lines.splice(row + 1);
      else if (command === undefined && piece !== "\r" && piece !== "") lines[row] = piece;
    }
  };
  return { stream: { write }, lines };
}

test("a block is drawn over itself, and leaves no line when it becomes shorter", () => {
  const { stream, lines } = terminal();
  const block = new LiveBlock(stream);
  block.show(["one", "two", "three"]);
  assert.deepEqual(lines, ["one", "two", "three", ""]);
  block.show(["1", "2"]);
  assert.deepEqual(lines.slice(0, 2), ["1", "2"]);
  assert.equal(lines.length, 3);
  block.end();
  block.show(["next"]);
  assert.deepEqual(lines.slice(0, 3), ["1", "2", "next"]);
});
