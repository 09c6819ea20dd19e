import { checkOptionTypes, kindOf, optionInvalid } from "@thingline/protocol";
import type { ListenOptions } from "./connection.js";
import { checkBound, listenOptionTypes } from "./option-types.js";

/** For every network: what it is told before it opens anything. @throws {ThinglineError} OPTION_INVALID */
export function checkListen(options: ListenOptions, onConnection: unknown): void {
  checkOptionTypes(options, listenOptionTypes, { of: "listen()", required: ["host", "port"] });
  if (typeof onConnection !== "function") throw optionInvalid("onConnection", "a function", kindOf(onConnection));
  const { port, connectionsMax, handshakesMax } = options;
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw optionInvalid("port", "a whole number from 0 to 65535", port);
  }
  checkBound("connectionsMax", connectionsMax);
  checkBound("handshakesMax", handshakesMax);
}
