import { jobsTopic, notifiedExecutionsMax, type JobExecutionSummary } from "@thingline/protocol/jobs";
import { settleJob } from "./advance.js";
import { documentOf, type JobDocuments } from "./documents.js";
import { composeEvents } from "./events.js";
import { bytesOver, jobMessageBytesMax } from "./message-size.js";
import type { Effect, Outcome } from "../operation.js";
import type { JobsUnit } from "./unit.js";
import { executionOf, secondsOf, summaryOf, withJson } from "./views.js";

/** What everybody is told of what a unit did, and what follows from it, in one outcome. */
export async function conclude<Result>(
  unit: JobsUnit,
  result: Result,
  documents: JobDocuments,
): Promise<Outcome<Result>> {
  for (const job of unit.jobs) await settleJob(unit, job);
  const told: Effect[] = [];
  for (const thingName of unit.touchedThings) told.push(...(await notify(unit, thingName, documents)));
  told.push(...(await composeEvents(unit)));
  return unit.outcome(result, told);
}

/**
 * `notify` when the list of what is pending has other executions in it, `notify-next` when another one is the first. So the start of the first
 * says neither, and a later one that is started becomes the first.
 *
 * @see AWS IoT developer guide, "Jobs notifications"
 */
async function notify(unit: JobsUnit, thingName: string, documents: JobDocuments): Promise<Effect[]> {
  const { isListChanged, isFirstChanged, executions } = await unit.queueChange(thingName);
  const timestamp = secondsOf(unit.nowMs);
  const effects: Effect[] = [];
  const ofStatus = async (status: "IN_PROGRESS" | "QUEUED") =>
    executions === undefined
      ? unit.pending(thingName, status, notifiedExecutionsMax)
      : executions.filter((one) => one.status === status).slice(0, notifiedExecutionsMax);
  if (isListChanged) {
    const jobs: Partial<Record<"IN_PROGRESS" | "QUEUED", JobExecutionSummary[]>> = {};
    for (const status of ["IN_PROGRESS", "QUEUED"] as const) {
      const listed = await ofStatus(status);
      if (listed.length > 0) jobs[status] = listed.map(summaryOf);
    }
    effects.push(publish(jobsTopic({ thingName, type: "notify" }), () => JSON.stringify({ timestamp, jobs })));
  }
  if (isFirstChanged) {
    const first = (await ofStatus("IN_PROGRESS"))[0] ?? (await ofStatus("QUEUED"))[0];
    const job = first && (await unit.job(first.jobId));
    const document = job && (await documentOf(unit, job, documents));
    const compose = () => {
      if (first === undefined || document === undefined) return JSON.stringify({ timestamp });
      const execution = executionOf(first, unit.nowMs);
      const text = withJson({ timestamp }, "execution", withJson(execution, "jobDocument", document));
      // URLs may have become longer since the job was made. Whoever asks for the document is told why it does not come.
      return bytesOver(text, jobMessageBytesMax) === undefined ? text : JSON.stringify({ timestamp, execution });
    };
    effects.push(publish(jobsTopic({ thingName, type: "notify-next" }), compose));
  }
  return effects;
}

const encoder = new TextEncoder();

/** The text is made when somebody wants the message. */
export function publish(topic: string, compose: () => string, onlyToClientId?: string): Effect {
  const payload = () => encoder.encode(compose());
  return { type: "publish", topic, payload, qos: 1, ...(onlyToClientId !== undefined && { onlyToClientId }) };
}
