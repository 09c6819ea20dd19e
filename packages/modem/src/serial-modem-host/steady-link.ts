import type { LteLinkControl } from "../commands/link-control.js";
import { ignoreKnown } from "./ignore-known.js";
import type { ModemSession } from "../session.js";
import { isRestart } from "./restart.js";

/**
 * A link control for a board that may start again by itself, or whose modem may: its radio is off then, and whoever wanted to be
 * registered has it switched on again. `close()` closes the link control too.
 */
export function keepLinkAfterRestarts(
  session: Pick<ModemSession, "onNotification">,
  link: LteLinkControl,
): LteLinkControl {
  let isWanted = false;
  const unsubscribe = session.onNotification((line) => {
    // Who dials meanwhile is told LINK_FAILED, and tries again.
    if (isWanted && isRestart(line)) void link.connect().catch(ignoreKnown);
  });
  const want = <Result>(wanted: boolean, act: () => Promise<Result>): Promise<Result> => {
    isWanted = wanted;
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
      link.close();
    },
  };
}
