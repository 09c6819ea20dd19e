import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "../errors.js";
import { checkShadowId, parseShadowTopic, shadowRequestFilters, shadowTopic, shadowTopicTails } from "./topics.js";

test("topics of classic and named shadows are AWS's, and are read back", () => {
  assert.equal(shadowTopic({ thingName: "pump-7" }, "update/delta"), "$aws/things/pump-7/shadow/update/delta");
  assert.equal(
    shadowTopic({ thingName: "pump-7", shadowName: "$wifi:1" }, "get/accepted"),
    "$aws/things/pump-7/shadow/name/$wifi:1/get/accepted",
  );
  for (const id of [
    { thingName: "t" },
    { thingName: "t", shadowName: "s" },
    { thingName: "name", shadowName: "get" },
  ]) {
    for (const tail of shadowTopicTails) assert.deepEqual(parseShadowTopic(shadowTopic(id, tail)), { id, tail });
  }
});

test("other topics are none of a shadow", () => {
  for (const topic of [
    "",
    "$aws/things/t/shadow",
    "$aws/things/t/shadow/",
    "$aws/things/t/shadow/put",
    "$aws/things/t/shadow/get/delta",
    "$aws/things//shadow/get",
    "$aws/things/t/shadow/name/get",
    "$aws/things/t/shadow/name//get",
    "$aws/things/t/shadow/name/s/x/get",
    "$aws/things/t/jobs/get",
    "x/$aws/things/t/shadow/get",
    "$aws/things/t/shadow/get\n",
  ]) {
    assert.equal(parseShadowTopic(topic), undefined, topic);
  }
});

test("the service listens to six filters", () => {
  assert.deepEqual([...shadowRequestFilters].sort(), [
    "$aws/things/+/shadow/delete",
    "$aws/things/+/shadow/get",
    "$aws/things/+/shadow/name/+/delete",
    "$aws/things/+/shadow/name/+/get",
    "$aws/things/+/shadow/name/+/update",
    "$aws/things/+/shadow/update",
  ]);
});

test("names that AWS does not take are refused by option", () => {
  checkShadowId({ thingName: "t".repeat(128), shadowName: "$".repeat(64) });
  for (const [id, option] of [
    [{ thingName: "" }, "thingName"],
    [{ thingName: "t".repeat(129) }, "thingName"],
    [{ thingName: "a/b" }, "thingName"],
    [{ thingName: "$t" }, "thingName"],
    [{ thingName: "t\n" }, "thingName"],
    [{ thingName: "t", shadowName: "" }, "shadowName"],
    [{ thingName: "t", shadowName: "s".repeat(65) }, "shadowName"],
    [{ thingName: "t", shadowName: "ä" }, "shadowName"],
  ] as const) {
    assert.throws(
      () => checkShadowId(id),
      (error) => isThinglineError(error, "OPTION_INVALID") && error.details["option"] === option,
      JSON.stringify(id),
    );
  }
});
