import { ThinglineError } from "@thingline/protocol";

// Cron expressions as AWS writes them: six fields (minute, hour, day of month, month, day of week, year), with or without `cron(…)`
// around them, in UTC.

const dayMs = 86_400_000;
const minuteMs = 60_000;

/** How far ahead the next time is searched for: long enough for a 29 February across a year that is no leap year (1896 to 1904). */
export const cronSearchDaysMax = 2_930;

/** Which days of a month a field allows, for the month that is asked about. */
type DaysOfMonth =
  | { type: "any" }
  | { type: "days"; days: ReadonlySet<number> }
  /** `L`, `L-3`: the last day, or so many before it. */
  | { type: "last"; before: number }
  /** `15W`, `LW` (day 0): the weekday nearest to it, within the month. */
  | { type: "nearestWeekday"; day: number };

/** Days of the week count from Sunday, 0. */
type DaysOfWeek =
  | { type: "any" }
  | { type: "days"; days: ReadonlySet<number> }
  /** `6L`: the last Friday of the month. */
  | { type: "last"; day: number }
  /** `3#2`: the second Tuesday of the month. */
  | { type: "nth"; day: number; nth: number };

export interface Cron {
  /** In order. */
  readonly minutesOfDay: readonly number[];
  readonly months: ReadonlySet<number>;
  readonly daysOfMonth: DaysOfMonth;
  readonly daysOfWeek: DaysOfWeek;
  readonly years: ReadonlySet<number>;
}

interface Field {
  name: string;
  min: number;
  max: number;
  /** The first stands for `min`. */
  words?: readonly string[];
}

const monthWords = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const dayWords = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

const fields = {
  minute: { name: "minute", min: 0, max: 59 },
  hour: { name: "hour", min: 0, max: 23 },
  dayOfMonth: { name: "day-of-month", min: 1, max: 31 },
  month: { name: "month", min: 1, max: 12, words: monthWords },
  dayOfWeek: { name: "day-of-week", min: 1, max: 7, words: dayWords },
  year: { name: "year", min: 1970, max: 2199 },
} as const satisfies Record<string, Field>;

const invalid = (why: string, text: string) =>
  new ThinglineError("REQUEST_INVALID", `Invalid cron expression '${text}': ${why}`);

/**
 * Reads `cron(0 2 ? * SUN *)`, or the same without `cron( )`.
 *
 * @throws {ThinglineError} REQUEST_INVALID
 * @see Amazon EventBridge user guide, "Cron expressions reference"
 */
export function parseCron(text: string): Cron {
  const inner = /^cron\((.*)\)$/is.exec(text.trim())?.[1] ?? text;
  const parts = inner.trim().split(/\s+/);
  const [minute, hour, dayOfMonth, month, dayOfWeek, year] = parts;
  if (parts.length !== 6 || minute === undefined || hour === undefined || month === undefined || year === undefined) {
    throw invalid("six fields are needed: minute, hour, day-of-month, month, day-of-week, year", text);
  }
  // AWS: one of the two days has to be left open, they cannot both be restricted.
  if ((dayOfMonth === "?") === (dayOfWeek === "?")) {
    throw invalid("exactly one of day-of-month and day-of-week is to be '?'", text);
  }
  const numbers = (source: string, field: Field) => readNumbers(source, field, text);
  const minutes = sorted(numbers(minute, fields.minute));
  const hours = sorted(numbers(hour, fields.hour));
  return {
    minutesOfDay: hours.flatMap((at) => minutes.map((past) => at * 60 + past)),
    months: numbers(month, fields.month),
    daysOfMonth: readDaysOfMonth(dayOfMonth ?? "?", text),
    daysOfWeek: readDaysOfWeek(dayOfWeek ?? "?", text),
    years: numbers(year, fields.year),
  };
}

function readDaysOfMonth(source: string, text: string): DaysOfMonth {
  if (source === "?" || source === "*") return { type: "any" };
  const last = /^L(?:-(\d{1,2}))?$/i.exec(source);
  if (last !== null) {
    const before = Number(last[1] ?? 0);
    if (before > 30) throw invalid(`day-of-month '${source}'`, text);
    return { type: "last", before };
  }
  if (/^LW$/i.test(source)) return { type: "nearestWeekday", day: 0 };
  const nearest = /^(\d{1,2})W$/i.exec(source);
  if (nearest === null) return { type: "days", days: readNumbers(source, fields.dayOfMonth, text) };
  return { type: "nearestWeekday", day: readNumber(nearest[1] ?? "", fields.dayOfMonth, text) };
}

