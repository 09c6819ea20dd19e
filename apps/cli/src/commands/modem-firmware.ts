import { judgeFirmware } from "@thingline/modem";
import { ThinglineError } from "@thingline/protocol";
import { type HandOptions, isAtHand, openModemAtHand } from "../boards/at-hand.js";
import type { CommandContext } from "../command.js";
import { exitCodes } from "../failure.js";
import { judgementFacts, judgementLines } from "../modem-firmware/judgement-lines.js";

/** `thingline modem firmware`: of the modem behind a door, else of the simulated one in its folder. */
export async function modemFirmware({ output, signal }: CommandContext, options: HandOptions): Promise<number> {
  if (!(await isAtHand(options))) {
    const { modemDir } = options;
    const message = `there is no simulated modem in ${modemDir}; a board is named by --port or --tcp`;
    throw new ThinglineError("MODEM_NOT_FOUND", message, { details: { where: modemDir } });
  }
  await using hand = await openModemAtHand(options, signal);
  const ask = async (command: string) => (await hand.session.command(command, { signal }))[0] ?? "";
  const [revision, model] = [await ask("AT+CGMR"), await ask("AT+CGMM")];
  const where = hand.simulated === undefined ? hand.where : `simulated, ${hand.where}`;
  const judged = judgeFirmware(revision);
  output.event(
    { event: "modemFirmware", ...judgementFacts(revision, judged), model, where },
    [`${output.paint.bold(revision)} on ${model} (${where})`, judgementLines(output, revision, judged)].join("\n"),
  );
  return judged?.verdict === "old" ? exitCodes.failed : exitCodes.done;
}
