import assert from "node:assert/strict";
import { test } from "node:test";
import {
  commandStatuses,
  isReportableCommandStatus,
  isTerminalCommandState,
  refusedCommandTransition,
  type CommandState,
} from "./index.js";

const states: CommandState[] = [
  ...commandStatuses.map((status) => ({ status, by: status === "CREATED" ? "cloud" : "device" }) as const),
  { status: "TIMED_OUT", by: "cloud" },
];

test("a device may report what the table of AWS allows, and nothing changes a terminal state", () => {
  const told = states.map(({ status, by }) => [
    `${status} by ${by}`,
    commandStatuses
      .filter(isReportableCommandStatus)
      .filter((to) => refusedCommandTransition({ status, by }, to) === undefined)
      .join(" "),
  ]);
  const all = "IN_PROGRESS SUCCEEDED FAILED REJECTED TIMED_OUT";
  assert.deepEqual(Object.fromEntries(told), {
    "CREATED by cloud": all,
    "IN_PROGRESS by device": all,
    "SUCCEEDED by device": "",
    "FAILED by device": "",
    "REJECTED by device": "",
    "TIMED_OUT by device": "",
    "TIMED_OUT by cloud": "SUCCEEDED FAILED REJECTED TIMED_OUT",
  });
  const terminal = states.filter(isTerminalCommandState).map(({ status, by }) => `${status} by ${by}`);
  assert.deepEqual(terminal, [
    ...["SUCCEEDED by device", "FAILED by device", "REJECTED by device", "TIMED_OUT by device"],
  ]);
});

test("a refusal says whether the execution has ended, or cannot become that", () => {
  const from = (status: CommandState["status"], by: CommandState["by"] = "device") => ({ status, by });
  assert.equal(refusedCommandTransition(from("SUCCEEDED"), "REJECTED"), "TerminalStateReached");
  assert.equal(refusedCommandTransition(from("SUCCEEDED"), "IN_PROGRESS"), "InvalidStateTransition");
  assert.equal(refusedCommandTransition(from("TIMED_OUT"), "SUCCEEDED"), "InvalidStateTransition");
  assert.equal(refusedCommandTransition(from("TIMED_OUT", "cloud"), "IN_PROGRESS"), "InvalidStateTransition");
});
