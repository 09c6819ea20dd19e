import { ThinglineError, type JsonObject, type JsonValue } from "@thingline/protocol";
import type { Clock, Http } from "@thingline/transport";
import type { Log } from "../log.js";
import {
  functionAnswerBytesMax,
  functionCallsInFlightMax,
  functionCallsQueuedMax,
  functionEventBytesMax,
  functionNameCharactersMax,
  functionsMax,
  isFunctionName,
  type CloudFunction,
  type Functions,
  type InvokeOptions,
} from "./cloud-function.js";
import { callOverHttp } from "./http-function.js";
import { functionFailed, textOf } from "./failure.js";

export interface FunctionsDependencies {
  clock: Clock;
  log: Log;
  /** Needed when a function is an endpoint. */
  http?: Http;
}

/** {@link Functions} that end with the cloud. */
export interface OpenFunctions extends Functions {
  /** Ends the calls under way with CLOSED; what a function of this process goes on with is its own. Safe to call twice. */
  close(): Promise<void>;
}

/** @throws {ThinglineError} OPTION_INVALID */
export function createFunctions(
  given: Readonly<Record<string, CloudFunction>>,
  dependencies: FunctionsDependencies,
): OpenFunctions {
  checkFunctions(given, dependencies);
  const lines = new Map(Object.entries(given).map(([name, each]) => [name, new Line(name, each, dependencies)]));
  let isClosed = false;
  const find = (nameOrArn: string): Line | undefined => {
    for (const name of namesOf(nameOrArn)) {
      const line = lines.get(name);
      if (line !== undefined) return line;
    }
    return undefined;
  };
  return {
    has: (nameOrArn) => find(nameOrArn) !== undefined,

    async invoke(nameOrArn, event, { timeoutMs, signal }) {
      if (isClosed) throw closed();
      const line = find(nameOrArn);
      if (line === undefined) {
        const name = nameOrArn.slice(0, functionNameCharactersMax);
        const message = `the local cloud was given no function "${name}"; cloud start --function NAME=URL gives it one`;
        throw new ThinglineError("FUNCTION_UNKNOWN", message, { details: { name } });
      }
      const text = JSON.stringify(event);
      const bytes = new TextEncoder().encode(text);
      if (bytes.length > functionEventBytesMax) {
        const message = `the event for function "${line.name}" has ${bytes.length} bytes, more than ${functionEventBytesMax}`;
        throw new ThinglineError("LIMIT_EXCEEDED", message, { details: { functionEventBytesMax } });
      }
      return line.call(bytes, { timeoutMs, ...(signal !== undefined && { signal }) });
    },

    async close() {
      isClosed = true;
      await Promise.all([...lines.values()].map((line) => line.close()));
    },
  };
}

/** A function, and the calls that it is in the middle of. */
class Line {
  readonly name: string;
  readonly #function: CloudFunction;
  readonly #dependencies: FunctionsDependencies;
  readonly #waiting: (() => void)[] = [];
  readonly #calls = new Map<Deadline, Promise<unknown>>();
  #inFlight = 0;

  constructor(name: string, given: CloudFunction, dependencies: FunctionsDependencies) {
    this.name = name;
    this.#function = given;
    this.#dependencies = dependencies;
  }

  async call(event: Uint8Array, limits: InvokeOptions): Promise<JsonValue> {
    if (this.#inFlight >= functionCallsInFlightMax && this.#waiting.length >= functionCallsQueuedMax) {
      this.#dependencies.log.warn("limitHit", { limit: "functionCallsQueuedMax", function: this.name });
      const message = `more than ${functionCallsQueuedMax} calls of function "${this.name}" wait`;
      throw new ThinglineError("LIMIT_EXCEEDED", message, { details: { functionCallsQueuedMax } });
    }
    const over = new Deadline(this.#dependencies.clock, this.name, limits);
    const call = this.#call(event, over);
    this.#calls.set(over, call);
    try {
      return await call;
    } finally {
      this.#calls.delete(over);
      over.end();
    }
  }

  async close(): Promise<void> {
    const calls = [...this.#calls];
    for (const [over] of calls) over.abort(closed());
    await Promise.allSettled(calls.map(([, call]) => call));
  }

  async #call(event: Uint8Array, over: Deadline): Promise<JsonValue> {
    await this.#turn(over);
    // Its timer may be due in this very moment, and not have come yet: nobody would hear the answer.
    const work = over.leftMs > 0 ? this.#work(event, over) : over.unless(new Promise<never>(() => undefined));
    // The place is given back when the work ends, which may be after nobody waits for it.
    const leave = (): void => this.#leave();
    work.then(leave, leave);
    return over.unless(work);
  }

  #turn(over: Deadline): Promise<void> {
    if (this.#inFlight < functionCallsInFlightMax) {
      this.#inFlight++;
      return Promise.resolve();
    }
    let enter: () => void = () => undefined;
    const turn = new Promise<void>((resolve) => (enter = resolve));
    this.#waiting.push(enter);
    return over.unless(turn).catch((error: unknown) => {
      const at = this.#waiting.indexOf(enter);
      // Its turn may have come in the same moment: the place is for the next one.
      if (at < 0) this.#leave();
      else this.#waiting.splice(at, 1);
      throw error;
    });
  }

  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#inFlight--;
    else next();
  }

  async #work(event: Uint8Array, over: Deadline): Promise<JsonValue> {
    const { http, clock } = this.#dependencies;
    if (typeof this.#function !== "function") {
      if (http === undefined) throw new Error("checked when it was made: an endpoint needs HTTP");
      return callOverHttp({ name: this.name, url: this.#function.url, http, clock }, event, over);
    }
    // A copy: what the function does with its event is its own.
    const own = JSON.parse(new TextDecoder().decode(event)) as JsonObject;
    let answer: unknown;
    try {
      answer = await this.#function(own, { signal: over.signal });
    } catch (error) {
      throw functionFailed(this.name, `it threw ${textOf(error)}`, error);
    }
    return asJson(this.name, answer);
  }
}

