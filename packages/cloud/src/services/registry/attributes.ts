import type { AttributePayload } from "../../model/types/iot.js";

// Attributes of things and of thing groups.

type Attributes = Record<string, string>;

export function updateAttributes(current: Attributes, payload: AttributePayload | undefined): Attributes {
  if (payload?.attributes === undefined) return current;
  return withoutEmpty(payload.merge === true ? { ...current, ...payload.attributes } : payload.attributes);
}

/** An empty value removes the attribute. */
export function withoutEmpty(attributes: Attributes): Attributes {
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== ""));
}

export function isSame(left: Attributes, right: Attributes): boolean {
  const names = Object.keys(left);
  return names.length === Object.keys(right).length && names.every((name) => left[name] === right[name]);
}
