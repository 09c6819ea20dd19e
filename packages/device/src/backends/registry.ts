import { kindOf, optionInvalid, ThinglineError } from "@thingline/protocol";
import type { CloudBackend, CloudConfig, CloudHandler } from "./types.js";

/** Backends by name, and the one in use. */
export interface BackendRegistry {
  readonly names: readonly string[];
  /** The backend that {@link use} chose last; undefined before, and after {@link close}. */
  readonly current: CloudBackend | undefined;
  /** By its exact name, upper and lower case as given, as `cloud_get_binding` of the original. @throws {ThinglineError} BACKEND_UNKNOWN */
  get(name: string): CloudBackend;
  /**
   * Ends the backend in use, which loses nothing that was acknowledged, and initialises the named one, for the application to
   * connect. Calls wait for each other. If it cannot be initialised none is in use.
   *
   * @throws {ThinglineError} BACKEND_UNKNOWN: the one in use stays; else as {@link CloudBackend.init}.
   */
  use(name: string, handler: CloudHandler, config?: CloudConfig): Promise<CloudBackend>;
  /** Ends the backend in use. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * The backends of an application, to choose from at run time, for example by `CONFIG_CLOUD_BACKEND`.
 *
 * @throws {ThinglineError} OPTION_INVALID: none, or two of the same name
 */
export function createBackendRegistry(backends: Iterable<CloudBackend>): BackendRegistry {
  if (typeof backends !== "object" || (backends as unknown) === null || !(Symbol.iterator in backends)) {
    throw optionInvalid("backends", "a list of backends", kindOf(backends));
  }
  const byName = new Map<string, CloudBackend>();
  for (const backend of backends) {
    checkBackend(backend);
    if (byName.has(backend.name)) throw optionInvalid("backends", "each name once", `"${backend.name}" twice`);
    byName.set(backend.name, backend);
  }
  if (byName.size === 0) throw optionInvalid("backends", "at least one backend", "none");
  return new Registry(byName);
}

function checkBackend(backend: unknown): void {
  const { name, init, uninit } = (backend ?? {}) as Partial<CloudBackend>;
  if (typeof name === "string" && typeof init === "function" && typeof uninit === "function") return;
  throw optionInvalid("backends", "backends, as createCloudBackend() makes them", kindOf(backend));
}

class Registry implements BackendRegistry {
  readonly #byName: ReadonlyMap<string, CloudBackend>;
  #current: CloudBackend | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(byName: ReadonlyMap<string, CloudBackend>) {
    this.#byName = byName;
  }

  get names(): readonly string[] {
    return [...this.#byName.keys()];
  }

  get current(): CloudBackend | undefined {
    return this.#current;
  }

  get(name: string): CloudBackend {
    const backend = this.#byName.get(name);
    if (backend !== undefined) return backend;
    const message = `there is no backend "${name}"; there are ${this.names.join(", ")}`;
    throw new ThinglineError("BACKEND_UNKNOWN", message, { details: { name } });
  }

  async use(name: string, handler: CloudHandler, config?: CloudConfig): Promise<CloudBackend> {
    const backend = this.get(name);
    return this.#inTurn(async () => {
      await this.#end();
      await backend.init(handler, config);
      this.#current = backend;
      return backend;
    });
  }

  close(): Promise<void> {
    return this.#inTurn(() => this.#end());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #end(): Promise<void> {
    const current = this.#current;
    // One that cannot be ended stays the one in use.
    if (current?.isInitialised === true) await current.uninit();
    this.#current = undefined;
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#last.then(work, work);
    this.#last = result.catch(() => undefined);
    return result;
  }
}
