// What the tests of services share: a runner over a memory store that notes the effects, in virtual time.
import { ThinglineError } from "@thingline/protocol";
import {
  createVirtualClock,
  createVirtualKeys,
  createVirtualRandom,
  type VirtualClock,
} from "@thingline/transport/virtual";
import type { Keys, Random } from "@thingline/transport";
import type { Log } from "../log.js";
import { createMemoryStore } from "../store/memory.js";
import { encodeKey } from "../store/key-encoding.js";
import type { Store, StoreKey } from "../store/store.js";
import type { Effect, Operation, Scope } from "./operation.js";
import { createCertificateIssuer, openDeviceAuthority, type CertificateIssuer } from "./registry/certificate-issuer.js";
import { registryServiceName } from "./registry/model.js";
import { createRegistry, type Registry } from "./registry/service.js";
import { registryWake } from "./registry/wake.js";
import type { EffectPerformer, PublishEffect } from "./outbox.js";
import { openOperationRunner, type EffectRunner } from "./runner.js";
import type { WakeHandler } from "./wake-ups.js";

export const scope: Scope = { account: "123456789012", region: "us-east-1" };

/** As the performer gets it. */
export type NotedEffect = PublishEffect | Exclude<Effect, { type: "publish" }>;

export interface ServiceWorld {
  store: Store;
  clock: VirtualClock;
  random: Random;
  keys: Keys;
  log: Log;
  logged: string[];
  issuer: CertificateIssuer;
  registry: Registry;
  runner: EffectRunner;
  effects: NotedEffect[];
  run: <Input, Result>(operation: Operation<Input, Result>, input: Input) => Promise<Result>;
  /** What was noted since the last call, once everything is handed over. */
  takeEffects: () => Promise<NotedEffect[]>;
  /** As after a kill: what the store has is all there is. Never started when `isStarted` is false. */
  restart: () => Promise<void>;
}

/** Services know policy documents as text only; the grammar is tested where it is. */
function parsePolicyDocument(text: string): unknown {
  if (text.includes("Statement")) return JSON.parse(text) as unknown;
  throw new ThinglineError("POLICY_MALFORMED", "a policy document has statements");
}

export async function openServiceWorld({
  isStarted = true,
  wakeHandlers = new Map(),
  membershipWatchers = [],
  keys: givenKeys,
}: {
  isStarted?: boolean;
  /** Besides the registry's own. */
  wakeHandlers?: ReadonlyMap<string, WakeHandler>;
  membershipWatchers?: readonly string[];
  /** Default: virtual ones, which are slow to verify. */
  keys?: Keys;
} = {}): Promise<ServiceWorld> {
  const store = createMemoryStore();
  const clock = createVirtualClock();
  const random = createVirtualRandom(7);
  const keys = givenKeys ?? createVirtualKeys({ random });
  const logged: string[] = [];
  const note = (event: string) => void logged.push(event);
  const log: Log = { debug: note, info: note, warn: note, error: note };
  const authority = openDeviceAuthority({ keys, random, nowMs: () => clock.unixMs() });
  const issuer = createCertificateIssuer({ keys, random, authority });
  const registry = createRegistry({
    issuer,
    parsePolicyDocument,
    endpointAddress: (type) => (type === "iot:Data-ATS" ? "localhost:8883" : undefined),
    membershipWatchers,
  });
  const effects: NotedEffect[] = [];
  const keep = async (_scope: Scope, effect: NotedEffect) => void effects.push(effect);
  const performer: EffectPerformer = { publish: keep, disconnect: keep, recheckPrincipal: keep };
  const open = async (start: boolean) => {
    const runner = await openOperationRunner({ store, clock, random, keys, log });
    const handlers = new Map([[registryServiceName, registryWake(membershipWatchers)], ...wakeHandlers]);
    if (start) await runner.start({ performer, wakeHandlers: handlers });
    return runner;
  };
  const world: ServiceWorld = {
    ...{ store, clock, random, keys, log, logged, issuer, registry, effects },
    runner: await open(isStarted),
    run: (operation, input) => world.runner.run(scope, operation, input),
    async takeEffects() {
      await world.runner.idle();
      return effects.splice(0);
    },
    async restart() {
      world.runner = await open(true);
    },
  };
  return world;
}

/** Runs `meanwhile` once, when somebody has decided what is to become of a record and the store has not heard of it. */
export function interrupt(store: Store, key: StoreKey, meanwhile: () => Promise<unknown>): void {
  const commit = store.commit.bind(store);
  store.commit = async (operations) => {
    if (!operations.some((operation) => encodeKey(operation.key) === encodeKey(key))) return commit(operations);
    store.commit = commit;
    await meanwhile();
    return commit(operations);
  };
}
