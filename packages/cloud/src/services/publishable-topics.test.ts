import assert from "node:assert/strict";
import { test } from "node:test";
import { isPublishableReservedTopic } from "./publishable-topics.js";

const jobs = "$aws/things/pump/jobs/";

test("below the jobs of a thing everything may be published but what the service says there", () => {
  for (const tail of ["get", "start-next", "$next/get", "j/update", "foo", "j/foo/bar", "get/get"]) {
    assert.equal(isPublishableReservedTopic(jobs + tail, "client"), true, tail);
    assert.equal(isPublishableReservedTopic(jobs + tail, "http"), false, tail);
  }
  for (const tail of [
    ...["notify", "notify-next", "get/accepted", "start-next/rejected"],
    ...["$next/get/accepted", "j/get/rejected", "j/update/accepted"],
  ]) {
    assert.equal(isPublishableReservedTopic(jobs + tail, "client"), false, tail);
  }
  for (const topic of ["$aws/things/pump/jobs", "$aws/events/job/j/completed", "$aws/things/jobs/get"]) {
    assert.equal(isPublishableReservedTopic(topic, "client"), false, topic);
  }
});
