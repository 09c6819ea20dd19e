import { ThinglineError } from "@thingline/protocol";
import type { ValueTest } from "./query.js";

export interface Place {
  readonly latitude: number;
  readonly longitude: number;
}

/** What comes first where a place is written as two numbers. */
export type PlaceOrder = "LatLon" | "LonLat";

const metersPer: Readonly<Record<string, number>> = {
  mm: 0.001,
  cm: 0.01,
  m: 1,
  km: 1_000,
  in: 0.0254,
  ft: 0.3048,
  yd: 0.9144,
  mi: 1_609.344,
  nmi: 1_852,
};

/**
 * `geo_distance,latitude,longitude,radius`, the radius with a unit or in meters; undefined for any other value.
 * @throws {ThinglineError} QUERY_INVALID
 */
export function parseNear(text: string): ValueTest | undefined {
  if (!/^geo_distance,/i.test(text)) return undefined;
  const [, latitudeText = "", longitudeText = "", radius = "", ...more] = text.split(",");
  const measure = /^(\d+(?:\.\d+)?)([a-z]*)$/i.exec(radius);
  const unit = (measure?.[2] ?? "").toLowerCase() || "m";
  const place = placeOf(numberOf(latitudeText), numberOf(longitudeText));
  const meters = Number(measure?.[1]) * (Object.hasOwn(metersPer, unit) ? metersPer[unit]! : NaN);
  if (place === undefined || !Number.isFinite(meters) || more.length > 0) {
    throw new ThinglineError(
      "QUERY_INVALID",
      `invalid value - expected geo_distance,latitude,longitude,radius, value: ${text}`,
    );
  }
  return { type: "near", ...place, meters };
}

/**
 * A place in one of AWS's formats: `POINT(longitude latitude)`, `"latitude,longitude"`, an object with `lat` and `lon`, or an array; undefined
 * for what is none.
 */
export function readPlace(value: unknown, order: PlaceOrder): Place | undefined {
  if (typeof value === "string") return readPlaceText(value, order);
  if (Array.isArray(value)) return value.length === 2 ? ordered(value.map(plainNumber), order) : undefined;
  if (typeof value !== "object" || value === null) return undefined;
  const members = value as Record<string, unknown>;
  const member = (...names: string[]) => {
    const name = names.find((one) => Object.hasOwn(members, one));
    return name === undefined ? NaN : plainNumber(members[name]);
  };
  return placeOf(member("lat", "latitude"), member("lon", "long", "longitude"));
}

function readPlaceText(text: string, order: PlaceOrder): Place | undefined {
  const point = /^\s*POINT\s*\(\s*(\S+)\s+(\S+)\s*\)\s*$/i.exec(text);
  if (point !== null) return placeOf(numberOf(point[2]!), numberOf(point[1]!));
  const parts = text.split(",");
  return parts.length === 2 ? ordered(parts.map(numberOf), order) : undefined;
}

const plainNumber = (value: unknown) => (typeof value === "number" ? value : NaN);
const numberOf = (text: string) => (/^\s*[+-]?\d+(\.\d+)?\s*$/.test(text) ? Number(text) : NaN);

function ordered([first = NaN, second = NaN]: readonly number[], order: PlaceOrder): Place | undefined {
  return order === "LatLon" ? placeOf(first, second) : placeOf(second, first);
}

function placeOf(latitude: number, longitude: number): Place | undefined {
  return Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180 ? { latitude, longitude } : undefined;
}

const earthRadiusMeters = 6_371_008.8;
const radians = (degrees: number) => (degrees * Math.PI) / 180;

/** Along a great circle. */
export function metersBetween(one: Place, other: Place): number {
  const rise = Math.sin(radians(other.latitude - one.latitude) / 2) ** 2;
  const turn = Math.sin(radians(other.longitude - one.longitude) / 2) ** 2;
  const chord = rise + Math.cos(radians(one.latitude)) * Math.cos(radians(other.latitude)) * turn;
  return 2 * earthRadiusMeters * Math.asin(Math.min(1, Math.sqrt(chord)));
}
