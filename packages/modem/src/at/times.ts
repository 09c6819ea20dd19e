import type { Field } from "./fields.js";
import { integer, optional, text } from "./fields.js";
import { fields, type LineCodec, mapped, single } from "./lines.js";

/** The time of a network, and of its place. */
export interface NetworkClock {
  unixSeconds: number;
  /** What local time is ahead of UTC, daylight saving time included: 8 is two hours. */
  timeZoneQuarterHours: number;
}

const quarterHourSeconds = 900;
/** Times with two digits of the year: this century, its first and last day aside for the time zone's sake. */
const century = { lowest: Date.UTC(2000, 0, 2) / 1000, highest: Date.UTC(2099, 11, 30) / 1000 };
const clockPattern = /^([0-9]{2})\/([0-9]{2})\/([0-9]{2}),([0-9]{2}):([0-9]{2}):([0-9]{2})([+-][0-9]{2})$/;

/** `22/10/10,19:59:21+08`: local time, and the time zone in quarters of an hour. 3GPP TS 27.007 8.15. */
export const clockText = text(clockPattern);

export function readClock(value: string): NetworkClock | undefined {
  const [year, month, day, hour, minute, second, zone] = clockPattern.exec(value)?.slice(1).map(Number) ?? [];
  const localSeconds = unixSecondsOf([year, month, day, hour, minute, second]);
  if (localSeconds === undefined || zone === undefined || Math.abs(zone) > 96) return undefined;
  return { unixSeconds: localSeconds - zone * quarterHourSeconds, timeZoneQuarterHours: zone };
}

export function writeClock({ unixSeconds, timeZoneQuarterHours: zone }: NetworkClock): string {
  const [date = "", time = ""] = new Date((unixSeconds + zone * quarterHourSeconds) * 1000).toISOString().split("T");
  const sign = zone < 0 ? "-" : "+";
  return `${date.slice(2).replaceAll("-", "/")},${time.slice(0, 8)}${sign}${String(Math.abs(zone)).padStart(2, "0")}`;
}

const clockDomains = {
  unixSeconds: { domain: { type: "integer", ...century }, isOptional: false },
  timeZoneQuarterHours: { domain: { type: "integer", lowest: -48, highest: 56 }, isOptional: false },
} as const;

export const networkClock: LineCodec<NetworkClock> = mapped(single(clockText), {
  to: readClock,
  from: writeClock,
  domain: { type: "fields", fields: clockDomains },
});

/** `AT%CCLK`: with the hours that local time is ahead in summer. */
export interface SummerClock extends NetworkClock {
  daylightSavingHours?: number | undefined;
}

export const summerClock: LineCodec<SummerClock> = mapped(
  fields({ time: clockText, saving: optional(integer(0, 2)) }),
  {
    to: ({ time, saving }) => {
      const clock = readClock(time);
      if (clock === undefined || saving === undefined) return clock;
      return { ...clock, daylightSavingHours: saving };
    },
    from: ({ daylightSavingHours, ...clock }: SummerClock) => ({
      time: writeClock(clock),
      saving: daylightSavingHours,
    }),
    domain: {
      type: "fields",
      fields: {
        ...clockDomains,
        daylightSavingHours: { domain: { type: "integer", lowest: 0, highest: 2 }, isOptional: true },
      },
    },
  },
);

/** @returns undefined when there is no such day or time. */
export function unixSecondsOf(parts: readonly (number | undefined)[]): number | undefined {
  const [year = Number.NaN, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts;
  const unixMs = Date.UTC(2000 + year, month - 1, day, hour, minute, second);
  if (Number.isNaN(unixMs)) return undefined;
  const date = new Date(unixMs);
  // 31 February would be in March.
  const isDay = date.getUTCFullYear() === 2000 + year && date.getUTCMonth() === month - 1;
  const isSame = isDay && date.getUTCDate() === day && date.getUTCHours() === hour;
  return isSame && date.getUTCMinutes() === minute && date.getUTCSeconds() === second ? unixMs / 1000 : undefined;
}

const compactPattern = /^([0-9]{4})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})Z$/;

/** `20301231235959Z`, without quotes: Unix seconds. */
export const compactTime: Field<number> = {
  read: (text) => {
    const [year = Number.NaN, ...others] = compactPattern.exec(text)?.slice(1).map(Number) ?? [];
    return unixSecondsOf([year - 2000, ...others]);
  },
  write: (unixSeconds) =>
    `${new Date(unixSeconds * 1000)
      .toISOString()
      .replaceAll(/[^0-9]/g, "")
      .slice(0, 14)}Z`,
  domain: { type: "integer", lowest: 0, highest: 253_402_300_799 },
};
