import type { Clock, Random } from "@thingline/transport";
import type { Log } from "../../log.js";
import type { ClientDirectory } from "../client-directory.js";
import type { DynamicGroupOperations } from "../registry/index.js";
import type { CloudService } from "../service.js";
import { taggable } from "../taggable.js";
import { recordConnectivity } from "./connectivity.js";
import { FleetIndexes } from "./indexes.js";
import { wakeFleetMetrics } from "./fleet-metrics.js";
import { indexingKeys, indexingServiceName } from "./model.js";
import { createIndexing, type Indexing } from "./service.js";

export { listFleetMetricPoints } from "./fleet-metrics.js";
export type { Indexing } from "./service.js";

export interface IndexingServiceDependencies {
  clock: Clock;
  log: Log;
  random: Random;
  /** Who is connected. Default: nobody knows. */
  clients?: ClientDirectory | undefined;
  /** The registry's. */
  dynamicGroups: DynamicGroupOperations;
}

/** Fleet indexing, dynamic thing groups and fleet metrics. */
export function createIndexingService(deps: IndexingServiceDependencies): CloudService<Indexing> {
  const indexes = new FleetIndexes(deps);
  const operations = createIndexing(indexes, deps.dynamicGroups);
  return {
    name: indexingServiceName,
    operations,
    rest: Object.values(operations),
    changes: indexes,
    taggable: [taggable("fleetmetric", indexingKeys.fleetMetric)],
    wake: wakeFleetMetrics(indexes, deps.log),
    onLifecycle(event, runner) {
      const isOfConnection = event.eventType === "connected" || event.eventType === "disconnected";
      if (!isOfConnection || !indexes.hearsClients(event.scope)) return undefined;
      return runner.run(event.scope, recordConnectivity, { event, engineId: indexes.engineId });
    },
  };
}
