// A seed says what happens in a world: which device, which network, and what goes wrong with which connection.
import type { LinkFaults } from "@thingline/transport/virtual";
import { createVirtualRandom } from "@thingline/transport/virtual";

export type Queue = "none" | "memory" | "disk";
export const queues: readonly Queue[] = ["none", "memory", "disk"];
export const versions = [4, 5] as const;

/**
 * What can happen after so many bytes. `reset`: the connection is reset. `silent`: what this side sends is lost, the other
 * direction works. `dead`: nothing arrives any more. `delay`: the rest comes ten seconds later, `stall`: after everybody's
 * patience has ended.
 */
export const faultKinds = ["reset", "silent", "dead", "delay", "stall"] as const;
export type FaultKind = (typeof faultKinds)[number];
export type Side = "client" | "server";

export interface FaultPlan {
  seed: string;
  version: 4 | 5;
  queue: Queue;
  isCleanSession: boolean;
  latencyMs: NonNullable<LinkFaults["latencyMs"]>;
  /** TLS with a client certificate, or plain bytes in random pieces. */
  isTls: boolean;
  /** Of the device's connections, in turn; undefined for those that work. */
  faults: readonly (LinkFaults | undefined)[];
  /** MQTT 3.1.1: unacknowledged messages are sent again on a live connection. */
  resendAfterMs: number | undefined;
  /** How the device ends so long after its start, before another one takes its place. */
  firstLife: { endsAfterMs: number; how: LifeEnd } | undefined;
}

/**
 * `close`: in order. `kill`: the process is gone, its connection reset. `powerCut`: what the disk had not flushed is gone as
 * well, and the cloud is not told.
 */
export type LifeEnd = "close" | "kill" | "powerCut";

export function faultOf(kind: FaultKind, from: Side, bytes: number): LinkFaults {
  switch (kind) {
    case "reset":
      return { resetAfter: { from, bytes } };
    case "silent":
      return { silentAfter: { from, bytes } };
    case "dead":
      return { deadAfter: { from, bytes } };
    case "delay":
      return { delayAfter: { from, bytes, ms: 10_000 } };
    case "stall":
      return { delayAfter: { from, bytes, ms: 300_000 } };
  }
}

export function seedOf(version: 4 | 5, queue: Queue, kind: FaultKind, side: Side, bytes: number): string {
  return `v${version}/${queue}/${kind}/${side}/${bytes}`;
}

/** `v4/none/reset/client/17`: one fault of the first connection. `random/5`: whatever that draws. */
export function planOf(seed: string): FaultPlan {
  const common = {
    seed,
    isCleanSession: false,
    latencyMs: 5,
    isTls: true,
    resendAfterMs: undefined,
    firstLife: undefined,
  };
  if (/^v[45]\/\w+\/none$/.test(seed)) {
    const [version, queue] = seed.split("/");
    return { ...common, version: version === "v5" ? 5 : 4, queue: queue as Queue, faults: [] };
  }
  const match = /^v([45])\/(none|memory|disk)\/(reset|silent|dead|delay|stall)\/(client|server)\/(\d+)$/.exec(seed);
  if (match !== null) {
    const [, version, queue, kind, side, bytes] = match;
    const faults = [faultOf(kind as FaultKind, side as Side, Number(bytes))];
    return { ...common, version: version === "5" ? 5 : 4, queue: queue as Queue, faults };
  }
  if (/^random\/\d+$/.test(seed)) return randomPlan(seed);
  throw new Error(`"${seed}" is no seed`);
}

function randomPlan(seed: string): FaultPlan {
  const random = createVirtualRandom(seed).fork("plan");
  const pick = <T>(values: readonly T[]): T => values[random.integer(values.length)] as T;
  const isTls = random.integer(2) === 0;
  const faults = Array.from({ length: random.integer(7) }, (): LinkFaults | undefined => {
    const piece = isTls ? {} : { splitsRandomly: true };
    switch (random.integer(8)) {
      case 0:
        return { isRefused: true };
      case 1:
        return { isUnanswered: true };
      case 2:
        return undefined;
      default:
        return { ...piece, ...faultOf(pick(faultKinds), pick(["client", "server"]), random.integer(260)) };
    }
  });
  const queue = pick(queues);
  const version = pick(versions);
  // Only a disk outlives the process.
  const ends: readonly LifeEnd[] = queue === "disk" ? ["close", "kill", "powerCut"] : ["close"];
  const endsAfterMs = (): number => random.integer(pick([20, 2_000, 60_000]));
  return {
    seed,
    version,
    queue,
    isCleanSession: random.integer(4) === 0,
    latencyMs: pick([1, 40, { from: 1, to: 400 }]),
    isTls,
    faults,
    resendAfterMs: version === 4 && random.integer(3) === 0 ? 2_000 : undefined,
    firstLife: random.integer(2) === 0 ? undefined : { endsAfterMs: endsAfterMs(), how: pick(ends) },
  };
}
