import { sqlFailed } from "./errors.js";

/** Characters of a pattern, and of a text that is read by one. */
export const timePatternCharactersMax = 256;
/** What a date of JavaScript holds. */
const unixMsMax = 8.64e15;

const months = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];
const days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/** A letter of a pattern, as often as it stands there, or text. */
type Part = { letter: string; count: number } | { text: string };

/** Letters as of Joda-Time. Text stands in single quotes, two of them are one. */
function partsOf(pattern: string): Part[] {
  if (pattern.length > timePatternCharactersMax) {
    throw sqlFailed(`a pattern of a time has at most ${timePatternCharactersMax} characters`);
  }
  const found = pattern.matchAll(/'((?:[^']|'')*)'|([A-Za-z])\2*|[^A-Za-z']+|'/g);
  return Array.from(found, ([whole, quoted, letter]): Part => {
    if (letter !== undefined) return { letter, count: whole.length };
    if (quoted === undefined) return { text: whole };
    return { text: quoted === "" ? "'" : quoted.replaceAll("''", "'") };
  });
}

/** A time in a zone. */
interface Local {
  year: number;
  month: number;
  day: number;
  weekday: number;
  hour: number;
  minute: number;
  second: number;
  ms: number;
  offsetMinutes: number;
  zone: string;
  unixMs: number;
}

const offsetText = /^(?:UTC|GMT)?([+-])(\d{1,2}):?(\d{2})?$/;
const utcNames: ReadonlySet<string> = new Set(["UTC", "GMT", "Z"]);

