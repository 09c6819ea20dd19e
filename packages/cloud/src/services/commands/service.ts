import { commandOperations } from "./commands.js";
import { executionOperations } from "./executions.js";
import { createStartOperation } from "./start.js";

export type Commands = ReturnType<typeof createCommands>;

/** Commands and their executions, by AWS's names. */
export function createCommands({ isLimited }: { isLimited: boolean }) {
  return {
    ...commandOperations,
    ...executionOperations,
    startCommandExecution: createStartOperation({ isLimited }),
  };
}
