import type { ModemNotification } from "@thingline/protocol/at";
import { type NetworkClock, unixSecondsOf } from "./times.js";

/** What the network said of the time, as far as it said it. */
export interface NetworkTime extends Partial<NetworkClock> {
  /** Hours that local time is ahead in summer: 0, 1 or 2. */
  daylightSavingHours?: number;
}

/** An octet whose digits come the other way round, as 3GPP TS 24.008 has times. */
function swapped(octet: string): number {
  return Number(`${octet[1]}${octet[0]}`);
}

/** Quarters of an hour: the sign is a bit of the octet's first digit. 3GPP TS 24.008 10.5.3.8. */
function timeZoneOf(octet: string): number | undefined {
  if (!/^[0-9][0-9A-Fa-f]$/.test(octet)) return undefined;
  const tens = Number.parseInt(octet[1] ?? "", 16);
  const quarterHours = (tens & 7) * 10 + Number(octet[0]);
  return (tens & 8) !== 0 && quarterHours > 0 ? -quarterHours : quarterHours;
}

function timeZoneOctet(quarterHours: number): string {
  const magnitude = Math.abs(quarterHours);
  const tens = Math.floor(magnitude / 10) | (quarterHours < 0 ? 8 : 0);
  return `${magnitude % 10}${tens.toString(16).toUpperCase()}`;
}

/** The time of a `%XTIME`. What is missing, or malformed, is left out. */
export function readNetworkTimeNotification({
  localTimeZone = "",
  universalTime = "",
  daylightSaving = "",
}: Extract<ModemNotification, { type: "networkTime" }>): NetworkTime {
  const zone = timeZoneOf(localTimeZone);
  const digits = /^[0-9]{12}[0-9A-Fa-f]{2}$/.test(universalTime) ? (universalTime.match(/../g) ?? []) : [];
  const unixSeconds = digits.length === 0 ? undefined : unixSecondsOf(digits.slice(0, 6).map(swapped));
  const hours = /^0[0-2]$/.test(daylightSaving) ? Number(daylightSaving) : undefined;
  return {
    ...(unixSeconds === undefined ? {} : { unixSeconds }),
    ...(zone === undefined ? {} : { timeZoneQuarterHours: zone }),
    ...(hours === undefined ? {} : { daylightSavingHours: hours }),
  };
}

/** The other way: `%XTIME: "08","81109251714208","01"`. */
export function formatNetworkTimeNotification({
  unixSeconds,
  timeZoneQuarterHours,
  daylightSavingHours,
}: NetworkTime): string {
  const quoted = (text: string | undefined) => (text === undefined ? "" : `"${text}"`);
  const zone = timeZoneQuarterHours === undefined ? undefined : timeZoneOctet(timeZoneQuarterHours);
  const digits =
    unixSeconds === undefined
      ? undefined
      : new Date(unixSeconds * 1000)
          .toISOString()
          .replaceAll(/[^0-9]/g, "")
          .slice(2, 14)
          .replaceAll(/(.)(.)/g, "$2$1");
  const universal = digits === undefined ? undefined : `${digits}${zone ?? "00"}`;
  const saving = daylightSavingHours === undefined ? undefined : `0${daylightSavingHours}`;
  return `%XTIME: ${[zone, universal, saving].map(quoted).join(",")}`;
}
