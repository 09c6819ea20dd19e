import type { ThinglineError } from "@thingline/protocol";
import type { AttemptEvent, DisconnectReason, EndEvent } from "./events.js";
import { type ConnectResult, connectResults } from "./result.js";

/** The numbers of the disconnect reasons in the original's aws_iot and cloud_api, which are the same. */
export const awsIotDisconnectReasons = {
  userRequest: 0,
  closedByRemote: 1,
  invalidRequest: 2,
  misc: 3,
} as const satisfies Record<DisconnectReason, number>;

/** {@link DeviceEvents.connecting} with the original's number of the result, 0..-11; -5 for one that it does not have. */
export interface NumberedConnecting {
  type: "connecting";
  result: ConnectResult;
  resultCode: number;
  error?: ThinglineError;
  retryInMs?: number;
}

/** {@link DeviceEvents.disconnected} with the original's number of the reason, 0..3. */
export interface NumberedDisconnected {
  type: "disconnected";
  reason: DisconnectReason;
  reasonCode: number;
  error?: ThinglineError;
  retryInMs?: number;
}

/** Without a result an attempt begins: `success`. */
export function numberedConnecting({ result = "success", ...more }: AttemptEvent): NumberedConnecting {
  return { type: "connecting", result, resultCode: connectResults[result] ?? connectResults.misc, ...more };
}

export function numberedDisconnected({ reason, ...more }: EndEvent): NumberedDisconnected {
  return { type: "disconnected", reason, reasonCode: awsIotDisconnectReasons[reason], ...more };
}
