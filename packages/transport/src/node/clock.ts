import type { Clock } from "../clock.js";
import { createSystemClock } from "../system-clock.js";

/** The system's clocks and Node's event loop. */
export function createNodeClock(): Clock {
  return createSystemClock((run) => void setImmediate(run));
}
