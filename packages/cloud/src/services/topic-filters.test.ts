import assert from "node:assert/strict";
import { test } from "node:test";
import { TopicFilters } from "./topic-filters.js";

test("filters match as AWS's rules do, and change while somebody watches", () => {
  const filters = new TopicFilters(["a/+", "$aws/things/+/shadow/update"]);
  let changes = 0;
  const stop = filters.watch(() => changes++);
  assert.deepEqual(
    ["a/b", "a/b/c", "a", "$aws/things/x/shadow/update"].map((topic) => filters.matches(topic)),
    [true, false, false, true],
  );
  filters.add("#");
  assert.deepEqual(
    ["a/b/c", "a", "$aws/things/x/shadow/get"].map((topic) => filters.matches(topic)),
    [true, true, false],
  );
  filters.add("#");
  assert.equal(filters.remove("#"), true);
  assert.equal(filters.remove("#"), false);
  assert.equal(filters.matches("a"), false);
  assert.equal(changes, 2);
  assert.throws(() => filters.add("a/#/b"), { code: "TOPIC_FILTER_INVALID" });
  stop();
  filters.add("b");
  assert.equal(changes, 2);
  assert.deepEqual([...filters.all], ["a/+", "$aws/things/+/shadow/update", "b"]);
});
