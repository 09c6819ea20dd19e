import assert from "node:assert/strict";
import { test } from "node:test";
import { editDistance, nearestName } from "./nearest.js";
import { encodeKconfigString, parseHex, parseString } from "./syntax.js";

test("the edit distance counts letters added, dropped, changed or swapped", () => {
  const cases: [left: string, right: string, distance: number][] = [
    ["", "", 0],
    ["MQTT", "MQTT", 0],
    ["MQTT", "MQT", 1],
    ["MQT", "MQTT", 1],
    ["MQTT", "MQTX", 1],
    ["MQTT", "QMTT", 1],
    ["KEEPALIVE", "KEPALVIE", 2],
    ["ABC", "XYZ", 3],
    ["ABCD", "BADC", 2],
  ];
  for (const [left, right, distance] of cases) {
    assert.equal(editDistance(left, right, 8), distance, `${left} ${right}`);
    assert.equal(editDistance(right, left, 8), distance, `${right} ${left}`);
    if (distance > 0) assert.equal(editDistance(left, right, distance - 1), distance);
  }
});

test("the nearest name is the closest one within the limit, the first of equals", () => {
  assert.equal(nearestName("CAT", ["CART", "CAR", "DOG"], 2), "CART");
  assert.equal(nearestName("CAT", ["DOGMA", "CATS"], 1), "CATS");
  assert.equal(nearestName("CAT", ["DOG"], 2), undefined);
});

test("hexadecimal values may leave out their prefix", () => {
  for (const raw of ["0x1F", "1f", "0X1f"]) assert.deepEqual(parseHex(raw), { value: 31 });
  for (const raw of ["", "0x", "g", '"1f"', "-1"]) assert.ok("reason" in parseHex(raw), raw);
});

test("an encoded string reads back as it was", () => {
  for (const text of ["", "plain", 'with "quotes"', "back\\slash", '\\"', "$aws/things/ü"]) {
    assert.deepEqual(parseString(encodeKconfigString(text)), { value: text });
  }
});
