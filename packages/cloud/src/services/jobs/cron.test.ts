import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { cronSearchDaysMax, nextCronTime, parseCron } from "./cron.js";

const at = (text: string) => Date.parse(`${text}Z`);
const show = (ms: number | undefined) => (ms === undefined ? undefined : new Date(ms).toISOString().slice(0, 16));

/** Sunday. */
const from = "2026-11-29T12:00";

const times: readonly [expression: string, ...expected: string[]][] = [
  ["cron(0 2 ? * SUN *)", "2026-12-06T02:00", "2026-12-13T02:00"],
  ["0 2 * * ? *", "2026-11-30T02:00", "2026-12-01T02:00"],
  ["cron(0/20 12 * * ? *)", "2026-11-29T12:20", "2026-11-29T12:40", "2026-11-30T12:00"],
  ["cron(*/30 * * * ? *)", "2026-11-29T12:30", "2026-11-29T13:00"],
  ["cron(0 12 ? * 1 *)", "2026-12-06T12:00"],
  ["cron(0 18 ? * MON-FRI *)", "2026-11-30T18:00", "2026-12-01T18:00"],
  ["cron(0 18 ? * 2,WED,6 *)", "2026-11-30T18:00", "2026-12-02T18:00", "2026-12-04T18:00"],
  ["cron(15 10 ? * 6L 2026-2027)", "2026-12-25T10:15", "2027-01-29T10:15"],
  ["cron(0 0 ? * tue#2 *)", "2026-12-08T00:00", "2027-01-12T00:00"],
  ["cron(0 0 ? * L *)", "2026-12-05T00:00"],
  ["cron(0 0 L * ? *)", "2026-11-30T00:00", "2026-12-31T00:00"],
  ["cron(0 0 L-2 * ? *)", "2026-12-29T00:00"],
  // 31 January 2027 is a Sunday, 1 May 2027 a Saturday, 15 August 2027 a Sunday.
  ["cron(0 0 LW JAN ? 2027)", "2027-01-29T00:00"],
  ["cron(0 0 1W 5 ? 2027)", "2027-05-03T00:00"],
  ["cron(0 0 15W 8 ? 2027)", "2027-08-16T00:00"],
  ["cron(0 0 31W 12,2 ? *)", "2026-12-31T00:00", "2027-12-31T00:00"],
  ["cron(0 0 29 2 ? *)", "2028-02-29T00:00", "2032-02-29T00:00"],
  ["cron(5-7 23 31 DEC ? 2026)", "2026-12-31T23:05", "2026-12-31T23:06", "2026-12-31T23:07"],
];

describe("cron expressions", () => {
  for (const [expression, ...expected] of times) {
    test(`${expression} fits at ${expected.join(", ")}`, () => {
      const cron = parseCron(expression);
      let after = at(from);
      for (const time of expected) {
        const next = nextCronTime(cron, after);
        assert.equal(show(next), time);
        after = next ?? 0;
      }
    });
  }

  test("the time that is asked about does not count, a millisecond before it does", () => {
    const cron = parseCron("cron(0 12 * * ? *)");
    assert.equal(show(nextCronTime(cron, at(from))), "2026-11-30T12:00");
    assert.equal(show(nextCronTime(cron, at(from) - 1)), "2026-11-29T12:00");
  });

  test("days that never come end the search", () => {
    assert.equal(nextCronTime(parseCron("cron(0 0 31 2 ? *)"), at(from)), undefined);
    assert.equal(nextCronTime(parseCron("cron(0 0 1 1 ? 2020)"), at(from)), undefined);
    assert.equal(nextCronTime(parseCron("cron(0 0 ? 2 MON#5 2027)"), at(from)), undefined);
  });

  test("the search reaches a 29 February across 1900, and no further than its bound", () => {
    const leap = parseCron("cron(0 0 29 2 ? *)");
    assert.equal(show(nextCronTime(parseCron("cron(0 0 29 2 ? *)"), at("2096-02-29T00:00"))), "2104-02-29T00:00");
    assert.ok(
      (nextCronTime(leap, at("2096-02-29T00:00")) ?? 0) - at("2096-02-29T00:00") <= cronSearchDaysMax * 86_400_000,
    );
    const far = parseCron("cron(0 0 1 1 ? 2040)");
    assert.equal(nextCronTime(far, at(from)), undefined);
  });

  const wrong: readonly [expression: string, why: RegExp][] = [
    ["", /six fields/],
    ["cron(0 2 ? * SUN)", /six fields/],
    ["cron(0 2 ? * SUN * *)", /six fields/],
    ["cron(0 2 * * * *)", /exactly one of day-of-month and day-of-week/],
    ["cron(0 2 ? * ? *)", /exactly one of day-of-month and day-of-week/],
    ["cron(60 2 ? * SUN *)", /minute '60' is not within 0 to 59/],
    ["cron(0 24 ? * SUN *)", /hour '24'/],
    ["cron(0 2 0 * ? *)", /day-of-month '0'/],
    ["cron(0 2 32W * ? *)", /day-of-month '32'/],
    ["cron(0 2 L-31 * ? *)", /day-of-month 'L-31'/],
    ["cron(0 2 ? 13 SUN *)", /month '13'/],
    ["cron(0 2 ? FOO SUN *)", /month 'FOO'/],
    ["cron(0 2 ? * 8 *)", /day-of-week '8'/],
    ["cron(0 2 ? * MON#6 *)", /day-of-week 'MON#6'/],
    ["cron(0 2 ? * FRI-MON *)", /ends before it begins/],
    ["cron(0 2 ? * SUN 1969)", /year '1969'/],
    ["cron(0/0 2 ? * SUN *)", /minute '0\/0'/],
    ["cron(1/2/3 2 ? * SUN *)", /minute '1\/2\/3'/],
    ["cron(1-2-3 2 ? * SUN *)", /minute '1-2-3'/],
    ["cron(, 2 ? * SUN *)", /minute ''/],
    ["cron(-1 2 ? * SUN *)", /minute ''/],
    ["cron(1e1 2 ? * SUN *)", /minute '1e1'/],
  ];
  for (const [expression, why] of wrong) {
    test(`'${expression}' is refused: ${why.source}`, () => {
      assert.throws(
        () => parseCron(expression),
        (error) => isThinglineError(error, "REQUEST_INVALID") && why.test(error.message),
      );
    });
  }
});
