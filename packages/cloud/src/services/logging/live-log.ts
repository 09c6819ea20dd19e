import { BoundedMap, isThinglineError } from "@thingline/protocol";
import type { Clock, Random } from "@thingline/transport";
import type { Log } from "../../log.js";
import { verbosityOf, type IotLog, type IotLogEntry } from "../iot-log.js";
import { LogLevels, noLevels } from "./levels.js";
import { formatLine } from "./line.js";
import type { LogFiles } from "./log-files.js";
import type { LoggingConfiguration } from "./model.js";

/** Clients whose groups are remembered, and for how long. */
export const rememberedGroupsMax = 10_000;
export const groupsKeptMs = 5_000;
/** Entries that wait until it is known in which groups their thing is. With more, new ones are dropped and counted. */
export const waitingEntriesMax = 10_000;

export interface LiveLogOptions {
  clock: Pick<Clock, "monotonicMs" | "unixMs">;
  random: Pick<Random, "uuid">;
  files: Pick<LogFiles, "add" | "idle">;
  log: Log;
}

/** Where the log learns what it does not know by itself; there only while an engine is open. */
export interface LogSource {
  accountId: string;
  readConfiguration: () => Promise<LoggingConfiguration>;
  /** The names of the groups that a thing is in, and of all above them. */
  groupsOf: (thingName: string) => Promise<readonly string[]>;
}

interface KnownGroups {
  names: readonly string[];
  untilMs: number;
}

/** The log of the devices as it is being written. */
export class LiveLog implements IotLog {
  verbosity = 0;
  readonly #options: LiveLogOptions;
  #levels: LogLevels = noLevels;
  #source: LogSource | undefined;
  readonly #groups = new BoundedMap<string, KnownGroups>(rememberedGroupsMax);
  /** Entries in their order, from the first whose groups are being asked for. */
  #waiting: (IotLogEntry & { atMs: number })[] = [];
  #dropped = 0;
  #sorting: Promise<void> | undefined;
  /** Never rejects. */
  #reading: Promise<void> = Promise.resolve();

  constructor(options: LiveLogOptions) {
    this.#options = options;
  }

  /** Another engine has another store below it. */
  async open(source: LogSource): Promise<void> {
    this.#source = source;
    await this.read();
  }

  /** Goes by what is configured now. One after the other: an older answer must not come behind a newer one. */
  read(): Promise<void> {
    this.#reading = this.#reading.then(() => this.#read());
    return this.#reading;
  }

  async #read(): Promise<void> {
    const source = this.#source;
    if (source === undefined) return;
    try {
      const configuration = await source.readConfiguration();
      this.#levels = new LogLevels(configuration);
      this.verbosity = this.#levels.verbosity;
    } catch (error) {
      if (isThinglineError(error, "CLOSED")) return;
      this.#options.log.error("iotLogFailed", { error: String(error) });
    }
  }

  write(entry: IotLogEntry): void {
    if (this.verbosity < verbosityOf[entry.level]) return;
    const atMs = this.#options.clock.unixMs();
    if (!this.#levels.hasGroups || entry.clientId === undefined) {
      if (this.#sorting === undefined) return this.#judge(entry, atMs, []);
    } else {
      const known = this.#knownGroups(entry.clientId);
      if (known !== undefined && this.#sorting === undefined) return this.#judge(entry, atMs, known);
    }
    if (this.#waiting.length >= waitingEntriesMax) {
      this.#dropped++;
      return;
    }
    this.#waiting.push({ ...entry, atMs });
    this.#sorting ??= this.#sort();
  }

  /** Resolves when everything is written. */
  async idle(): Promise<void> {
    while (this.#sorting !== undefined) await this.#sorting;
    await this.#options.files.idle();
  }

  #judge(entry: IotLogEntry, nowMs: number, groups: readonly string[]): void {
    if (this.#levels.of(entry, groups) < verbosityOf[entry.level]) return;
    const { random, files } = this.#options;
    const accountId = this.#source?.accountId ?? "";
    files.add(formatLine(entry, { nowMs, traceId: random.uuid(), accountId }));
  }

  #knownGroups(clientId: string): readonly string[] | undefined {
    const known = this.#groups.get(clientId);
    return known !== undefined && known.untilMs > this.#options.clock.monotonicMs() ? known.names : undefined;
  }

  /** In the order in which they came, each when the groups of its thing are known. */
  async #sort(): Promise<void> {
    for (let at = 0; at < this.#waiting.length; at++) {
      const { atMs, ...entry } = this.#waiting[at]!;
      const { clientId } = entry;
      const groups = clientId === undefined || !this.#levels.hasGroups ? [] : await this.#groupsOf(clientId);
      this.#judge(entry, atMs, groups);
    }
    this.#waiting = [];
    this.#sorting = undefined;
    if (this.#dropped === 0) return;
    this.#options.log.warn("limitHit", { limit: "waitingEntriesMax", dropped: this.#dropped });
    this.#dropped = 0;
  }

  async #groupsOf(clientId: string): Promise<readonly string[]> {
    const known = this.#knownGroups(clientId);
    if (known !== undefined) return known;
    let names: readonly string[] = [];
    try {
      names = (await this.#source?.groupsOf(clientId)) ?? [];
    } catch (error) {
      if (!isThinglineError(error)) throw error;
    }
    this.#groups.set(clientId, { names, untilMs: this.#options.clock.monotonicMs() + groupsKeptMs });
    return names;
  }
}
