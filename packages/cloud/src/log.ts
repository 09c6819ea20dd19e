import { methodsOf } from "@thingline/protocol";

/** Structured log lines. Never a key, token, password or payload. `event` is a stable camelCase name. */
export interface Log {
  debug(event: string, facts?: Readonly<Record<string, unknown>>): void;
  info(event: string, facts?: Readonly<Record<string, unknown>>): void;
  warn(event: string, facts?: Readonly<Record<string, unknown>>): void;
  error(event: string, facts?: Readonly<Record<string, unknown>>): void;
}

export const logOption = methodsOf<Log>("a Log", { debug: true, info: true, warn: true, error: true });

const leaveOut = (): void => undefined;

/** For a cloud that nobody listens to. */
export const silentLog: Log = { debug: leaveOut, info: leaveOut, warn: leaveOut, error: leaveOut };
