/**
 * The `afterTurn` of a clock: callbacks are kept until the turn of the event loop ends, in order, and all of them are called by one scheduled
 * function, so that with thousands of connections each call costs one array push.
 *
 * @param schedule calls back at the end of the turn: `setImmediate`, or `setTimeout` without a delay.
 */
export function createTurnEnds(schedule: (run: () => void) => void): (callback: () => void) => void {
  let waiting: (() => void)[] = [];

  function run(): void {
    const callbacks = waiting;
    waiting = [];
    let done = 0;
    try {
      while (done < callbacks.length) callbacks[done++]?.();
    } finally {
      // A callback that threw must not take the others with it.
      if (done < callbacks.length) {
        const isScheduled = waiting.length > 0;
        waiting = [...callbacks.slice(done), ...waiting];
        if (!isScheduled) schedule(run);
      }
    }
  }

  return (callback) => {
    if (waiting.push(callback) === 1) schedule(run);
  };
}
