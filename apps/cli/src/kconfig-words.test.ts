import assert from "node:assert/strict";
import { test } from "node:test";
import { ThinglineError } from "@thingline/protocol";
import { inWordsOfKconfig } from "./kconfig-words.js";

test("errors of the library name what was typed: a Kconfig option or a flag", () => {
  const details = { topic: "t", payloadBytes: 4608, payloadBytesMax: 2304 };
  const oversize = new ThinglineError("LIMIT_EXCEEDED", "payloadBytesMax is 2304", { details });
  assert.match(
    inWordsOfKconfig(oversize).message,
    /^a message on "t" has 4608 .* CONFIG_AWS_IOT_MQTT_PAYLOAD_BUFFER_LEN=2304/,
  );
  assert.doesNotMatch(inWordsOfKconfig(oversize).message, /payloadBytesMax/);
  const wrong = new ThinglineError("OPTION_INVALID", "lastWill.topic is empty", {
    details: { option: "lastWill.topic" },
  });
  assert.match(inWordsOfKconfig(wrong).message, /\(given by CONFIG_AWS_IOT_LAST_WILL_TOPIC and /);
  for (const other of [
    new ThinglineError("LIMIT_EXCEEDED", "a message was dropped", { details: { topic: "t" } }),
    new ThinglineError("OPTION_INVALID", "x", { details: { option: "another" } }),
    new Error("not ours"),
  ]) {
    assert.equal(inWordsOfKconfig(other), other);
  }
});
