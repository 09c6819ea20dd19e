import { isThinglineError } from "@thingline/protocol";
import { parseTopicFilter } from "@thingline/protocol/mqtt";

/** Why a rule cannot listen to it; undefined: it can. */
export function topicFilterFault(filter: string): string | undefined {
  try {
    parseTopicFilter(filter);
  } catch (error) {
    if (isThinglineError(error)) return error.message;
    throw error;
  }
  // What is published there goes to the named rule, whatever any FROM says.
  if (filter.startsWith("$aws/rules/")) return "a rule cannot select from topics of Basic Ingest";
  if (filter.startsWith("$share/")) return "a rule cannot share a subscription";
  return undefined;
}
