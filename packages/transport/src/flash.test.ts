import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { checkFlashGeometry, flashBytesMax, flashWriteBytesMax } from "./flash.js";

test("sizes that do not fit together are refused, the option by name", () => {
  const fits = { sizeBytes: 8_192, pageBytes: 4_096, writeBytes: 4 };
  checkFlashGeometry(fits);
  checkFlashGeometry({ ...fits, writeBytes: flashWriteBytesMax });
  checkFlashGeometry({ ...fits, sizeBytes: flashBytesMax });
  const refused: [option: string, wrong: Partial<typeof fits>][] = [
    ["sizeBytes", { sizeBytes: flashBytesMax + 4_096 }],
    ["sizeBytes", { sizeBytes: 0 }],
    ["sizeBytes", { sizeBytes: 6_000 }],
    ["sizeBytes", { sizeBytes: Number.NaN }],
    ["pageBytes", { pageBytes: 0 }],
    ["pageBytes", { pageBytes: 4_098 }],
    ["pageBytes", { pageBytes: 2, writeBytes: 4 }],
    ["writeBytes", { writeBytes: 0 }],
    ["writeBytes", { writeBytes: 3 }],
    ["writeBytes", { writeBytes: 2 * flashWriteBytesMax }],
  ];
  for (const [option, wrong] of refused) {
    const named = (error: unknown): boolean =>
      isThinglineError(error, "OPTION_INVALID") && error.details["option"] === option;
    assert.throws(() => checkFlashGeometry({ ...fits, ...wrong }), named, JSON.stringify(wrong));
  }
});