/** What ends the waiting for a call: its time, its caller, the cloud. */
class Deadline {
  readonly #clock: Clock;
  readonly #atMs: number;
  readonly #controller = new AbortController();
  readonly #stop: () => void;

  constructor(clock: Clock, name: string, { timeoutMs, signal }: InvokeOptions) {
    this.#clock = clock;
    this.#atMs = clock.monotonicMs() + timeoutMs;
    const timer = clock.setTimer(timeoutMs, () => {
      const message = `function "${name}" gave no answer within ${timeoutMs} ms`;
      this.abort(new ThinglineError("TIMEOUT", message, { details: { name, timeoutMs } }));
    });
    const aborted = (): void => {
      const message = `the call of function "${name}" was aborted`;
      this.abort(new ThinglineError("ABORTED", message, { cause: signal?.reason }));
    };
    if (signal?.aborted === true) aborted();
    else signal?.addEventListener("abort", aborted, { once: true });
    this.#stop = () => {
      timer.cancel();
      signal?.removeEventListener("abort", aborted);
    };
  }

  abort(reason: ThinglineError): void {
    this.#controller.abort(reason);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get leftMs(): number {
    return this.#atMs - this.#clock.monotonicMs();
  }

  /** @throws {ThinglineError} TIMEOUT, ABORTED, CLOSED, and what the work throws, whichever is first */
  async unless<T>(work: Promise<T>): Promise<T> {
    const { signal } = this;
    let stop: () => void = () => undefined;
    const over = new Promise<never>((_, reject) => {
      const abort = (): void => reject(signal.reason as Error);
      if (signal.aborted) return abort();
      signal.addEventListener("abort", abort, { once: true });
      stop = () => signal.removeEventListener("abort", abort);
    });
    try {
      return await Promise.race([over, work]);
    } finally {
      stop();
      // The one that came too late has nobody to tell.
      work.catch(() => undefined);
    }
  }

  end(): void {
    this.#stop();
  }
}

/** As it would have come over HTTP. */
function asJson(name: string, answer: unknown): JsonValue {
  let text: string | undefined;
  try {
    text = JSON.stringify(answer ?? null) as string | undefined;
  } catch (error) {
    throw functionFailed(name, `its answer cannot be written as JSON: ${textOf(error)}`, error);
  }
  if (text === undefined) throw functionFailed(name, "its answer cannot be written as JSON");
  if (text.length > functionAnswerBytesMax)
    throw functionFailed(name, `its answer has more than ${functionAnswerBytesMax} bytes`);
  return JSON.parse(text) as JsonValue;
}

/** The names under which a function may have been given, most precise first. */
function namesOf(nameOrArn: string): string[] {
  if (nameOrArn.length > functionNameCharactersMax) return [];
  const parts = nameOrArn.split(":");
  if (parts[0] !== "arn" || parts[2] !== "lambda" || parts[5] !== "function") return [nameOrArn];
  const [name = "", qualifier] = parts.slice(6);
  const whole = parts.slice(0, 7).join(":");
  return qualifier === undefined ? [whole, name] : [nameOrArn, whole, `${name}:${qualifier}`, name];
}

function checkFunctions(given: Readonly<Record<string, CloudFunction>>, { http }: FunctionsDependencies): void {
  const all = Object.entries(given);
  const invalid = (message: string) =>
    new ThinglineError("OPTION_INVALID", `functions: ${message}`, { details: { option: "functions" } });
  if (all.length > functionsMax) throw invalid(`at most ${functionsMax}, got ${all.length}`);
  for (const [name, each] of all) {
    if (!isFunctionName(name))
      throw invalid(`a name has letters, digits, - and _, or is an ARN, got "${name.slice(0, 100)}"`);
    if (typeof each === "function") continue;
    const url: unknown = (each as { url?: unknown } | null | undefined)?.url;
    if (typeof url !== "string" || !/^https?:\/\/[^\s/@?#]+(?:[/?][\x21\x22\x24-\x7e]*)?$/u.test(url))
      throw invalid(`"${name}" must be a function, or { url } with an http or https URL without user and fragment`);
    if (http === undefined)
      throw invalid(`"${name}" is an endpoint, and createCloud() was given no http to call it with`);
  }
}

const closed = () => new ThinglineError("CLOSED", "the cloud closes, and calls its functions no more");
