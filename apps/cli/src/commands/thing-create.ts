import type { CommandContext } from "../command.js";
import { UsageError } from "../failure.js";
import { namesDoor } from "../door-options.js";
import { thingCreate as createInCloud } from "./thing.js";
import type { BoardCreateOptions } from "./thing-create-board.js";

/** `thingline thing create NAME`: with files for its credentials, or onto a board. */
export async function thingCreate(
  context: CommandContext,
  options: BoardCreateOptions,
  name = "",
): Promise<number | void> {
  if (namesDoor(options)) {
    const { thingCreateOnBoard } = await import("./thing-create-board.js");
    return thingCreateOnBoard(context, options, name);
  }
  if (options.csr === true || options.prove !== undefined || options.replace === true) {
    const flag = options.csr === true ? "--csr" : options.replace === true ? "--replace" : "--prove";
    throw new UsageError(`${flag} is for a board: name it with --port or --tcp`);
  }
  return createInCloud(context, options, name);
}
