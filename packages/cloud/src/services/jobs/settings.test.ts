import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { checkJobSettings, retriesMax, timeoutMinutesMax, type JobSettings } from "./settings.js";

const abort = (thresholdPercentage: number): JobSettings => {
  const criteria = { failureType: "FAILED", action: "CANCEL", minNumberOfExecutedThings: 1 } as const;
  return { abortConfig: { criteriaList: [{ ...criteria, thresholdPercentage }] } };
};
const timeout = (inProgressTimeoutInMinutes: number): JobSettings => ({
  timeoutConfig: { inProgressTimeoutInMinutes },
});
const retries = (...criteria: ["FAILED" | "TIMED_OUT" | "ALL", number][]): JobSettings => ({
  jobExecutionsRetryConfig: {
    criteriaList: criteria.map(([failureType, numberOfRetries]) => ({ failureType, numberOfRetries })),
  },
});

test("settings within AWS's bounds are taken", () => {
  const good = [
    {},
    abort(0.01),
    abort(12.34),
    abort(99.99),
    abort(100),
    timeout(1),
    timeout(timeoutMinutesMax),
    retries(["ALL", retriesMax]),
    retries(["FAILED", 4], ["TIMED_OUT", 6]),
    retries(["FAILED", 0]),
  ];
  for (const settings of good) checkJobSettings(settings);
});

const wrong: readonly [settings: JobSettings, why: RegExp][] = [
  [abort(0), /more than 0/],
  [abort(1.234), /at most two decimals, got 1\.234/],
  [timeout(0), /1 to 10080, got 0/],
  [timeout(timeoutMinutesMax + 1), /1 to 10080, got 10081/],
  [retries(["FAILED", 5], ["TIMED_OUT", 6]), /allows 11 retries, at most 10/],
  [retries(["FAILED", 1], ["FAILED", 1]), /FAILED twice/],
  [retries(["FAILED", 1], ["ALL", 1]), /beside ALL/],
  [
    {
      jobExecutionsRolloutConfig: {
        exponentialRate: { baseRatePerMinute: 1, incrementFactor: 2, rateIncreaseCriteria: {} },
      },
    },
    /exactly one of/,
  ],
];
for (const [settings, why] of wrong) {
  test(`${JSON.stringify(settings)} is refused: ${why.source}`, () => {
    assert.throws(
      () => checkJobSettings(settings),
      (error) => isThinglineError(error, "REQUEST_INVALID") && why.test(error.message),
    );
  });
}
