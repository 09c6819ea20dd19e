import type { Clock } from "@thingline/transport";
import type { Log } from "../../log.js";
import type { CloudService } from "../service.js";
import { taggable } from "../taggable.js";
import { commandKeys, commandsServiceName } from "./model.js";
import { createCommands, type Commands } from "./service.js";
import { createCommandTopics } from "./topics.js";
import { wakeCommands } from "./wake.js";

export type { Commands } from "./service.js";

export interface CommandsServiceDependencies {
  clock: Clock;
  log: Log;
}

/** AWS IoT Commands. @param options.isLimited quotas of AWS are kept */
export function createCommandsService(
  { clock, log }: CommandsServiceDependencies,
  { isLimited }: { isLimited: boolean },
): CloudService<Commands> {
  const operations = createCommands({ isLimited });
  return {
    name: commandsServiceName,
    operations,
    rest: Object.values(operations),
    taggable: [taggable("command", commandKeys.command)],
    topics: createCommandTopics({ clock, log, isLimited }),
    wake: wakeCommands,
  };
}
