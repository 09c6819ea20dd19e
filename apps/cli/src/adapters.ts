import type { Clock, Files, Keys, Network, Random } from "@thingline/transport";
import {
  createNodeClock,
  createNodeFiles,
  createNodeKeys,
  createNodeNetwork,
  createNodeRandom,
} from "@thingline/transport/node";

/** The real world, for commands. */
export interface Adapters {
  network: Network;
  clock: Clock;
  random: Random;
  files: Files;
  keys: Keys;
}

export function nodeAdapters(): Adapters {
  return {
    network: createNodeNetwork(),
    clock: createNodeClock(),
    random: createNodeRandom(),
    files: createNodeFiles(),
    keys: createNodeKeys(),
  };
}
