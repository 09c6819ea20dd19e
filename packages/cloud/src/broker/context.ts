import type { Clock, Random } from "@thingline/transport";
import type { Log } from "../log.js";
import { soleNode, type CloudNode } from "../nodes/node.js";
import { noIotLog, type IotLog } from "../services/iot-log.js";
import type { Scope } from "../services/operation.js";
import type { Store } from "../store/store.js";
import { createCounters, type BrokerCounters } from "./counters.js";
import { awsLimits, type BrokerLimits } from "./limits.js";
import type { SessionOwnerRule } from "./session-owner.js";
import { storeKeys, type StoreKeys } from "./session-store.js";

export interface ContextOptions {
  clock: Clock;
  random: Random;
  log: Log;
  iotLog?: IotLog | undefined;
  store: Store;
  scope: Scope;
  limits?: BrokerLimits | undefined;
  node?: CloudNode | undefined;
  sessionOwner?: SessionOwnerRule | undefined;
  isThing?: ((name: string) => Promise<boolean>) | undefined;
}

/** What the parts of one broker are made with: its world and its bounds. Nothing here changes but the counters. */
export class BrokerContext {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** What the account has logged of its clients. */
  readonly iotLog: IotLog;
  readonly store: Store;
  readonly scope: Scope;
  readonly limits: BrokerLimits;
  readonly counters: BrokerCounters = createCounters();
  readonly keys: StoreKeys;
  readonly node: CloudNode;
  readonly sessionOwner: SessionOwnerRule;
  /** Whether the registry has a thing of that name. */
  readonly isThing: (name: string) => Promise<boolean>;
  /** Names this broker in session records. */
  readonly brokerId: string;

  constructor({ clock, random, log, store, scope, ...options }: ContextOptions) {
    const { limits = awsLimits, node = soleNode, sessionOwner = "principal" } = options;
    this.clock = clock;
    this.random = random;
    this.log = log;
    this.iotLog = options.iotLog ?? noIotLog;
    this.store = store;
    this.scope = scope;
    this.limits = limits;
    this.keys = storeKeys(scope);
    this.node = node;
    this.sessionOwner = sessionOwner;
    this.isThing = options.isThing ?? (async () => false);
    this.brokerId = node.isAlone ? random.uuid() : node.id;
  }

  hit(limit: keyof BrokerLimits, facts: Readonly<Record<string, unknown>>): void {
    this.counters.limitsHit++;
    this.log.warn("limitHit", { limit, ...facts });
  }
}
