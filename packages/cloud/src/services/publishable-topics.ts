/**
 * Topics that begin with `$`: nobody may publish to any but these.
 * @see AWS IoT developer guide, "Reserved topics"
 */

/** How somebody from outside publishes. */
export type Publisher = "client" | "http";

const clients: readonly Publisher[] = ["client"];
const all: readonly Publisher[] = ["client", "http"];

/**
 * Who may publish to what, policy aside. `+` is one level; `#` at the end is one or more. Over HTTP AWS refuses reserved topics; whether it
 * takes requests to shadows and messages for rules is not documented, and we do.
 */
const publishable: readonly (readonly [filter: string, by: readonly Publisher[]])[] = [
  ["$aws/certificates/create/+", clients],
  ["$aws/certificates/create-from-csr/+", clients],
  ["$aws/provisioning-templates/+/provision/+", clients],
  ["$aws/things/+/shadow/get", all],
  ["$aws/things/+/shadow/update", all],
  ["$aws/things/+/shadow/delete", all],
  ["$aws/things/+/shadow/name/+/get", all],
  ["$aws/things/+/shadow/name/+/update", all],
  ["$aws/things/+/shadow/name/+/delete", all],
  // What is no request is answered as one: InvalidTopic.
  ["$aws/things/+/jobs/#", clients],
  ["$aws/things/+/streams/+/describe/+", clients],
  ["$aws/things/+/streams/+/get/+", clients],
  ["$aws/things/+/defender/metrics/+", clients],
  ["$aws/commands/things/+/executions/+/response", clients],
  ["$aws/commands/things/+/executions/+/response/+", clients],
  ["$aws/commands/clients/+/executions/+/response", clients],
  ["$aws/commands/clients/+/executions/+/response/+", clients],
  ["$aws/rules/#", all],
  ["$aws/sitewise/#", clients],
];

/** What a service says, and nobody else may, within what is publishable. */
const spoken: readonly string[] = [
  "$aws/things/+/jobs/notify",
  "$aws/things/+/jobs/notify-next",
  ...["get", "start-next", "+/get", "+/update"].flatMap((request) => [
    `$aws/things/+/jobs/${request}/accepted`,
    `$aws/things/+/jobs/${request}/rejected`,
  ]),
  ...["things", "clients"].flatMap((kind) => [
    `$aws/commands/${kind}/+/executions/+/response/accepted`,
    `$aws/commands/${kind}/+/executions/+/response/rejected`,
  ]),
];

const rows = publishable.map(([filter, by]) => ({ levels: filter.split("/"), by }));
const spokenRows = spoken.map((filter) => filter.split("/"));

export const isReservedTopic = (topic: string): boolean => topic.startsWith("$");

/** Whether somebody may publish to a topic that begins with `$`, policy aside. */
export function isPublishableReservedTopic(topic: string, publisher: Publisher): boolean {
  const levels = topic.split("/");
  const isPublishable = rows.some((row) => row.by.includes(publisher) && matches(row.levels, levels));
  return isPublishable && !spokenRows.some((row) => matches(row, levels));
}

function matches(filter: readonly string[], levels: readonly string[]): boolean {
  for (let at = 0; at < filter.length; at++) {
    if (filter[at] === "#") return levels.length > at;
    if (at >= levels.length || (filter[at] !== "+" && filter[at] !== levels[at])) return false;
  }
  return filter.length === levels.length;
}
