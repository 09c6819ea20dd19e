import { optionInvalid } from "@thingline/protocol";
import type { CloudConfig } from "./types.js";

/** @throws {ThinglineError} OPTION_INVALID */
export function clientIdOf(configured: string | undefined, config: CloudConfig): string {
  const clientId = config.clientId ?? configured;
  if (clientId === undefined) throw optionInvalid("clientId", "one in the options or from init()", "none");
  return clientId;
}
