import assert from "node:assert/strict";
import { test } from "node:test";
import { type ApplicationState, type BootFindings, decideBoot, decodeSlot, decodeState, encodeState } from "./state.js";

const state = (more: Partial<ApplicationState> = {}): ApplicationState => ({
  active: "a",
  trial: "confirmed",
  isScheduled: false,
  startCount: 0,
  ...more,
});
const onTrial = state({ active: "b", trial: "onTrial", startCount: 1 });

/** Whether active and other are whole, and the other one proven: `1` is yes. */
const findings = (text: string): BootFindings => ({
  isActiveWhole: text[0] === "1",
  isOtherWhole: text[1] === "1",
  isOtherProven: text[2] === "1",
});

const rows: [
  what: string,
  before: ApplicationState,
  findings: string,
  why: string,
  after: Partial<ApplicationState>,
  boots?: "a" | "b",
][] = [
  ["what is confirmed starts", state(), "100", "asBefore", {}, "a"],
  ["what is scheduled is tried", state({ isScheduled: true }), "110", "trial", onTrial, "b"],
  [
    "one that was reverted may be tried again",
    state({ trial: "reverted", isScheduled: true }),
    "110",
    "trial",
    onTrial,
    "b",
  ],
  [
    "what is damaged is not tried",
    state({ isScheduled: true }),
    "100",
    "refused",
    { trial: "reverted", isScheduled: false },
    "a",
  ],
  [
    "a second start of a trial goes back",
    onTrial,
    "111",
    "reverted",
    { active: "a", trial: "reverted", startCount: 0 },
    "a",
  ],
  [
    "so does a trial that is damaged",
    { ...onTrial, startCount: 0 },
    "011",
    "reverted",
    { active: "a", trial: "reverted" },
    "a",
  ],
  ["a trial with nothing to go back to goes on", onTrial, "100", "asBefore", { startCount: 2 }, "b"],
  [
    "a damaged one gives way to one that was confirmed once",
    state(),
    "011",
    "repaired",
    { active: "b", trial: "reverted" },
    "b",
  ],
  ["and not to one that never was", state(), "010", "nothing", {}, undefined],
  ["what is scheduled is tried also beside a damaged one", state({ isScheduled: true }), "010", "trial", onTrial, "b"],
  [
    "nothing is whole",
    state({ isScheduled: true }),
    "000",
    "nothing",
    { isScheduled: false, trial: "reverted" },
    undefined,
  ],
];

for (const [what, before, text, why, after, boots] of rows) {
  test(`${what} (${why})`, () => {
    const decision = decideBoot(before, findings(text));
    assert.deepEqual([decision.why, decision.boots], [why, boots]);
    assert.deepEqual(decision.state, { ...before, ...after });
  });
}

test("whatever is found, what starts is whole, and nothing on trial starts twice when there is a way back", () => {
  for (const active of ["a", "b"] as const) {
    for (const trial of ["confirmed", "onTrial", "reverted"] as const) {
      for (const isScheduled of [false, true]) {
        for (const startCount of [0, 1]) {
          for (let bits = 0; bits < 8; bits += 1) {
            const text = bits.toString(2).padStart(3, "0");
            const before = { active, trial, isScheduled, startCount };
            const { state: after, boots } = decideBoot(before, findings(text));
            const isWhole = boots === active ? text[0] === "1" : text[1] === "1";
            assert.ok(boots === undefined || isWhole, JSON.stringify({ before, text, boots }));
            if (boots !== undefined) assert.equal(after.active, boots);
            assert.equal(after.isScheduled, false);
            if (trial === "onTrial" && startCount > 0 && text[1] === "1") assert.notEqual(boots, active);
            assert.deepEqual(decodeState(encodeState(after)), after);
          }
        }
      }
    }
  }
});

test("what was not written by us is no record", () => {
  for (const text of [
    "",
    "{",
    "[]",
    '{"version":2}',
    '{"version":1,"active":"c"}',
    '{"version":1,"active":"a","trial":"x"}',
  ]) {
    assert.equal(decodeState(new TextEncoder().encode(text)), undefined);
    assert.equal(decodeSlot(new TextEncoder().encode(text)), undefined);
  }
});
