import { spawn } from "node:child_process";
import type { Socket } from "node:net";
import { ThinglineError } from "@thingline/protocol";
import { commandLine } from "./invocation.js";
import type { Output } from "./output.js";

/** Reads until its standard input ends, which is when this process does, and says so. Signals for this process are not for it. */
const script = `trap '' HUP INT TERM
read -r _
[ -z "$1" ] || printf '%s\\n' "$1"
printf '%s\\n' "$2" >&2`;

/**
 * Says it when this process is ended by a signal that nobody can handle: a bus error when the store's file was cut or its disk fails under
 * a running cloud, or `kill -9`. A small shell waits for it, of which nothing is seen otherwise. Without `/bin/sh` there is none.
 *
 * @returns ends the guard. It ends by itself with any `process.exit`.
 */
export function guardProcess(output: Pick<Output, "isJson">, dataDir: string): () => void {
  if (process.platform === "win32") return () => undefined;
  const check = commandLine(`cloud check --data-dir '${dataDir.replaceAll("'", "'\\''")}'`);
  const message =
    `the local cloud of "${dataDir}" (process ${process.pid}) was ended by a signal, without closing. If nobody killed it, its store ` +
    `was damaged or its disk failed while it ran; this tells: ${check}`;
  const { code } = new ThinglineError("STORE_CORRUPT", message);
  const event = JSON.stringify({ event: "error", code, message, details: { path: dataDir } });
  const guard = spawn("/bin/sh", ["-c", script, "thingline-guard", output.isJson ? event : "", `error: ${message}`], {
    stdio: ["pipe", "inherit", "inherit"],
  });
  // Without a shell, or without processes to spare, the cloud goes on.
  guard.on("error", () => undefined);
  guard.stdin.on("error", () => undefined);
  guard.unref();
  (guard.stdin as Partial<Socket>).unref?.();
  const end = () => void guard.kill("SIGKILL");
  process.once("exit", end);
  return () => {
    process.off("exit", end);
    end();
  };
}