function minutesOf([, sign, hours, minutes = "0"]: RegExpExecArray): number {
  return (sign === "-" ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
}

function localOf(unixMs: number, zone: string): Local {
  const fixed = offsetText.exec(zone);
  const offsetMinutes = fixed === null ? zoneOffset(unixMs, zone) : minutesOf(fixed);
  const date = new Date(unixMs + offsetMinutes * 60_000);
  return {
    year: date.getUTCFullYear(),
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    weekday: date.getUTCDay(),
    hour: date.getUTCHours(),
    minute: date.getUTCMinutes(),
    second: date.getUTCSeconds(),
    ms: date.getUTCMilliseconds(),
    offsetMinutes,
    zone,
    unixMs,
  };
}

/** `CST`, or `Central Standard Time` with four letters; an offset where English has no such name. */
function zoneName(unixMs: number, zone: string, count: number): string {
  if (utcNames.has(zone) || offsetText.test(zone)) return zone === "Z" ? "UTC" : zone;
  const format = new Intl.DateTimeFormat("en-US", { timeZone: zone, timeZoneName: count > 3 ? "long" : "short" });
  return format.formatToParts(unixMs).find(({ type }) => type === "timeZoneName")?.value ?? zone;
}

function zoneOffset(unixMs: number, zone: string): number {
  if (utcNames.has(zone)) return 0;
  let text: string;
  try {
    const format = new Intl.DateTimeFormat("en-US", { timeZone: zone, timeZoneName: "longOffset" });
    text = format.formatToParts(unixMs).find(({ type }) => type === "timeZoneName")?.value ?? "";
  } catch (error) {
    throw sqlFailed(`there is no time zone ${JSON.stringify(zone.slice(0, 64))}`, error);
  }
  const found = offsetText.exec(text);
  return found === null ? 0 : minutesOf(found);
}

const padded = (value: number, count: number): string =>
  value < 0 ? `-${String(-value).padStart(count, "0")}` : String(value).padStart(count, "0");

const dayOfYear = ({ year, month, day }: Local): number =>
  Math.round((Date.UTC(year, month - 1, day) - Date.UTC(year, 0, 1)) / 86_400_000) + 1;

function offsetName({ offsetMinutes }: Local, hasColon: boolean): string {
  const minutes = Math.abs(offsetMinutes);
  const parts = [padded(Math.floor(minutes / 60), 2), padded(minutes % 60, 2)];
  return (offsetMinutes < 0 ? "-" : "+") + parts.join(hasColon ? ":" : "");
}

/** Monday is the first day, and the first week the one with four days of the year (ISO 8601). */
function weekOf(local: Local): { year: number; week: number } {
  const thursday = new Date(Date.UTC(local.year, local.month - 1, local.day + 4 - (local.weekday || 7)));
  const year = thursday.getUTCFullYear();
  return { year, week: Math.floor((thursday.getTime() - Date.UTC(year, 0, 1)) / 604_800_000) + 1 };
}

function year(value: number, count: number): string {
  return count === 2 ? padded(Math.abs(value) % 100, 2) : padded(value, count);
}

const writers: Readonly<Record<string, (local: Local, count: number) => string>> = {
  G: ({ year: value }) => (value > 0 ? "AD" : "BC"),
  C: ({ year: value }, count) => padded(Math.floor(value / 100), count),
  y: (local, count) => year(local.year, count),
  Y: (local, count) => year(local.year, count),
  u: (local, count) => year(local.year, count),
  x: (local, count) => year(weekOf(local).year, count),
  w: (local, count) => padded(weekOf(local).week, count),
  e: ({ weekday }, count) => padded(weekday || 7, count),
  E: ({ weekday }, count) => (count > 3 ? days[weekday]! : days[weekday]!.slice(0, 3)),
  D: (local, count) => padded(dayOfYear(local), count),
  M: ({ month }, count) =>
    count > 3 ? months[month - 1]! : count === 3 ? months[month - 1]!.slice(0, 3) : padded(month, count),
  d: ({ day }, count) => padded(day, count),
  a: ({ hour }) => (hour < 12 ? "AM" : "PM"),
  K: ({ hour }, count) => padded(hour % 12, count),
  h: ({ hour }, count) => padded(hour % 12 || 12, count),
  H: ({ hour }, count) => padded(hour, count),
  k: ({ hour }, count) => padded(hour || 24, count),
  m: ({ minute }, count) => padded(minute, count),
  s: ({ second }, count) => padded(second, count),
  S: ({ ms }, count) => padded(ms, 3).padEnd(count, "0").slice(0, count),
  z: ({ unixMs, zone }, count) => zoneName(unixMs, zone, count),
  Z: (local, count) => (count > 2 ? local.zone : offsetName(local, count === 2)),
};

/** @param zone `UTC`, `+02:00` or a name of IANA @throws {ThinglineError} RULE_SQL_FAILED */
export function formatTime(pattern: string, unixMs: number, zone: string): string | undefined {
  if (Math.abs(unixMs) > unixMsMax) return undefined;
  const local = localOf(unixMs, zone);
  return partsOf(pattern)
    .map((part) => {
      if ("text" in part) return part.text;
      const write = writers[part.letter];
      if (write === undefined) throw unknownLetter(part.letter);
      return write(local, part.count);
    })
    .join("");
}

const unknownLetter = (letter: string): Error => sqlFailed(`a pattern of a time has no letter ${letter}`);

type Field = "year" | "month" | "day" | "hour" | "minute" | "second" | "ms" | "half" | "offset" | "dayOfYear" | "none";

/** An offset or a name of IANA. */
const zonePattern = String.raw`((?:UTC|GMT)?[+-]\d{2}:?\d{2}|[A-Za-z][\w+-]*(?:/[\w+-]+)*)`;

const number = (count: number): string => (count > 1 ? `(\\d{${count}})` : String.raw`(\d{1,9})`);

/** What a letter looks like, and what it says. */
const readers: Readonly<Record<string, (count: number) => [field: Field, pattern: string]>> = {
  y: (count) => ["year", count === 2 ? String.raw`(\d{2})` : String.raw`([+-]?\d{1,9})`],
  Y: (count) => ["year", count === 2 ? String.raw`(\d{2})` : String.raw`([+-]?\d{1,9})`],
  u: (count) => ["year", count === 2 ? String.raw`(\d{2})` : String.raw`([+-]?\d{1,9})`],
  M: (count) => ["month", count > 2 ? "([A-Za-z]{3,9})" : number(count)],
  d: (count) => ["day", number(count)],
  D: (count) => ["dayOfYear", number(count)],
  H: (count) => ["hour", number(count)],
  k: (count) => ["hour", number(count)],
  h: (count) => ["hour", number(count)],
  K: (count) => ["hour", number(count)],
  m: (count) => ["minute", number(count)],
  s: (count) => ["second", number(count)],
  S: (count) => ["ms", `(\\d{1,${count}})`],
  a: () => ["half", "([AaPp][Mm])"],
  E: () => ["none", "([A-Za-z]{3,9})"],
  Z: () => ["offset", String.raw`(Z|[+-]\d{2}:?\d{2}|[+-]\d{2})`],
  X: () => ["offset", String.raw`(Z|[+-]\d{2}:?\d{2}|[+-]\d{2})`],
  x: () => ["offset", String.raw`(Z|[+-]\d{2}:?\d{2}|[+-]\d{2})`],
  z: () => ["offset", zonePattern],
  V: () => ["offset", zonePattern],
};

/** @returns Unix time in milliseconds; undefined for a text that is not as the pattern says @throws {ThinglineError} RULE_SQL_FAILED */
export function parseTime(text: string, pattern: string): number | undefined {
  if (text.length > timePatternCharactersMax) return undefined;
  const fields: Field[] = [];
  const source = partsOf(pattern).map((part) => {
    if ("text" in part) return part.text.replace(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`);
    const read = readers[part.letter];
    if (read === undefined) throw unknownLetter(part.letter);
    const [field, expression] = read(part.count);
    fields.push(field);
    return expression;
  });
  const found = new RegExp(`^${source.join("")}$`).exec(text);
  if (found === null) return undefined;
  const values = new Map<Field, string>(fields.map((field, at) => [field, found[at + 1] ?? ""]));
  return unixMsOf(values);
}

function unixMsOf(values: ReadonlyMap<Field, string>): number | undefined {
  const numberOf = (field: Field, otherwise: number): number => Number(values.get(field) ?? otherwise);
  const yearText = values.get("year");
  const year = yearText?.length === 2 ? 2_000 + Number(yearText) : numberOf("year", 1970);
  const month = monthOf(values.get("month"));
  const day = numberOf("day", 1);
  const hour = hourOf(numberOf("hour", 0), values.get("half"));
  const [minute, second] = [numberOf("minute", 0), numberOf("second", 0)];
  const ms = Number((values.get("ms") ?? "0").padEnd(3, "0").slice(0, 3));
  const isSound = month >= 1 && month <= 12 && day >= 1 && day <= 31 && hour <= 24 && minute <= 59 && second <= 59;
  if (!isSound) return undefined;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCDate() !== day) return undefined;
  const ofYear = values.get("dayOfYear");
  if (ofYear !== undefined) date.setUTCFullYear(year, 0, Number(ofYear));
  date.setUTCHours(hour % 24, minute, second, ms);
  const unixMs = withOffset(date.getTime(), values.get("offset"));
  return Number.isFinite(unixMs) ? unixMs : undefined;
}

/** @param localMs what the clocks of the zone show, as if it were UTC */
function withOffset(localMs: number, zone: string | undefined): number {
  const fixed = offsetText.exec(zone ?? "UTC");
  if (fixed !== null) return localMs - minutesOf(fixed) * 60_000;
  // The offset of the moment itself, which the first look may miss by the hour in which clocks are changed.
  const first = localMs - zoneOffset(localMs, zone ?? "UTC") * 60_000;
  return localMs - zoneOffset(first, zone ?? "UTC") * 60_000;
}

function monthOf(text: string | undefined): number {
  if (text === undefined) return 1;
  if (/^\d+$/.test(text)) return Number(text);
  return months.findIndex((name) => name.slice(0, 3).toLowerCase() === text.slice(0, 3).toLowerCase()) + 1;
}

function hourOf(hour: number, half: string | undefined): number {
  if (half === undefined) return hour;
  return (hour % 12) + (half.toLowerCase() === "pm" ? 12 : 0);
}
