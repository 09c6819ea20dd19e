import { ThinglineError } from "@thingline/protocol";

/**
 * Who answers a device that asks for its own certificate on `certificate/<client id>/create`:
 *
 * - `off`: nobody of this cloud, so that whoever subscribes there, or a rule, gives the only answer.
 * - `builtin`: the built-in vending service.
 * - `{ function: NAME }`: a function of `CloudDependencies.functions`, called with the event of the original's rule, `{ deviceId }`, which is
 *   the client id as it stands. It publishes key and certificate by itself, and what it returns is not looked at.
 */
export type Vending = "off" | "builtin" | { function: string };

/** A name or an ARN. */
const functionNameCharactersMax = 256;

/** @throws {ThinglineError} OPTION_INVALID */
export function checkVending(vending: unknown): Vending {
  if (vending === "off" || vending === "builtin") return vending;
  const name = typeof vending === "object" && vending !== null && "function" in vending ? vending.function : undefined;
  if (typeof name === "string" && name !== "" && name.length <= functionNameCharactersMax) return { function: name };
  const message = `vending must be "off", "builtin" or { function: NAME }, got ${JSON.stringify(vending)}`;
  throw new ThinglineError("OPTION_INVALID", message, { details: { option: "vending" } });
}
