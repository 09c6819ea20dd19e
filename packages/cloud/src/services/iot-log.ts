import type { Scope } from "./operation.js";
import { isSameScope } from "./same-scope.js";

// The log that AWS IoT keeps of an account's devices, in CloudWatch there. What is written, how much of it and where, `services/logging`
// decides; this is all that brokers, doors and services know of it.

export type IotLogLevel = "ERROR" | "WARN" | "INFO" | "DEBUG";

/** How much a level lets through. */
export const verbosityOf = { DISABLED: 0, ERROR: 1, WARN: 2, INFO: 3, DEBUG: 4 } as const;

/** One entry, without what every entry has. AWS's names, in the order in which they are written. */
export interface IotLogEntry {
  level: IotLogLevel;
  /** As AWS names it: `Connect`, `Publish-In`. */
  eventType: string;
  isFailure?: boolean;
  protocol?: "MQTT" | "HTTP" | undefined;
  topicName?: string | undefined;
  clientId?: string | undefined;
  /** The id of a certificate, or of an access key. */
  principalId?: string | undefined;
  sourceIp?: string | undefined;
  sourcePort?: number | undefined;
  /** Whatever else AWS has in an entry of this type. Never a key, token, password or payload. */
  more?: Readonly<Record<string, string | number | Readonly<Record<string, string>> | undefined>>;
  /** A word of AWS: `AUTHORIZATION_FAILURE`. */
  reason?: string | undefined;
  details?: string | undefined;
}

export interface IotLog {
  /**
   * The level up to which anybody's entries are wanted, see {@link verbosityOf}: 0 while logging is off. To be asked before anything is
   * done for an entry.
   */
  readonly verbosity: number;
  /** Never throws and waits for nothing. Whether this entry is wanted is looked at here. */
  write(entry: IotLogEntry): void;
}

/** For a cloud that keeps no log of its devices. */
export const noIotLog: IotLog = { verbosity: 0, write: () => undefined };

/** Devices are in one account and region: what is asked of others over REST is not logged. */
export const isLogged = (log: IotLog, level: IotLogLevel, own: Scope, asked: Scope): boolean =>
  log.verbosity >= verbosityOf[level] && isSameScope(own, asked);
