import { spawn } from "node:child_process";
import type { ChildEnd, Processes } from "../processes.js";

/** Programs of the operating system. Output and errors go where those of this process go; a channel tells a program that this one has ended. */
export function createNodeProcesses(): Processes {
  return {
    start({ program, arguments: args = [], folder, environment }) {
      const child = spawn(program, args, {
        ...(folder !== undefined && { cwd: folder }),
        env: { ...process.env, ...environment },
        stdio: ["ignore", "inherit", "inherit", "ipc"],
      });
      const ended = new Promise<ChildEnd>((resolve) => {
        child.once("exit", (code, signal) => resolve({ exitCode: code ?? undefined, endedBy: signal ?? undefined }));
        child.on("error", (error) => {
          if (child.pid === undefined) resolve({ exitCode: undefined, endedBy: error.message });
        });
      });
      return { ended, stop: () => void child.kill("SIGTERM"), kill: () => void child.kill("SIGKILL") };
    },
  };
}

/**
 * For a program that `createNodeProcesses()` has started: it ends when the process ends that started it, be it by `kill -9`, so that no two of
 * them run. Elsewhere nothing happens.
 */
export function endWithParent(exitCode = 1): void {
  if (process.send === undefined) return;
  process.once("disconnect", () => process.exit(exitCode));
  // A program that has nothing else to do may end.
  process.channel?.unref();
}
