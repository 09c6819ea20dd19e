import assert from "node:assert/strict";
import { test } from "node:test";
import { UsageError } from "./failure.js";
import { namesDoor } from "./modem-door.js";

test("options of a serial line without a serial port are wrong usage: they would be ignored", () => {
  assert.equal(namesDoor({}), false);
  assert.equal(namesDoor({ flowControl: true }), false);
  assert.equal(namesDoor({ tcp: "localhost:4000" }), true);
  assert.equal(namesDoor({ port: "/dev/ttyACM0", baudRate: 9600, flowControl: false }), true);
  assert.equal(namesDoor({ baudRate: 9600 }, "/dev/ttyACM1"), false, "the port that is asked afterwards");
  for (const options of [{ baudRate: 9600 }, { flowControl: false }, { tcp: "localhost:4000", baudRate: 9600 }]) {
    assert.throws(() => namesDoor(options), UsageError);
  }
});
