import type { ConnectionWorld } from "./connection-harness.js";
import type { ContractHarness } from "./harness.js";
import { plainConnectionContract } from "./plain-connection-contract.js";
import { secureConnectionContract } from "./secure-connection-contract.js";
import { webSocketContract } from "./web-socket-contract.js";

/** Holds a `Network` and its connections to the interface: plain, TLS and WebSocket. */
export function connectionContract(harness: ContractHarness, name: string, open: () => Promise<ConnectionWorld>): void {
  plainConnectionContract(harness, name, open);
  secureConnectionContract(harness, name, open);
  webSocketContract(harness, name, open);
}
