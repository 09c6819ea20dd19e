import { kindOf, optionInvalid, ThinglineError } from "@thingline/protocol";
import { textOf } from "../errors.js";
import type { RotationEventName, RotationEvents, RotationListener, RotationListeners } from "./types.js";

const names: readonly RotationEventName[] = [
  "rotationStarted",
  "rotationStep",
  "rotated",
  "rotationFailed",
  "oldCredentialsDeleted",
  "wentBack",
  "certificateEnding",
  "error",
];

/** Listeners of a rotation. They are called at once; one that throws stops nothing. */
export class RotationEventHub {
  readonly #listeners = new Map<RotationEventName, readonly RotationListener<never>[]>();

  /** @throws {ThinglineError} OPTION_INVALID */
  constructor(first: RotationListeners = {}) {
    for (const name of Object.keys(first)) {
      const listener = first[name as RotationEventName];
      if (listener !== undefined) this.on(name as RotationEventName, listener as RotationListener<RotationEventName>);
    }
  }

  /** @throws {ThinglineError} OPTION_INVALID */
  on<Name extends RotationEventName>(name: Name, listener: RotationListener<Name>): () => void {
    if (!names.includes(name)) throw optionInvalid("on", `one of ${names.join(", ")}`, String(name));
    if (typeof listener !== "function") throw optionInvalid(`on.${name}`, "a function", kindOf(listener));
    this.#listeners.set(name, [...this.#get(name), listener]);
    return () => {
      const listeners = this.#get(name);
      const index = listeners.indexOf(listener);
      if (index >= 0) this.#listeners.set(name, listeners.toSpliced(index, 1));
    };
  }

  emit<Name extends RotationEventName>(name: Name, event: RotationEvents[Name]): void {
    for (const listener of this.#get(name)) {
      try {
        listener(event);
      } catch (thrown) {
        if (name === "error") continue;
        const message = `a listener of "${name}" threw ${textOf(thrown)}`;
        this.emit("error", { error: new ThinglineError("ADAPTER_FAILED", message, { cause: thrown }) });
      }
    }
  }

  #get<Name extends RotationEventName>(name: Name): readonly RotationListener<Name>[] {
    return (this.#listeners.get(name) ?? []) as readonly RotationListener<Name>[];
  }
}
