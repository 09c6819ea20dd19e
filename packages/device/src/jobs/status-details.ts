import {
  type JobStatusDetails,
  statusDetailKeyCharactersMax,
  statusDetailsMax,
  statusDetailValueCharactersMax,
} from "@thingline/protocol/jobs";

const mark = "...";
const control = /\p{Cc}/gu;
/** Names of members that were cut, as an event tells them. */
export const cutNamesMax = 16;

export interface LimitedDetails {
  details: JobStatusDetails;
  /** Members that lost something: their key, their end, or their place. */
  cut: readonly string[];
}

/**
 * What AWS IoT takes of details: at most {@link statusDetailsMax} pairs; keys of letters, digits, `:`, `_` and `-`; values of at least one
 * character and at most {@link statusDetailValueCharactersMax}, none of them a control character. The first pairs stay; an empty value is
 * left out, and a control character becomes a space, which is no loss.
 */
export function limitStatusDetails(given: JobStatusDetails): LimitedDetails {
  const details: Record<string, string> = {};
  const cut: string[] = [];
  const note = (name: string): void => {
    if (cut.length < cutNamesMax) cut.push(name.slice(0, statusDetailKeyCharactersMax));
  };
  for (const [name, value] of Object.entries(given)) {
    const text = value.replaceAll(control, " ");
    if (text === "") continue;
    const key = name.replaceAll(/[^a-zA-Z0-9:_-]/gu, "_").slice(0, statusDetailKeyCharactersMax);
    const isFull = Object.keys(details).length >= statusDetailsMax;
    if (key === "" || Object.hasOwn(details, key) || isFull) {
      note(name);
      continue;
    }
    const isLong = text.length > statusDetailValueCharactersMax;
    if (isLong || key !== name) note(name);
    Object.defineProperty(details, key, { value: isLong ? shortened(text) : text, enumerable: true });
  }
  return { details, cut };
}

/** Never half a surrogate pair, which is no UTF-8. */
function shortened(text: string): string {
  const kept = text.slice(0, statusDetailValueCharactersMax - mark.length);
  return kept.replace(/[\uD800-\uDBFF]$/u, "") + mark;
}
