/** Seconds between which a server accepts a requested keep alive. */
export interface ServerKeepAliveRange {
  minSeconds: number;
  maxSeconds: number;
}

/**
 * The keep alive that the server goes by, and tells an MQTT 5 client in Server Keep Alive. 0 is never "off": it
 * becomes the maximum.
 *
 * @see AWS General Reference, "AWS IoT Core message broker and protocol limits", keep alive interval
 */
export function effectiveKeepAliveSeconds(requestedSeconds: number, range: ServerKeepAliveRange): number {
  if (requestedSeconds === 0 || requestedSeconds > range.maxSeconds) return range.maxSeconds;
  return Math.max(requestedSeconds, range.minSeconds);
}

export type ServerKeepAliveState = { name: "listening"; lastReceivedMs: number } | { name: "expired" };
export type ServerKeepAliveInput = { type: "packetReceived" } | { type: "tick" };
export type ServerKeepAliveEffect = { type: "wakeAt"; atMs: number } | { type: "close" };

/**
 * The server's half of keep alive. Feed `tick` at the start and whenever `wakeAt` is due; `packetReceived` may be fed
 * as seldom as once per chunk of input, and asks for nothing.
 */
export function stepServerKeepAlive(
  state: ServerKeepAliveState,
  input: ServerKeepAliveInput,
  nowMs: number,
  keepAliveSeconds: number,
): [next: ServerKeepAliveState, effects: ServerKeepAliveEffect[]] {
  if (state.name === "expired") return [state, []];
  if (input.type === "packetReceived") return [{ name: "listening", lastReceivedMs: nowMs }, []];
  // [MQTT-3.1.2-22] One and a half times the keep alive without a packet ends the connection.
  const dueMs = state.lastReceivedMs + keepAliveSeconds * 1500;
  if (nowMs < dueMs) return [state, [{ type: "wakeAt", atMs: dueMs }]];
  return [{ name: "expired" }, [{ type: "close" }]];
}
