import { kindOf, optionInvalid, ThinglineError } from "@thingline/protocol";
import { textOf } from "../errors.js";
import type { JobEventName, JobEvents } from "./types.js";

export type JobListener<Name extends JobEventName> = (event: JobEvents[Name]) => void | Promise<void>;
export type JobListeners = { [Name in JobEventName]?: JobListener<Name> };

export const jobEventNames: readonly JobEventName[] = [
  "jobStarted",
  "jobProgress",
  "jobParked",
  "jobCompleted",
  "jobFailed",
  "jobRejected",
  "jobCancelled",
  "jobAbandoned",
  "statusDetailsCut",
  "error",
];

/** Listeners of a job client. They are called at once, and nothing waits for what they return. */
export class JobEventHub {
  readonly #listeners = new Map<JobEventName, readonly JobListener<never>[]>();

  /** @throws {ThinglineError} OPTION_INVALID */
  constructor(first: JobListeners = {}) {
    for (const name of Object.keys(first)) this.#check(name as JobEventName);
    for (const name of jobEventNames) {
      const listener = first[name];
      if (listener !== undefined) this.on(name, listener as JobListener<JobEventName>);
    }
  }

  /** @throws {ThinglineError} OPTION_INVALID */
  on<Name extends JobEventName>(name: Name, listener: JobListener<Name>): () => void {
    this.#check(name);
    if (typeof listener !== "function") throw optionInvalid(`on.${name}`, "a function", kindOf(listener));
    this.#listeners.set(name, [...this.#get(name), listener]);
    return () => this.off(name, listener);
  }

  off<Name extends JobEventName>(name: Name, listener: JobListener<Name>): void {
    const listeners = this.#get(name);
    const index = listeners.indexOf(listener);
    if (index >= 0) this.#listeners.set(name, listeners.toSpliced(index, 1));
  }

  emit<Name extends JobEventName>(name: Name, event: JobEvents[Name]): void {
    for (const listener of this.#get(name)) {
      try {
        const result = listener(event);
        if (result instanceof Promise) result.catch((error: unknown) => this.#failed(error, name));
      } catch (error) {
        this.#failed(error, name);
      }
    }
  }

  #failed(thrown: unknown, name: JobEventName): void {
    // Of the last resort nobody hears: an unhandled rejection shows the application its own mistake.
    if (name === "error" || this.#get("error").length === 0) return void Promise.reject(asError(thrown));
    const message = `a listener of "${name}" threw ${textOf(thrown)}`;
    this.emit("error", { error: new ThinglineError("ADAPTER_FAILED", message, { cause: thrown }) });
  }

  #check(name: JobEventName): void {
    if (jobEventNames.includes(name)) return;
    const message = `there is no event "${String(name)}"; there are ${jobEventNames.join(", ")}`;
    throw new ThinglineError("OPTION_INVALID", message, { details: { option: "on" } });
  }

  #get<Name extends JobEventName>(name: Name): readonly JobListener<Name>[] {
    return (this.#listeners.get(name) ?? []) as readonly JobListener<Name>[];
  }
}

const asError = (thrown: unknown): Error =>
  thrown instanceof Error ? thrown : new Error(textOf(thrown), { cause: thrown });
