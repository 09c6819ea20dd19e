import { toIndex } from "../conversions.js";
import type { SqlValue } from "../values.js";
import { functionsOf } from "./function.js";
import { formatTime, parseTime } from "../times.js";

/** `parse_time(pattern, ms[, zone])`: a time as text. */
function parseTimeFunction([pattern, value, zone]: readonly SqlValue[]): SqlValue {
  const unixMs = toIndex(value);
  if (typeof pattern !== "string" || unixMs === undefined) return undefined;
  if (zone !== undefined && typeof zone !== "string") return undefined;
  return formatTime(pattern, unixMs, zone ?? "UTC");
}

/** `time_to_epoch(text, pattern)`: milliseconds. */
function timeToEpoch([text, pattern]: readonly SqlValue[]): SqlValue {
  return typeof text === "string" && typeof pattern === "string" ? parseTime(text, pattern) : undefined;
}

export const timeFunctions = functionsOf({
  parse_time: [2, 3, parseTimeFunction, { isNewer: true }],
  time_to_epoch: [2, 2, timeToEpoch, { isNewer: true }],
});
