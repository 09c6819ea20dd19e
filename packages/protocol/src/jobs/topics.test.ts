import assert from "node:assert/strict";
import { test } from "node:test";
import { jobsTopic, parseJobsTopic, type JobsTopic } from "./topics.js";

const thingName = "pump-7";
const topics: readonly [string, JobsTopic][] = [
  ["get", { thingName, type: "get" }],
  ["get/accepted", { thingName, type: "get", outcome: "accepted" }],
  ["start-next", { thingName, type: "start-next" }],
  ["start-next/rejected", { thingName, type: "start-next", outcome: "rejected" }],
  ["$next/get", { thingName, type: "describe", jobId: "$next" }],
  ["job-1/get/accepted", { thingName, type: "describe", jobId: "job-1", outcome: "accepted" }],
  ["get/get", { thingName, type: "describe", jobId: "get" }],
  ["start-next/update/rejected", { thingName, type: "update", jobId: "start-next", outcome: "rejected" }],
  ["accepted/get", { thingName, type: "describe", jobId: "accepted" }],
  ["notify", { thingName, type: "notify" }],
  ["notify-next", { thingName, type: "notify-next" }],
];

for (const [tail, topic] of topics) {
  test(`jobs/${tail} is made and read`, () => {
    assert.equal(jobsTopic(topic), `$aws/things/${thingName}/jobs/${tail}`);
    assert.deepEqual(parseJobsTopic(jobsTopic(topic)), topic);
  });
}

for (const tail of ["foo", "notify/accepted", "job-1/foo", "job-1/get/other", "a/b/get", "", "job-1", "/get"]) {
  test(`jobs/${tail} is no topic of jobs`, () => {
    assert.equal(parseJobsTopic(`$aws/things/${thingName}/jobs/${tail}`), undefined);
  });
}

test("a topic of something else is no topic of jobs", () => {
  for (const topic of ["$aws/things/a/shadow/get", "aws/things/a/jobs/get", "$aws/things/a/b/jobs/get"]) {
    assert.equal(parseJobsTopic(topic), undefined);
  }
});
