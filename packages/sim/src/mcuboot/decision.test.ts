import assert from "node:assert/strict";
import { test } from "node:test";
import type { TrailerMark, TrailerState } from "@thingline/protocol/image";
import { decideSwap, findStatus } from "./decision.js";

/** `g`, `u` and `b` for magic, image_ok and copy_done: good, unset, bad. */
function trailer(marks: string): TrailerState {
  const mark = (at: number): TrailerMark => ({ g: "good", u: "unset", b: "bad" })[marks[at] ?? ""] as TrailerMark;
  return { magic: mark(0), imageOk: mark(1), copyDone: mark(2), swapType: "none", imageNumber: 0 };
}

test("the trailers decide, the secondary's before the primary's", () => {
  const table: [primary: string, secondary: string, move: string, offset?: string][] = [
    ["uuu", "uuu", "none"],
    ["uuu", "guu", "test"],
    ["ggg", "guu", "test"],
    ["gug", "guu", "test"],
    ["uuu", "ggu", "permanent"],
    ["gug", "ggu", "permanent"],
    ["gug", "uuu", "revert"],
    ["gug", "buu", "revert"],
    ["ggg", "uuu", "none"],
    ["guu", "uuu", "none"],
    ["bug", "uuu", "none"],
    ["gbg", "uuu", "none"],
    ["uuu", "buu", "none"],
    ["uuu", "gbu", "none"],
    ["uuu", "gug", "test", "revert"],
    ["uuu", "ggg", "permanent"],
  ];
  for (const [primary, secondary, move, offset = move] of table) {
    const name = `${primary} ${secondary}`;
    assert.equal(decideSwap("move", trailer(primary), trailer(secondary)), move, name);
    assert.equal(decideSwap("scratch", trailer(primary), trailer(secondary)), move, name);
    assert.equal(decideSwap("offset", trailer(primary), trailer(secondary)), offset, name);
  }
});

test("the status of a swap that was begun is looked for where it can be", () => {
  const table: [primary: string, secondary: string, scratch: string | undefined, source: string][] = [
    ["guu", "uuu", undefined, "primary"],
    ["ggu", "uuu", undefined, "primary"],
    ["guu", "guu", undefined, "none"],
    ["gug", "uuu", undefined, "none"],
    ["uuu", "uuu", undefined, "none"],
    ["gug", "uuu", "uuu", "none"],
    ["guu", "guu", "uuu", "primary"],
    ["gug", "uuu", "guu", "scratch"],
    ["guu", "uuu", "guu", "scratch"],
    ["uuu", "uuu", "uuu", "primary"],
    ["buu", "uuu", "uuu", "none"],
    ["uug", "uuu", "uuu", "none"],
  ];
  for (const [primary, secondary, scratch, source] of table) {
    const found = findStatus(
      trailer(primary),
      trailer(secondary),
      scratch === undefined ? undefined : trailer(scratch),
    );
    assert.equal(found, source, `${primary} ${secondary} ${scratch}`);
  }
});