function readDaysOfWeek(source: string, text: string): DaysOfWeek {
  if (source === "?" || source === "*") return { type: "any" };
  const day = (word: string) => readNumber(word, fields.dayOfWeek, text) - 1;
  if (/^L$/i.test(source)) return { type: "days", days: new Set([6]) };
  const last = /^(\w+)L$/i.exec(source);
  if (last !== null) return { type: "last", day: day(last[1] ?? "") };
  const nth = /^(\w+)#([1-5])$/.exec(source);
  if (nth !== null) return { type: "nth", day: day(nth[1] ?? ""), nth: Number(nth[2]) };
  const days = readNumbers(source, fields.dayOfWeek, text);
  return { type: "days", days: new Set([...days].map((number) => number - 1)) };
}

/** `*`, `7`, `1-5`, `MON-FRI`, `0/15`, `10-40/10`, and lists of them. */
function readNumbers(source: string, field: Field, text: string): ReadonlySet<number> {
  const numbers = new Set<number>();
  for (const part of source.split(",")) {
    const [range = "", step, more] = part.split("/");
    if (more !== undefined || range === "" || (step !== undefined && !/^[1-9]\d{0,3}$/.test(step))) {
      throw invalid(`${field.name} '${part}'`, text);
    }
    const [from, to] = readRange(range, field, text, step !== undefined);
    for (let number = from; number <= to; number += Number(step ?? 1)) numbers.add(number);
  }
  return numbers;
}

function readRange(range: string, field: Field, text: string, isStepped: boolean): [from: number, to: number] {
  if (range === "*") return [field.min, field.max];
  const [from = "", to, more] = range.split("-");
  if (more !== undefined) throw invalid(`${field.name} '${range}'`, text);
  const first = readNumber(from, field, text);
  if (to === undefined) return [first, isStepped ? field.max : first];
  const last = readNumber(to, field, text);
  if (last < first) throw invalid(`${field.name} '${range}' ends before it begins`, text);
  return [first, last];
}

function readNumber(word: string, field: Field, text: string): number {
  const named = field.words?.indexOf(word.toUpperCase()) ?? -1;
  const number = named >= 0 ? field.min + named : /^\d{1,4}$/.test(word) ? Number(word) : NaN;
  if (number >= field.min && number <= field.max) return number;
  throw invalid(`${field.name} '${word}' is not within ${field.min} to ${field.max}`, text);
}

const sorted = (numbers: ReadonlySet<number>) => [...numbers].sort((left, right) => left - right);

/**
 * The first time after `afterMs` that fits, in Unix milliseconds; undefined when there is none within {@link cronSearchDaysMax} days.
 */
export function nextCronTime(cron: Cron, afterMs: number): number | undefined {
  let dayStartMs = Math.floor(afterMs / dayMs) * dayMs;
  for (let day = 0; day <= cronSearchDaysMax; day++, dayStartMs += dayMs) {
    if (!isDayOf(cron, dayStartMs)) continue;
    for (const minute of cron.minutesOfDay) {
      const atMs = dayStartMs + minute * minuteMs;
      if (atMs > afterMs) return atMs;
    }
  }
  return undefined;
}

function isDayOf(cron: Cron, dayStartMs: number): boolean {
  const date = new Date(dayStartMs);
  const year = date.getUTCFullYear();
  const month = date.getUTCMonth();
  if (!cron.years.has(year) || !cron.months.has(month + 1)) return false;
  const day = date.getUTCDate();
  const lastDay = new Date(Date.UTC(year, month + 1, 0)).getUTCDate();
  return (
    isDayOfMonth(cron.daysOfMonth, { year, month, day, lastDay }) &&
    isDayOfWeek(cron.daysOfWeek, date.getUTCDay(), day, lastDay)
  );
}

type DayInMonth = { year: number; month: number; day: number; lastDay: number };

function isDayOfMonth(allowed: DaysOfMonth, at: DayInMonth): boolean {
  switch (allowed.type) {
    case "any":
      return true;
    case "days":
      return allowed.days.has(at.day);
    case "last":
      return at.day === at.lastDay - allowed.before;
    case "nearestWeekday":
      return at.day === nearestWeekday(allowed.day === 0 ? at.lastDay : allowed.day, at);
  }
}

/** Of a Saturday the Friday before, of a Sunday the Monday after, unless that is another month. */
function nearestWeekday(day: number, { year, month, lastDay }: DayInMonth): number | undefined {
  if (day > lastDay) return undefined;
  const weekday = new Date(Date.UTC(year, month, day)).getUTCDay();
  if (weekday === 6) return day === 1 ? 3 : day - 1;
  if (weekday === 0) return day === lastDay ? day - 2 : day + 1;
  return day;
}

function isDayOfWeek(allowed: DaysOfWeek, weekday: number, day: number, lastDay: number): boolean {
  switch (allowed.type) {
    case "any":
      return true;
    case "days":
      return allowed.days.has(weekday);
    case "last":
      return weekday === allowed.day && day + 7 > lastDay;
    case "nth":
      return weekday === allowed.day && Math.ceil(day / 7) === allowed.nth;
  }
}
