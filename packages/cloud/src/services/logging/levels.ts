import { verbosityOf, type IotLogEntry } from "../iot-log.js";
import type { LogLevel, LoggingConfiguration, TargetType } from "./model.js";

/** What an entry is judged by. */
export type LogSubject = Pick<IotLogEntry, "eventType" | "clientId" | "sourceIp" | "principalId">;

/** The levels of a configuration, ready to be asked for each entry. */
export class LogLevels {
  /** Of the most talkative of all that was set: what is beyond it nobody wants. */
  readonly verbosity: number;
  /** Whether the groups of a thing have a say. */
  readonly hasGroups: boolean;
  readonly #default: number;
  readonly #byEvent = new Map<string, number>();
  readonly #byTarget = new Map<TargetType, Map<string, number>>();

  constructor({ options, first, levels }: LoggingConfiguration) {
    const isOff = options?.disableAllLogs === true;
    this.#default = isOff ? 0 : verbosityOf[options?.defaultLogLevel ?? first?.logLevel ?? "DISABLED"];
    let verbosity = this.#default;
    const note = (level: LogLevel): number => {
      const known = verbosityOf[level];
      verbosity = Math.max(verbosity, known);
      return known;
    };
    if (!isOff && options !== undefined) {
      for (const { eventType, logLevel } of options.eventConfigurations) {
        if (logLevel !== undefined) this.#byEvent.set(eventType, note(logLevel));
      }
      for (const { type, name, logLevel } of levels) {
        const ofType = this.#byTarget.get(type) ?? new Map<string, number>();
        this.#byTarget.set(type, ofType.set(name, note(logLevel)));
      }
    }
    this.verbosity = verbosity;
    this.hasGroups = this.#byTarget.has("THING_GROUP");
  }

  /**
   * How much is wanted of a subject: what was set for its type of event; else the most that was set for what it is (client id, source,
   * principal, groups); else the default.
   */
  of({ eventType, clientId, sourceIp, principalId }: LogSubject, groups: readonly string[]): number {
    const ofEvent = this.#byEvent.get(eventType);
    if (ofEvent !== undefined) return ofEvent;
    if (this.#byTarget.size === 0) return this.#default;
    const found = [
      this.#of("CLIENT_ID", clientId),
      this.#of("SOURCE_IP", sourceIp),
      this.#of("PRINCIPAL_ID", principalId),
      ...groups.map((group) => this.#of("THING_GROUP", group)),
    ].filter((level) => level !== undefined);
    return found.length === 0 ? this.#default : Math.max(...found);
  }

  #of(type: TargetType, name: string | undefined): number | undefined {
    return name === undefined ? undefined : this.#byTarget.get(type)?.get(name);
  }
}

/** Of an account that has set nothing. */
export const noLevels = new LogLevels({ options: undefined, first: undefined, levels: [] });
