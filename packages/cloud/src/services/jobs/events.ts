import { isEventTypeEnabled } from "../registry/index.js";
import type { Effect } from "../operation.js";
import { arnOf } from "./model.js";
import type { EndedExecution, JobChange, JobsUnit } from "./unit.js";
import { secondsOf } from "./views.js";

/** Events of jobs and executions, where UpdateEventConfigurations has switched them on. @see AWS IoT developer guide, "Jobs events" */
export async function composeEvents(unit: JobsUnit): Promise<Effect[]> {
  const { ended, jobChanges, context } = unit;
  const isExecutionTold = ended.length > 0 && (await context.call(isEventTypeEnabled, { eventType: "JOB_EXECUTION" }));
  const isJobTold = jobChanges.length > 0 && (await context.call(isEventTypeEnabled, { eventType: "JOB" }));
  const ofJobs = isJobTold ? jobChanges : [];
  const isBegin = ({ operation }: JobChange): boolean => operation.endsWith("_in_progress");
  return [
    ...ofJobs.filter(isBegin).map((one) => jobEvent(unit, one)),
    ...(isExecutionTold ? ended.map((one) => executionEvent(unit, one)) : []),
    ...ofJobs.filter((one) => !isBegin(one)).map((one) => jobEvent(unit, one)),
  ];
}

const statuses: Readonly<Record<JobChange["operation"], string>> = {
  completed: "COMPLETED",
  canceled: "CANCELED",
  deleted: "DELETED",
  cancellation_in_progress: "CANCELLATION_IN_PROGRESS",
  deletion_in_progress: "DELETION_IN_PROGRESS",
};

/** The time of the event is in seconds, those of the job are in milliseconds, as AWS's examples have them. */
function jobEvent({ context, nowMs }: JobsUnit, { job, operation }: JobChange): Effect {
  const { jobId, definition, progress } = job;
  const { completedAtMs, comment, counts } = progress;
  const isCompleted = operation === "completed";
  const event = {
    eventType: "JOB",
    eventId: context.random.uuid(),
    timestamp: secondsOf(nowMs),
    operation,
    jobId,
    status: statuses[operation],
    targetSelection: definition.targetSelection,
    targets: definition.targets,
    ...(definition.description !== undefined && { description: definition.description }),
    ...(comment !== undefined && { comment }),
    ...(isCompleted && completedAtMs !== undefined && { completedAt: completedAtMs }),
    createdAt: definition.createdAtMs,
    lastUpdatedAt: progress.lastUpdatedAtMs,
    ...(isCompleted && {
      jobProcessDetails: {
        numberOfCanceledThings: counts.CANCELED,
        numberOfRejectedThings: counts.REJECTED,
        numberOfFailedThings: counts.FAILED,
        numberOfRemovedThings: counts.REMOVED,
        numberOfSucceededThings: counts.SUCCEEDED,
      },
    }),
  };
  return publishEvent(`$aws/events/job/${jobId}/${operation}`, event);
}

function executionEvent({ context, nowMs, scope }: JobsUnit, { execution, operation }: EndedExecution): Effect {
  const { jobId, thingName, statusDetails } = execution;
  const event = {
    eventType: "JOB_EXECUTION",
    eventId: context.random.uuid(),
    timestamp: secondsOf(nowMs),
    operation,
    jobId,
    thingArn: arnOf.thing(scope, thingName),
    status: operation.toUpperCase(),
    ...(statusDetails !== undefined && { statusDetails }),
  };
  return publishEvent(`$aws/events/jobExecution/${jobId}/${operation}`, event);
}

const encoder = new TextEncoder();

function publishEvent(topic: string, event: object): Effect {
  return { type: "publish", topic, payload: () => encoder.encode(JSON.stringify(event)), qos: 1 };
}
