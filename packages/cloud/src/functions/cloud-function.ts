import type { JsonObject, JsonValue } from "@thingline/protocol";

/**
 * What AWS would call by the ARN of a Lambda function: a function of this process, or an endpoint that gets the event with POST as JSON
 * and answers 200 with the result as JSON.
 *
 * A function of this process that does not heed `signal` keeps its place among the calls until it ends, however long ago its caller gave up.
 */
export type CloudFunction = ((event: JsonObject, context: CloudFunctionContext) => unknown) | { readonly url: string };

export interface CloudFunctionContext {
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

export interface InvokeOptions {
  /** From the call to the answer, with the time that it waits for its turn. */
  timeoutMs: number;
  signal?: AbortSignal;
}

/** The functions that a cloud was given, as its services call them. */
export interface Functions {
  /** By the name of a function or its ARN, with a version or an alias or without. */
  has(nameOrArn: string): boolean;
  /**
   * @param nameOrArn as in {@link has}
   * @param event at most {@link functionEventBytesMax} as JSON
   * @returns what the function answered, at most {@link functionAnswerBytesMax} as JSON; null for nothing
   * @throws {ThinglineError} FUNCTION_UNKNOWN; FUNCTION_FAILED when it threw, could not be reached or answered something else than JSON; TIMEOUT;
   * LIMIT_EXCEEDED when too many calls wait, or for an event that is too long; ABORTED; CLOSED.
   */
  invoke(nameOrArn: string, event: JsonObject, options: InvokeOptions): Promise<JsonValue>;
}

/** Functions of one cloud. */
export const functionsMax = 100;
/** Calls of one function that are under way. */
export const functionCallsInFlightMax = 16;
/** Calls of one function that wait for one of those to end. */
export const functionCallsQueuedMax = 1_000;
export const functionEventBytesMax = 262_144;
export const functionAnswerBytesMax = 262_144;
/** Characters of a name or an ARN. AWS: 140 of a name, 170 of an ARN. */
export const functionNameCharactersMax = 256;

/** Whether a function may be given under this name, which may be an ARN. */
export const isFunctionName = (name: string): boolean =>
  name.length <= functionNameCharactersMax && /^[\w:./$-]+$/u.test(name);
