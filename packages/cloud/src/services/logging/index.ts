import type { Clock, Files, Random } from "@thingline/transport";
import type { Log } from "../../log.js";
import type { IotLog } from "../iot-log.js";
import type { Scope } from "../operation.js";
import { groupsOfThing } from "../registry/index.js";
import { isSameScope } from "../same-scope.js";
import type { CloudService } from "../service.js";
import { LiveLog } from "./live-log.js";
import { LogFiles } from "./log-files.js";
import { loggingServiceName } from "./model.js";
import { createLogging, readConfiguration, type Logging } from "./service.js";

export { iotLogFolder, nameOfIotLog, numberOfIotLog } from "./log-files.js";
export type { Logging } from "./service.js";

export interface LoggingServiceDependencies {
  clock: Clock;
  random: Random;
  files: Files;
  /** Of the cloud. */
  folder: string;
  log: Log;
}

export interface LoggingService extends CloudService<Logging> {
  /** For all that has something to tell of devices. */
  readonly iotLog: IotLog & { idle(): Promise<void> };
}

/** What is logged of devices, and the log. */
export function createLoggingService({
  clock,
  random,
  files,
  folder,
  log,
}: LoggingServiceDependencies): LoggingService {
  const live = new LiveLog({ clock, random, log, files: new LogFiles({ files, folder, log }) });
  let own: Scope | undefined;
  const applied = async (scope: Scope): Promise<void> => {
    if (own !== undefined && isSameScope(own, scope)) await live.read();
  };
  const operations = createLogging({ applied });
  return {
    name: loggingServiceName,
    operations,
    rest: Object.values(operations),
    iotLog: live,
    async onOpen(scope, runner) {
      own = scope;
      await live.open({
        accountId: scope.account,
        readConfiguration: () => runner.run(scope, readConfiguration, undefined),
        async groupsOf(thingName) {
          const groups = await runner.run(scope, groupsOfThing, { thingName });
          return groups.map(({ thingGroupName }) => thingGroupName);
        },
      });
    },
    onRefresh: applied,
    close: () => live.idle(),
  };
}
