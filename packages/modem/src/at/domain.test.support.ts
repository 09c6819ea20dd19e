import fc from "fast-check";
import type { Domain } from "./domain.js";

/** Made-up values of a codec. */
export function arbitraryOf(domain: Domain): fc.Arbitrary<unknown> {
  switch (domain.type) {
    case "nothing":
      return fc.constant(undefined);
    case "integer":
      return fc.integer({ min: domain.lowest, max: domain.highest });
    case "text":
      return textOf(domain.pattern);
    case "choice":
      return fc.constantFrom(...domain.values);
    case "optional":
      return fc.option(arbitraryOf(domain.of), { nil: undefined });
    case "list":
      return fc.array(arbitraryOf(domain.of), { maxLength: Math.min(domain.lengthMax, 6) });
    case "fields": {
      const entries = Object.entries(domain.fields);
      const model = Object.fromEntries(entries.map(([key, field]) => [key, arbitraryOf(field.domain)]));
      const requiredKeys = entries.filter(([, { isOptional }]) => !isOptional).map(([key]) => key);
      return fc.record(model, { requiredKeys, noNullPrototype: true });
    }
  }
}

function textOf(pattern: RegExp): fc.Arbitrary<string> {
  // What a pattern of anything but some characters allows is more than what lines carry unchanged only in theory.
  if (pattern.source === '^[^"\\0]*$') {
    return fc.string({ unit: fc.constantFrom(..."abcXYZ019 ,;()=/+-%#\r\nø€"), maxLength: 40 });
  }
  return fc.stringMatching(pattern);
}
