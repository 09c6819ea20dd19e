import { type BoardCredential, deleteBoardCredentials, listBoardCredentials } from "@thingline/modem";
import { credentialTypeNumbers } from "@thingline/protocol/at";
import type { CredentialType } from "@thingline/transport";
import { describeModem, type HandOptions, holdUntilRestored, modemLine, openToLook } from "../boards/at-hand.js";
import type { CommandContext } from "../command.js";
import { UsageError } from "../failure.js";
import { namesDoor } from "../door-options.js";

/** Types of `%CMNG` that no application writes. */
const vendorTypes: Readonly<Record<number, string>> = {
  5: "public key for signed commands",
  6: "device identity public key",
  7: "reserved",
  8: "endorsement key",
  9: "ownership key",
  10: "Nordic identity root CA",
  11: "Nordic base public key",
  13: "asset encryption key",
};

const typeText = ({ name, type }: BoardCredential): string => name ?? vendorTypes[type] ?? `type ${type}`;

/** `thingline modem list` */
export async function modemList(
  { output, signal }: CommandContext,
  options: HandOptions & { secTag?: number },
): Promise<void> {
  await using hand = await openToLook(output, options, signal);
  if (hand === undefined) return;
  const description = await describeModem(hand, signal);
  const { secTag } = options;
  const all = await listBoardCredentials(hand.session, { secTag, signal });
  // A simulated modem's own are stand-ins.
  const entries = hand.simulated === undefined ? all : all.filter(({ isReserved }) => !isReserved);
  output.say(output.paint.dim(modemLine(hand, description)));
  const tagWidth = Math.max(0, ...entries.map((entry) => String(entry.secTag).length));
  const typeWidth = Math.max(11, ...entries.map((entry) => typeText(entry).length));
  for (const entry of entries) {
    const { isReserved, type, sha256 } = entry;
    const line = `${String(entry.secTag).padStart(tagWidth)} ${typeText(entry).padEnd(typeWidth)} ${sha256 ?? "no digest"}`;
    output.event(
      {
        event: "credential",
        secTag: entry.secTag,
        type: entry.name ?? typeText(entry),
        number: type,
        sha256,
        isReserved,
      },
      isReserved ? output.paint.dim(`${line}  reserved`) : line,
    );
  }
  if (entries.length > 0) return;
  output.say(secTag === undefined ? "no credentials" : `no credentials under security tag ${secTag}`);
}

/** `thingline modem delete` */
export async function modemDelete(
  context: CommandContext,
  options: HandOptions & { secTag: number; type?: CredentialType; force?: boolean; yes?: boolean },
): Promise<void> {
  const { output, signal } = context;
  const { secTag, force = false } = options;
  if (namesDoor(options) && options.yes !== true) {
    throw new UsageError("what is deleted from a board is lost for ever: say --yes");
  }
  await using hand = await openToLook(output, options, signal);
  if (hand === undefined) return;
  const type = options.type === undefined ? undefined : credentialTypeNumbers[options.type];
  using _held = holdUntilRestored(context);
  const deleted = await deleteBoardCredentials(hand.session, { secTag, type, force, signal });
  for (const entry of deleted) {
    const text = typeText(entry);
    output.event({ event: "credentialDeleted", secTag, type: text }, `deleted  security tag ${secTag}  ${text}`);
  }
  if (deleted.length === 0) output.say(`nothing to delete under security tag ${secTag}`);
}
