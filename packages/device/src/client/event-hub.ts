import { kindOf, optionInvalid, ThinglineError } from "@thingline/protocol";
import { textOf } from "../errors.js";
import type { DeviceEventName, DeviceEvents, DeviceListener, DeviceListeners } from "./events.js";

const names: readonly DeviceEventName[] = [
  "connecting",
  "connected",
  "ready",
  "data",
  "puback",
  "pingresp",
  "offlineQueue",
  "recordTooLarge",
  "disconnected",
  "warning",
  "error",
];

const noListeners: readonly never[] = [];

/** Typed listeners; adding and removing during a call takes effect with the next event. */
export class EventHub {
  #listeners: Map<DeviceEventName, readonly DeviceListener<never>[]> | undefined;

  constructor(first?: DeviceListeners) {
    if (first === undefined) return;
    // By the names of the events: listeners may come from a prototype.
    for (const name of names) {
      const listener = first[name];
      if (listener !== undefined) this.on(name, listener as DeviceListener<DeviceEventName>);
    }
  }

  on<Name extends DeviceEventName>(name: Name, listener: DeviceListener<Name>): () => void {
    if (!names.includes(name)) {
      const message = `there is no event "${String(name)}"; there are ${names.join(", ")}`;
      throw new ThinglineError("OPTION_INVALID", message, { details: { option: "on" } });
    }
    if (typeof listener !== "function") throw optionInvalid(`on.${name}`, "a function", kindOf(listener));
    this.#listeners ??= new Map();
    this.#listeners.set(name, [...this.#get(name), listener]);
    return () => this.off(name, listener);
  }

  off<Name extends DeviceEventName>(name: Name, listener: DeviceListener<Name>): void {
    const listeners = this.#get(name);
    const index = listeners.indexOf(listener);
    if (index >= 0) this.#listeners?.set(name, listeners.toSpliced(index, 1));
  }

  has(name: DeviceEventName): boolean {
    return this.#get(name).length > 0;
  }

  /** @returns undefined when every listener is done, else a promise that never rejects */
  emit<Name extends DeviceEventName>(name: Name, event: DeviceEvents[Name]): Promise<void> | undefined {
    let pending: Promise<void> | undefined;
    for (const listener of this.#get(name)) {
      const running = this.run(listener, event, name);
      if (running !== undefined) pending = pending === undefined ? running : pending.then(() => running);
    }
    return pending;
  }

  /** Calls what belongs to the application; what it throws becomes an `error` event. */
  run<Argument>(
    listener: (argument: Argument) => void | Promise<void>,
    argument: Argument,
    name: string,
  ): Promise<void> | undefined {
    try {
      const result = listener(argument);
      return result instanceof Promise ? result.catch((error: unknown) => this.#failed(error, name)) : undefined;
    } catch (error) {
      this.#failed(error, name);
      return undefined;
    }
  }

  #failed(thrown: unknown, name: string): void {
    const error = errorOf(thrown);
    if (name !== "error" && this.has("error")) {
      void this.emit("error", { error });
      return;
    }
    // Nobody listens: an unhandled rejection shows the application its own mistake.
    void Promise.reject(error);
  }

  #get<Name extends DeviceEventName>(name: Name): readonly DeviceListener<Name>[] {
    return (this.#listeners?.get(name) ?? noListeners) as unknown as readonly DeviceListener<Name>[];
  }
}

function errorOf(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(textOf(thrown), { cause: thrown });
}
