import { isThinglineError } from "@thingline/protocol";
import type { Clock, Timer } from "@thingline/transport";
import type { LteLinkControl } from "../commands/link-control.js";
import { ignoreKnown, isSessionOver } from "../failures.js";
import type { ModemSession } from "../session.js";
import { isRestart } from "../board-start.js";

/** Between two attempts to switch a link on again; twice as long each time. */
export const restoreDelayMs = { first: 1_000, longest: 60_000 } as const;
/** A start whose word the line lost leaves the radio off: how often a link that is wanted is looked after without a word. */
export const linkGuardMs = 300_000;

/**
 * A link control for a board that may start again by itself, or whose modem may: its radio is off then, and whoever wanted to be
 * registered has it switched on again. `close()` closes the link control too.
 */
export function keepLinkAfterRestarts(
  session: Pick<ModemSession, "onNotification" | "closed">,
  link: LteLinkControl,
  { clock }: { clock: Clock },
): LteLinkControl {
  let isWanted = false;
  let restoring = new AbortController();
  let guard: Timer | undefined;
  const watch = (): void => {
    guard?.cancel();
    guard = clock.setTimer(linkGuardMs, () => {
      // Commands of the line only: nothing goes on air for a link that is there.
      void link.connect({ signal: restoring.signal }).catch(ignoreKnown).finally(watchAgain);
    });
  };
  const watchAgain = (): void => {
    if (isWanted) watch();
  };
  const stop = (): void => {
    isWanted = false;
    guard?.cancel();
    restoring.abort();
  };
  void session.closed.then(stop);
  const unsubscribe = session.onNotification((line) => {
    if (!isWanted || !isRestart(line)) return;
    restoring.abort();
    restoring = new AbortController();
    // Who dials meanwhile is told LINK_FAILED, and tries again.
    void restore(link, clock, restoring.signal).catch(ignoreKnown);
  });
  const want = <Result>(wanted: boolean, act: () => Promise<Result>): Promise<Result> => {
    isWanted = wanted;
    restoring.abort();
    restoring = new AbortController();
    if (wanted) watch();
    else guard?.cancel();
    return act();
  };
  return {
    get status() {
      return link.status;
    },
    on: (name, listener) => link.on(name, listener),
    connect: (options) => want(true, () => link.connect(options)),
    normal: () => want(true, () => link.normal()),
    offline: () => want(false, () => link.offline()),
    powerOff: () => want(false, () => link.powerOff()),
    close() {
      unsubscribe();
      stop();
      link.close();
    },
  };
}

/** A board that has just started may spoil commands as it starts, and nobody else would switch its radio on. */
async function restore(link: LteLinkControl, clock: Clock, signal: AbortSignal): Promise<void> {
  for (let delayMs: number = restoreDelayMs.first; !signal.aborted; delayMs *= 2) {
    try {
      await link.connect({ signal });
      return;
    } catch (error) {
      if (!isThinglineError(error) || isSessionOver(error)) throw error;
    }
    await clock.sleep(Math.min(delayMs, restoreDelayMs.longest), { signal });
  }
}
