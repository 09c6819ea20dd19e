/**
 * Filters and topics with a meaning of their own.
 * @see AWS IoT developer guide, "Reserved topics"
 */

/** First levels under `$aws/` that hold something to subscribe to. */
const subscribable = new Set(["events", "certificates", "commands", "provisioning-templates", "things", "sitewise"]);

const sharePrefix = /^\$share\/([^/]*)\/(.*)$/s;

export type FilterStanding =
  | "allowed"
  /** Answered with a failure code. */
  | "refused"
  /** Ends the connection, whatever the policy says. */
  | "fatal";

/** Whether a client may subscribe to a filter (without `$share/…/`), policy aside. */
export function standingOfFilter(filter: string): FilterStanding {
  if (!filter.startsWith("$")) return "allowed";
  const [root, second] = filter.split("/");
  if (root === "$SYS") return "fatal";
  // Basic Ingest is for rules alone.
  if (root !== "$aws" || second === "rules") return "refused";
  return second !== undefined && (subscribable.has(second) || second === "+" || second === "#") ? "allowed" : "refused";
}

/** Whether a filter may match topics of lifecycle events. A wildcard at the first level does not: they begin with `$`. */
export function mayMatchEvents(filter: string): boolean {
  return filter.startsWith("$aws/events/") || filter.startsWith("$aws/+") || filter === "$aws/#";
}

/** Basic Ingest: a message for one rule. */
const basicIngest = "$aws/rules/";
/** A request of fleet provisioning, which may hold an ownership token: clients may publish it, and not subscribe to it. */
const provisioningRequest =
  /^\$aws\/(?:certificates\/(?:create|create-from-csr)|provisioning-templates\/[^/]+\/provision)\/[^/]+$/;

/** Whether no subscriber sees a message, but services do. */
export function isForServicesAlone(topic: string): boolean {
  return topic.startsWith("$aws/") && (topic.startsWith(basicIngest) || provisioningRequest.test(topic));
}

/** `$share/<shareName>/<filter>`, or undefined for any other filter. */
export function parseShare(filter: string): { shareName: string; filter: string } | undefined {
  const found = sharePrefix.exec(filter);
  return found === null ? undefined : { shareName: found[1]!, filter: found[2]! };
}
