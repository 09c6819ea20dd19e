import assert from "node:assert/strict";
import { test } from "node:test";
import { portLinkNames } from "./port-link-names.js";

test("the number at the end of a link's name is counted up", () => {
  assert.deepEqual(portLinkNames("/dev/ttyACM90", 1), ["/dev/ttyACM90"]);
  assert.deepEqual(portLinkNames("/dev/ttyACM98", 3), ["/dev/ttyACM98", "/dev/ttyACM99", "/dev/ttyACM100"]);
  assert.deepEqual(portLinkNames("line/port007", 2), ["line/port007", "line/port008"]);
  assert.deepEqual(portLinkNames("line/port", 2), ["line/port1", "line/port2"]);
});
