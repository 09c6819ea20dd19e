/**
 * Topics that begin with `$`: clients may not invent any.
 * @see AWS IoT developer guide, "Reserved topics"
 */

/** What a client may publish to. `+` is one level; `#` at the end is one or more. */
const publishable = [
  "$aws/certificates/create/+",
  "$aws/certificates/create-from-csr/+",
  "$aws/provisioning-templates/+/provision/+",
  "$aws/things/+/shadow/get",
  "$aws/things/+/shadow/update",
  "$aws/things/+/shadow/delete",
  "$aws/things/+/shadow/name/+/get",
  "$aws/things/+/shadow/name/+/update",
  "$aws/things/+/shadow/name/+/delete",
  "$aws/things/+/jobs/get",
  "$aws/things/+/jobs/start-next",
  "$aws/things/+/jobs/+/get",
  "$aws/things/+/jobs/+/update",
  "$aws/things/+/streams/+/describe/+",
  "$aws/things/+/streams/+/get/+",
  "$aws/things/+/defender/metrics/+",
  "$aws/commands/things/+/executions/+/response",
  "$aws/commands/things/+/executions/+/response/+",
  "$aws/commands/clients/+/executions/+/response",
  "$aws/commands/clients/+/executions/+/response/+",
  "$aws/rules/#",
  "$aws/sitewise/#",
].map((filter) => filter.split("/"));

/** First levels under `$aws/` that hold something to subscribe to. */
const subscribable = new Set(["events", "certificates", "commands", "provisioning-templates", "things", "sitewise"]);

const sharePrefix = /^\$share\/([^/]*)\/(.*)$/s;

export const isReservedTopic = (topic: string): boolean => topic.startsWith("$");

/** Whether a client may publish to a topic that begins with `$`, policy aside. */
export function isPublishableReservedTopic(topic: string): boolean {
  const levels = topic.split("/");
  return publishable.some((filter) => matches(filter, levels));
}

function matches(filter: readonly string[], levels: readonly string[]): boolean {
  for (let at = 0; at < filter.length; at++) {
    if (filter[at] === "#") return levels.length > at;
    if (at >= levels.length || (filter[at] !== "+" && filter[at] !== levels[at])) return false;
  }
  return filter.length === levels.length;
}

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

/** Basic Ingest: a message for one rule, which no subscriber sees. */
export function isBasicIngest(topic: string): boolean {
  return topic.startsWith("$aws/rules/");
}

/** `$share/<shareName>/<filter>`, or undefined for any other filter. */
export function parseShare(filter: string): { shareName: string; filter: string } | undefined {
  const found = sharePrefix.exec(filter);
  return found === null ? undefined : { shareName: found[1]!, filter: found[2]! };
}
