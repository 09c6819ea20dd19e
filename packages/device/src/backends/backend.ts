import { checkOptionTypes, kindOf, optionInvalid, type OptionTypes, ThinglineError } from "@thingline/protocol";
import type { PollOptions, PollResult } from "../connection/held-input.js";
import type { CloudBackend, CloudConfig, CloudEndpoint, CloudHandler, CloudMessage, CloudOperations } from "./types.js";

/**
 * A backend of one's own from what it can do, as `CLOUD_BACKEND_DEFINE` of the original. The order of calls is seen to here.
 *
 * @throws {ThinglineError} OPTION_INVALID: an empty name
 */
export function createCloudBackend(name: string, operations: CloudOperations): CloudBackend {
  if (typeof name !== "string" || name === "")
    throw optionInvalid("name", "a name", name === "" ? "an empty one" : kindOf(name));
  checkOperations(operations);
  return new Backend(name, operations);
}

const operationTypes = {
  init: "function",
  uninit: "function",
  connect: "function",
  disconnect: "function",
  send: "function",
  ping: "function",
  keepAliveTimeLeftMs: "function",
  poll: "function",
  input: "function",
  subscriptionsAdd: "function",
  subscriptionsRemove: "function",
} as const satisfies OptionTypes<CloudOperations>;

/** They may be an object of a class, with members of its own: types alone, and not names. */
function checkOperations(operations: CloudOperations): void {
  const given = operations as unknown;
  if (typeof given !== "object" || given === null) throw optionInvalid("operations", "an object", kindOf(given));
  const known = Object.keys(operationTypes).filter((name) => name in given);
  const found = known.map((name) => [name, (given as Record<string, unknown>)[name]]);
  checkOptionTypes(Object.fromEntries(found), operationTypes, {
    of: "createCloudBackend()",
    prefix: "operations.",
    required: ["init"],
  });
}

class Backend implements CloudBackend {
  readonly name: string;
  readonly #operations: CloudOperations;
  #state: "idle" | "initialising" | "initialised" | "ending" = "idle";
  #userData: unknown;

  constructor(name: string, operations: CloudOperations) {
    this.name = name;
    this.#operations = operations;
  }

  get isInitialised(): boolean {
    return this.#state === "initialised";
  }

  get userData(): unknown {
    return this.#userData;
  }

  set userData(data: unknown) {
    if (data === undefined) throw optionInvalid("userData", "something", "undefined");
    this.#userData = data;
  }

  async init(handler: CloudHandler, config: CloudConfig = {}): Promise<void> {
    if (typeof handler !== "function") throw optionInvalid("handler", "a function", kindOf(handler));
    checkOptionTypes(config, { clientId: "string" }, { of: "init()" });
    if (this.#state !== "idle") {
      throw new ThinglineError("ALREADY_INITIALISED", `the backend ${this.name} is initialised: uninit() it first`);
    }
    this.#state = "initialising";
    try {
      await this.#operations.init(config, handler);
      this.#state = "initialised";
    } finally {
      if (this.#state === "initialising") this.#state = "idle";
    }
  }

  async uninit(): Promise<void> {
    this.#require("uninit");
    this.#state = "ending";
    try {
      await this.#operations.uninit?.();
    } finally {
      this.#state = "idle";
    }
  }

  async connect(): Promise<void> {
    await this.#require("connect").connect?.();
  }

  async disconnect(): Promise<void> {
    await this.#require("disconnect").disconnect?.();
  }

  async send(message: CloudMessage): Promise<void> {
    await this.#require("send").send?.(message);
  }

  ping(): void {
    this.#require().ping?.();
  }

  keepAliveTimeLeftMs(): number {
    return this.#require().keepAliveTimeLeftMs?.() ?? Infinity;
  }

  async poll(options?: PollOptions): Promise<PollResult> {
    return (await this.#require("poll").poll?.(options)) ?? "invalid";
  }

  input(): void {
    this.#require("input").input?.();
  }

  async subscriptionsAdd(endpoints: readonly CloudEndpoint[]): Promise<void> {
    await this.#require("subscriptionsAdd").subscriptionsAdd?.(endpoints);
  }

  async subscriptionsRemove(endpoints: readonly CloudEndpoint[]): Promise<void> {
    await this.#require("subscriptionsRemove").subscriptionsRemove?.(endpoints);
  }

  /** @throws {ThinglineError} NOT_INITIALISED, BACKEND_UNSUPPORTED */
  #require(operation?: keyof CloudOperations): CloudOperations {
    if (this.#state !== "initialised") {
      throw new ThinglineError("NOT_INITIALISED", `the backend ${this.name} is not initialised: init() comes first`, {
        details: { backend: this.name, connectResult: "notInitialised" },
      });
    }
    if (operation !== undefined && this.#operations[operation] === undefined) throw unsupported(this.name, operation);
    return this.#operations;
  }
}

/** @param what an operation, or an endpoint of `send()` */
export function unsupported(backend: string, what: string): ThinglineError {
  return new ThinglineError("BACKEND_UNSUPPORTED", `the backend ${backend} does not support ${what}`, {
    details: { backend, what, connectResult: "invalidParameter" },
  });
}
