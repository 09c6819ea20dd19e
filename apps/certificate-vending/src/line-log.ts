import type { VendingLog } from "./types.js";

/** A JSON object a line, as CloudWatch Logs searches it. */
export function createLineLog(write: (line: string) => void): VendingLog {
  const line = (level: string, event: string, details: Readonly<Record<string, unknown>>) =>
    write(`${JSON.stringify({ level, event, ...details })}\n`);
  return {
    info: (event, details) => line("info", event, details),
    error: (event, details) => line("error", event, details),
  };
}
