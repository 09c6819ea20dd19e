import { ThinglineError } from "@thingline/protocol";
import { type ModemSession, type RunCommand, withSignal } from "../session.js";
import { goOffline, readManners, restoreManners } from "./manners.js";

/**
 * Runs steps on a modem that was taken offline, with numeric errors, and puts it back as it was: its functional mode, `+CMEE`, and the
 * subscriptions that it tells. Also when a step fails, and when the caller goes away: then without the caller's signal.
 *
 * @param steps are given the session's own way to run commands, with nobody else's in between.
 * @throws whatever the steps throw; where they went well and the modem could not be put back, the error of that.
 */
export async function whileOffline<Result>(
  session: Pick<ModemSession, "sequence">,
  steps: (run: RunCommand) => Promise<Result>,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<Result> {
  return session.sequence(async (runAlways) => {
    if (signal?.aborted === true)
      throw new ThinglineError("ABORTED", "stopped by the caller", { cause: signal.reason });
    const run = withSignal(runAlways, signal);
    const manners = await readManners(run);
    let result: Result;
    try {
      await run("AT+CMEE=1");
      await goOffline(run);
      result = await steps(run);
    } catch (error) {
      // The first error is the one to tell; a modem that does not answer cannot be put back.
      await restoreManners(runAlways, manners).catch(() => undefined);
      throw error;
    }
    await restoreManners(runAlways, manners);
    return result;
  });
}
