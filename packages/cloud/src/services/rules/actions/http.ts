import { isThinglineError, ThinglineError } from "@thingline/protocol";
import { isBytes } from "../../../rules-sql/index.js";
import { findDestinationOf, type FoundDestination } from "../destination-of.js";
import type { FilledFields } from "../prepared.js";
import { textOf, type ActionPerformer } from "./perform.js";

/** All attempts together, as AWS. */
export const httpActionTimeoutMs = 3_000;
/** Attempts, as AWS: another only after 429 and what is from 500. */
export const httpAttemptsMax = 3;
/** Of an answer, which nobody reads. */
const answerBytesMax = 65_536;

export const http: ActionPerformer = {
  resourceOf: (fields) => textOf(fields, "url"),

  async perform({ fields, selected, scope, runner, signal }, { http: client, clock }) {
    const url = requireUrl(textOf(fields, "url"));
    if (client === undefined) throw new ThinglineError("DEPENDENCY_MISSING", "this cloud was given no HTTP");
    const destination = await runner.run(scope, findDestinationOf, { url, confirmationUrl: fields["confirmationUrl"] });
    requireEnabled(destination, url);
    const headers = headersOf(fields, !isBytes(selected.value));
    const endMs = clock.monotonicMs() + httpActionTimeoutMs;
    let status = 0;
    for (let attempt = 1; attempt <= httpAttemptsMax; attempt++) {
      const request = { method: "POST", url, headers, body: selected.payload };
      const timeoutMs = Math.max(1, endMs - clock.monotonicMs());
      const answer = await client.request(request, { timeoutMs, bodyBytesMax: answerBytesMax, signal });
      status = answer.status;
      if (status < 300) return;
      if (status !== 429 && status < 500) break;
    }
    throw new ThinglineError("CONNECTION_REFUSED", `the endpoint answered ${status}`, { details: { status } });
  },
};

function requireUrl(text: string): string {
  try {
    const { protocol } = new URL(text);
    if (protocol === "https:" || protocol === "http:") return text;
  } catch (error) {
    if (!(error instanceof TypeError) && !isThinglineError(error)) throw error;
  }
  throw new ThinglineError("REQUEST_INVALID", `"${text.slice(0, 300)}" is no http or https URL`);
}

/** One that nobody made needs no confirmation here; AWS asks for it. One that is there has to be enabled. */
function requireEnabled(destination: FoundDestination | undefined, url: string): void {
  if (destination === undefined || destination.status === "ENABLED") return;
  const why = `the destination ${destination.confirmationUrl} of ${url} is ${destination.status}`;
  throw new ThinglineError("REQUEST_FORBIDDEN", why, { details: { status: destination.status } });
}

function headersOf(fields: FilledFields, isJson: boolean): Record<string, string> {
  const headers: Record<string, string> = { "content-type": isJson ? "application/json" : "application/octet-stream" };
  const given = fields["headers"];
  if (Array.isArray(given)) {
    for (const pair of given as FilledFields[]) headers[textOf(pair, "key").toLowerCase()] = textOf(pair, "value");
  }
  return headers;
}
