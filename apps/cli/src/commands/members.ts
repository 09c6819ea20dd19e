import { iotSdk } from "../aws-sdk.js";
import type { CommandContext } from "../command.js";
import { openControlPlane } from "../control-plane.js";
import { forEachAtOnce } from "../each.js";
import { exitCodes, UsageError } from "../failure.js";
import { unlessDefault } from "../invocation.js";
import { defaultDataDir } from "../option-values.js";
import type { Output } from "../output.js";
import { readThingNames } from "../thing-names.js";

// What commands about groups of things share, thing groups and billing groups.

export interface PlaceOptions {
  dataDir: string;
  aws?: boolean;
}

export interface MembersOptions extends PlaceOptions {
  from?: string;
}

/** As many as AWS gives at once. */
export const pageSize = 250;
/** Things that could not be added, told one by one to people. */
const refusalsShownMax = 10;

export async function openIot({ signal }: CommandContext, { aws, dataDir }: PlaceOptions) {
  const plane = await openControlPlane({ aws: aws === true, dataDir, signal });
  return { plane, client: plane.client, sdk: iotSdk(), send: { abortSignal: signal } };
}

/** For a command that is advised: it has to go to the same cloud. */
export const placeWords = ({ aws, dataDir }: PlaceOptions): string[] =>
  aws === true ? ["--aws"] : unlessDefault("--data-dir", dataDir, defaultDataDir);

export type OpenedIot = Awaited<ReturnType<typeof openIot>>;

export interface MembersChange {
  name: string;
  /** What programs are told, of all things and of one that was refused. */
  events: Record<"changed" | "refused", (facts: object) => { event: string }>;
  things: readonly string[];
  verbs: [doing: string, done: string];
  preposition: string;
  /** Throws when there is no group of the name. */
  find: (where: OpenedIot) => Promise<unknown>;
  change: (where: OpenedIot, thingName: string) => Promise<unknown>;
}

/** What is the same of all commands about members of one kind of group. */
export interface GroupKind {
  eventsOf: (name: string) => MembersChange["events"];
  find: (where: OpenedIot, name: string) => Promise<unknown>;
}

const words = {
  add: { verbs: ["adding", "added"], preposition: "to" },
  remove: { verbs: ["removing", "removed"], preposition: "from" },
} as const satisfies Record<string, { verbs: MembersChange["verbs"]; preposition: string }>;

/** `add NAME THING...` or `remove NAME THING...` of a kind of group. */
export const membersCommand =
  (
    { eventsOf, find }: GroupKind,
    verb: keyof typeof words,
    change: (where: OpenedIot, thingName: string, name: string) => Promise<unknown>,
  ) =>
  (context: CommandContext, options: MembersOptions, name = "", ...things: string[]): Promise<number> => {
    const { verbs, preposition } = words[verb];
    return changeMembers(context, options, {
      ...{ name, things, events: eventsOf(name), verbs: [...verbs], preposition },
      find: (where) => find(where, name),
      change: (where, thingName) => change(where, thingName, name),
    });
  };

/** One that is refused does not stop the others. */
async function changeMembers(
  context: CommandContext,
  options: MembersOptions,
  { name, events, things, verbs, preposition, find, change }: MembersChange,
): Promise<number> {
  const { output, signal } = context;
  const { from } = options;
  if (things.length === 0 && from === undefined) throw new UsageError("name things, or a file of names with --from");
  const where = await openIot(context, options);
  // From here on a resource that is not found is the thing.
  await find(where);
  const [doing, done] = verbs;
  let changed = 0;
  let refused = 0;
  const status = output.status();
  const show = () => status.show(`${doing} things ${preposition} ${name}: ${changed} done, ${refused} refused`, true);
  show();
  try {
    await forEachAtOnce(readThingNames(things, { from, signal }), async (thingName) => {
      try {
        await change(where, thingName);
        changed++;
      } catch (error) {
        if (!isRefusal(error)) throw error;
        refused++;
        tellRefusal(output, { events, thingName, error, count: refused });
      }
      show();
    });
  } finally {
    status.end();
  }
  const more = refused === 0 ? "" : `, ${output.paint.red(`${refused} refused`)}`;
  const word = changed === 1 ? "thing" : "things";
  output.event(
    events.changed({ what: done, things: changed, refused }),
    `${output.paint.green(done)} ${changed} ${word} ${preposition} ${name} in the ${where.plane.description}${more}`,
  );
  return refused === 0 ? exitCodes.done : exitCodes.failed;
}

/** What is about this thing, and says nothing of the others. */
function isRefusal(error: unknown): error is Error {
  return error instanceof Error && ["ResourceNotFoundException", "InvalidRequestException"].includes(error.name);
}

function tellRefusal(
  output: Output,
  told: Pick<MembersChange, "events"> & { thingName: string; error: Error; count: number },
): void {
  const { events, thingName, error, count } = told;
  output.event(events.refused({ thingName, code: error.name, message: error.message }));
  if (count <= refusalsShownMax) output.complain({ kind: "warning", message: `${thingName}: ${error.message}` });
  if (count === refusalsShownMax) output.complain({ kind: "warning", message: "further refusals are only counted" });
}

/** Rows below a title, those without a text left out. */
export function describeRows(output: Output, rows: readonly (readonly [title: string, text: string])[]): string[] {
  return rows.filter(([, text]) => text !== "").map(([title, text]) => `  ${title.padEnd(13)}${output.wrap(text, 15)}`);
}
