import { invalid } from "../client-options.js";
import type { CloudConfig } from "./types.js";

/** @throws {ThinglineError} OPTION_INVALID */
export function clientIdOf(configured: string | undefined, config: CloudConfig): string {
  const clientId = config.clientId ?? configured;
  if (clientId === undefined) throw invalid("clientId", "one in the options or from init()", "none");
  return clientId;
}
