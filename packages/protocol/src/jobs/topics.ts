/** In place of a job id, for a get: the first of the pending executions. */
export const nextJobId = "$next";

/** What a device asks for. `describe` is `<jobId>/get`, as AWS's API calls it. */
export type JobsRequestType = "get" | "start-next" | "describe" | "update";
export type JobsOutcome = "accepted" | "rejected";

/** A topic of a thing's jobs. The names in it are not checked. */
export type JobsTopic =
  | { readonly thingName: string; readonly type: "get" | "start-next"; readonly outcome?: JobsOutcome | undefined }
  | {
      readonly thingName: string;
      readonly type: "describe" | "update";
      /** May be {@link nextJobId}. */
      readonly jobId: string;
      readonly outcome?: JobsOutcome | undefined;
    }
  | { readonly thingName: string; readonly type: "notify" | "notify-next" };

/** `$aws/things/<thingName>/jobs/…`: a request; with `outcome`, its answer; or a notification. */
export function jobsTopic(topic: JobsTopic): string {
  const base = `$aws/things/${topic.thingName}/jobs/`;
  const outcome = "outcome" in topic && topic.outcome !== undefined ? `/${topic.outcome}` : "";
  if (!("jobId" in topic)) return base + topic.type + outcome;
  return `${base}${topic.jobId}/${topic.type === "update" ? "update" : "get"}${outcome}`;
}

/** All requests of all things. */
export const jobsRequestFilters: readonly string[] = [
  "$aws/things/+/jobs/get",
  "$aws/things/+/jobs/start-next",
  "$aws/things/+/jobs/+/get",
  "$aws/things/+/jobs/+/update",
];

const jobsTopicPattern = /^\$aws\/things\/([^/]+)\/jobs\/(?:([^/]+)\/)??([a-z-]+)(?:\/(accepted|rejected))?$/u;

/** @returns undefined for what is no topic of a thing's jobs. A job may be called `get`: `jobs/get` remains the request for the list. */
export function parseJobsTopic(topic: string): JobsTopic | undefined {
  const [, thingName, jobId, last, outcome] = jobsTopicPattern.exec(topic) ?? [];
  if (thingName === undefined) return undefined;
  const answer = outcome === undefined ? {} : { outcome: outcome as JobsOutcome };
  if (jobId !== undefined) {
    if (last === "get") return { thingName, type: "describe", jobId, ...answer };
    return last === "update" ? { thingName, type: "update", jobId, ...answer } : undefined;
  }
  if (last === "get" || last === "start-next") return { thingName, type: last, ...answer };
  const isNotification = (last === "notify" || last === "notify-next") && outcome === undefined;
  return isNotification ? { thingName, type: last } : undefined;
}
