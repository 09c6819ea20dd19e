import type { Clock, Keys, Random } from "@thingline/transport";
import type { Bus } from "./bus/bus.js";
import { createBroker } from "./broker/broker.js";
import type { BrokerLimits } from "./broker/limits.js";
import type { SessionOwnerRule } from "./broker/session-owner.js";
import type { Broker } from "./broker/types.js";
import { LifecycleHook } from "./lifecycle-hook.js";
import type { Log } from "./log.js";
import { soleNode, type CloudNode } from "./nodes/node.js";
import { blobRecords, deleteOrphans, findOrphans, tellMissingBlobs } from "./services/blob-records.js";
import type { IotLog } from "./services/iot-log.js";
import type { CommitListener } from "./services/commit-listener.js";
import type { Operation, Scope } from "./services/operation.js";
import type { EffectPerformer } from "./services/outbox.js";
import { isThing } from "./services/registry/index.js";
import { isSameScope } from "./services/same-scope.js";
import { openOperationRunner, type EffectRunner, type RunnerDependencies } from "./services/runner.js";
import type { CloudService } from "./services/service.js";
import type { BlobStore } from "./store/blobs.js";
import type { Store } from "./store/store.js";

export interface EngineDependencies {
  store: Store;
  blobs: BlobStore;
  clock: Clock;
  random: Random;
  keys: Keys;
  log: Log;
  /** What this process is to others on the same store; it is closed after the engine. Default: the store is its own. */
  node?: CloudNode;
  /** How the brokers of these nodes reach each other. Default: there are no others. */
  bus?: Bus;
}

export interface EngineOptions {
  /** Whose clients connect here. */
  scope: Scope;
  limits: BrokerLimits;
  /** Whose a session is. Default `principal`. */
  sessionOwner?: SessionOwnerRule | undefined;
  services: readonly CloudService[];
  /** What the account has logged of its clients. */
  iotLog?: IotLog | undefined;
}

/** A runner and a broker over one store, and the services between them: what a reset and a restore replace. */
export interface Engine {
  readonly broker: Broker;
  readonly runner: EffectRunner;
  run<Input, Result>(scope: Scope, operation: Operation<Input, Result>, input: Input): Promise<Result>;
  /** When what was committed has had its consequences; undefined when there is nothing to wait for. */
  settled(scope: Scope): Promise<void> | undefined;
  /** Operations under way end first, so that their messages still reach who is connected. Safe to call twice. */
  close(): Promise<void>;
}

/**
 * Goes on with what the store has: sessions, retained messages, effects that were not handed over, wake-ups. The store is the caller's to
 * close.
 *
 * @throws {ThinglineError} whatever opening the broker and reading the store can throw.
 */
export async function openEngine(deps: EngineDependencies, options: EngineOptions): Promise<Engine> {
  const { store, blobs, log } = deps;
  const { scope, services } = options;
  requireOwnNames(services);
  const listeners = services.flatMap(({ changes }) => changes ?? []);
  const runner = await openOperationRunner({ ...deps, onCommitted: tellOfCommits(listeners) });
  const hooks = services.flatMap((service) =>
    service.onLifecycle === undefined ? [] : [new LifecycleHook(service, runner, deps)],
  );
  const refresh = async (name: string, of: Scope): Promise<void> => {
    await services.find((service) => service.name === name)?.onRefresh?.(of, runner);
  };
  let broker: Broker | undefined;
  const close = async () => {
    for (const listener of listeners) await listener.closed();
    await runner.close();
    await broker?.close();
  };
  try {
    for (const service of services) await service.onOpen?.(scope, runner);
    broker = await createBroker({
      ...deps,
      ...{ scope, runner, limits: options.limits, sessionOwner: options.sessionOwner, iotLog: options.iotLog },
      isThing: (name) => isThing(store, scope, name),
      onWakeUpStored: (atUnixMs) => runner.expectWakeUp(atUnixMs),
      onRefresh: (name) => refresh(name, scope),
      services: services.flatMap(({ topics }) => topics ?? []),
      onLifecycle(event) {
        for (const hook of hooks) hook.hear(event);
      },
    });
    // Nothing is being put yet, unless by another node; what is left over is deleted when nobody can want this engine's store back any more.
    const isAlone = (deps.node ?? soleNode).isAlone;
    const orphans = isAlone ? await findOrphans(blobs, store) : [];
    await runner.start({
      wakeHandlers: new Map(services.flatMap(({ name, wake }) => (wake === undefined ? [] : [[name, wake]]))),
      performer: { ...createPerformer(broker, deps, scope), refresh: refreshAll(broker, refresh) },
    });
    // What another node changed after onOpen and before this one could hear of it.
    if (!isAlone) for (const { name } of services) await refresh(name, scope);
    for (const listener of listeners) listener.opened({ scope, runner, isAlone });
    await deleteOrphans(blobs, orphans, log);
    await tellMissingBlobs(blobs, blobRecords(store, scope), log);
  } catch (error) {
    await close();
    throw error;
  }
  const opened = broker;
  return {
    broker: opened,
    runner,
    close,
    settled(from) {
      const waits = listeners.flatMap((listener) => listener.settled(from) ?? []);
      return waits.length === 0 ? undefined : Promise.all(waits).then(() => undefined);
    },
    run: (from, operation, input) => runner.run(from, operation, input),
  };
}

/** Nothing where nobody listens. */
function tellOfCommits(listeners: readonly CommitListener[]): RunnerDependencies["onCommitted"] {
  if (listeners.length === 0) return undefined;
  return (scope, operations) => {
    for (const listener of listeners) listener.committed(scope, operations);
  };
}

/** Effects and wake-ups are stored by the name of their service. */
function requireOwnNames(services: readonly CloudService[]): void {
  const names = services.map(({ name }) => name);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) throw new Error(`there are two services with the name "${twice}"`);
}

/** Here, and wherever else the store is served. */
function refreshAll(broker: Broker, refresh: (name: string, of: Scope) => Promise<void>): EffectPerformer["refresh"] {
  return async (scope, { service }) => {
    await Promise.all([refresh(service, scope), broker.refreshOthers(service)]);
  };
}

/** Clients are in one account and region; requests over REST may name others, and nobody is connected there. */
function createPerformer(broker: Broker, { blobs, log }: EngineDependencies, own: Scope): EffectPerformer {
  const isOurs = (other: Scope) => isSameScope(other, own);
  const explanation = `devices connect to ${own.account} in ${own.region}, nobody can hear what is published elsewhere`;
  return {
    async publish(other, effect, id) {
      if (isOurs(other)) return broker.publish(effect, id);
      log.warn("publishedElsewhere", { ...other, topic: effect.topic, explanation });
    },
    isWanted: (other, topic, source) => !isOurs(other) || broker.isWanted(topic, source),
    disconnect: async (other, { clientId, reason }) =>
      isOurs(other) ? broker.disconnectClient(clientId, reason) : undefined,
    recheckPrincipal: async (other, { certificateId }) =>
      isOurs(other) ? broker.recheckPrincipal(certificateId) : undefined,
    announceWakeUp: (atUnixMs) => broker.announceWakeUp(atUnixMs),
    deleteBlob: ({ account, region }, { service, name }) => blobs.delete([account, region, service, name]),
  };
}
