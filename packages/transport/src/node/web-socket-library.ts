import { ThinglineError } from "@thingline/protocol";
import type * as ws from "ws";

export type WebSocketLibrary = typeof ws;

let loading: Promise<WebSocketLibrary> | undefined;

/**
 * The package ws, loaded when the first WebSocket is wanted: most devices never want one, so it is an optional peer.
 *
 * @throws {ThinglineError} DEPENDENCY_MISSING
 */
export function loadWebSocketLibrary(): Promise<WebSocketLibrary> {
  loading ??= import("ws").catch((cause: unknown) => {
    loading = undefined;
    const message = "MQTT over WebSocket needs the package ws, which is not installed: npm install ws@8";
    throw new ThinglineError("DEPENDENCY_MISSING", message, { details: { dependency: "ws" }, cause });
  });
  return loading;
}
