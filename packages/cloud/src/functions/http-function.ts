import { isRecord, isThinglineError, type JsonValue } from "@thingline/protocol";
import type { Clock, Http, HttpResponse } from "@thingline/transport";
import { functionAnswerBytesMax } from "./cloud-function.js";
import { functionFailed, textOf } from "./failure.js";

/** Further attempts to reach an endpoint at which nobody listens: it may be starting. */
export const functionRetriesMax = 2;
/** Before the first of them; twice as long before each further one. */
export const functionRetryDelayMs = 100;

export interface HttpFunction {
  name: string;
  url: string;
  http: Http;
  clock: Clock;
}

/**
 * POST of the event. A request is sent once: it is tried again only when no connection came about, so that it cannot have been heard. A
 * redirection is followed nowhere: it is an answer that is no result.
 *
 * @throws {ThinglineError} FUNCTION_FAILED, TIMEOUT, ABORTED
 */
export async function callOverHttp(
  { name, url, http, clock }: HttpFunction,
  event: Uint8Array,
  limits: { readonly signal: AbortSignal; readonly leftMs: number },
): Promise<JsonValue> {
  const request = { method: "POST", url, headers: { "content-type": "application/json" }, body: event };
  for (let retry = 0; ; retry++) {
    const options = {
      signal: limits.signal,
      timeoutMs: Math.max(1, limits.leftMs),
      bodyBytesMax: functionAnswerBytesMax,
    };
    let response: HttpResponse;
    try {
      response = await http.request(request, options);
    } catch (error) {
      if (isThinglineError(error, "TIMEOUT") || isThinglineError(error, "ABORTED")) throw error;
      if (retry >= functionRetriesMax || !isThinglineError(error, "CONNECTION_REFUSED"))
        throw functionFailed(name, isThinglineError(error) ? error.message : textOf(error), error);
      await clock.sleep(functionRetryDelayMs * 2 ** retry, { signal: limits.signal });
      continue;
    }
    return resultOf(name, response);
  }
}

function resultOf(name: string, { status, headers, body }: HttpResponse): JsonValue {
  if (status < 200 || status > 299) throw functionFailed(name, `its endpoint answered with status ${status}`);
  if (body.length === 0) return null;
  let result: JsonValue;
  try {
    result = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body)) as JsonValue;
  } catch (error) {
    throw functionFailed(name, "its endpoint answered with something else than JSON", error);
  }
  // So an emulator of Lambda answers when the handler has thrown.
  const { errorType, errorMessage } = isRecord(result) ? result : {};
  const isThrown = typeof errorType === "string" && typeof errorMessage === "string";
  if (!isThrown && headers["x-amz-function-error"] === undefined) return result;
  throw functionFailed(name, isThrown ? `it threw ${textOf(`${errorType}: ${errorMessage}`)}` : "it threw");
}
