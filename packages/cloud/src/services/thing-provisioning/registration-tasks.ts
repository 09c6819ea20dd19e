import { ThinglineError } from "@thingline/protocol";
import { parseTemplate } from "../../provisioning-template/index.js";
import { awsOperation } from "../aws-operation.js";
import type { ObjectsService } from "../objects/index.js";
import { answer, type Effect, type OperationContext } from "../operation.js";
import { lastName, readPage } from "../page.js";
import {
  findTask,
  isOver,
  noProgress,
  registrationKeys,
  registrationTasksMax,
  reportLinkSeconds,
  reportObject,
  requireTask,
  wakeTask,
  type RegistrationProgress,
  type RegistrationStatus,
  type RegistrationTaskRecord,
} from "./model.js";

const invalid = (message: string) => new ThinglineError("REQUEST_INVALID", message);

/** One task at a time in an account and region, as AWS has it. What is wrong with its input file is found out by its first step. */
export const startThingRegistrationTask = awsOperation(
  "iot",
  "StartThingRegistrationTask",
  ["templateBody", "inputFileBucket", "inputFileKey", "roleArn"],
  async (context, input) => {
    const { scope, store, nowMs, random } = context;
    parseTemplate(input.templateBody, { kind: "bulk" });
    const running = await store.get<string>(registrationKeys.running(scope));
    if (running !== undefined) {
      throw invalid(`Thing registration task ${running.value} is running: one can run at a time`);
    }
    const { templateBody, inputFileBucket, inputFileKey, roleArn } = input;
    const taskId = random.uuid();
    const task: RegistrationTaskRecord = {
      ...{ taskId, templateBody, inputFileBucket, inputFileKey, roleArn },
      createdAtMs: nowMs,
    };
    const progress: RegistrationProgress = { ...noProgress, status: "InProgress", modifiedAtMs: nowMs };
    return {
      result: { taskId },
      operations: [
        { key: registrationKeys.running(scope), expectedRevision: 0, value: taskId },
        { key: registrationKeys.task(scope, taskId), expectedRevision: 0, value: task },
        { key: registrationKeys.progress(scope, taskId), expectedRevision: 0, value: progress },
        { key: registrationKeys.taskByTime(scope, task), value: null },
      ],
      effects: [wakeTask("step", taskId, nowMs), ...(await forgetOldest(context))],
    };
  },
);

async function forgetOldest({ scope, store, nowMs }: OperationContext): Promise<Effect[]> {
  const known = await store.list(registrationKeys.tasksByTime(scope), { limit: registrationTasksMax });
  const [oldest] = known;
  if (oldest === undefined || known.length < registrationTasksMax) return [];
  return [wakeTask("forget", lastName(oldest.key), nowMs)];
}

export const describeThingRegistrationTask = awsOperation(
  "iot",
  "DescribeThingRegistrationTask",
  ["taskId"],
  async (context, { taskId }) => {
    const { task, progress } = await requireTask(context, taskId);
    const { createdAtMs, ...asked } = task;
    const { status, message, modifiedAtMs, successCount, failureCount } = progress.value;
    return answer({
      ...asked,
      ...{ creationDate: createdAtMs / 1_000, lastModifiedDate: modifiedAtMs / 1_000, status },
      ...(message !== undefined && { message }),
      ...{ successCount, failureCount, percentageProgress: percentageOf(progress.value) },
    });
  },
);

function percentageOf({ status, input, offset }: RegistrationProgress): number {
  if (status === "Completed") return 100;
  return input === undefined || input.bytes === 0 ? 0 : Math.floor((100 * offset) / input.bytes);
}

/** The newest first. */
export const listThingRegistrationTasks = awsOperation(
  "iot",
  "ListThingRegistrationTasks",
  ["nextToken", "maxResults", "status"],
  async (context, { nextToken: token, maxResults, status }) => {
    const { scope, store } = context;
    const statuses = status === undefined ? undefined : await statusesOf(context);
    const { entries, nextToken } = await readPage(store, {
      ...{ prefix: registrationKeys.tasksByTime(scope), token, size: maxResults, order: "descending" },
      matches: ({ key }) => statuses === undefined || statuses.get(lastName(key)) === status,
    });
    const taskIds = entries.map(({ key }) => lastName(key));
    return answer({ taskIds, ...(nextToken !== undefined && { nextToken }) });
  },
);

/** Of all tasks: there are not many. */
async function statusesOf(context: OperationContext): Promise<ReadonlyMap<string, RegistrationStatus>> {
  const { scope, store } = context;
  const statuses = new Map<string, RegistrationStatus>();
  const known = await store.list(registrationKeys.tasksByTime(scope), { limit: registrationTasksMax + 1 });
  for (const { key } of known) {
    const found = await findTask(context, lastName(key));
    if (found !== undefined) statuses.set(lastName(key), found.progress.value.status);
  }
  return statuses;
}

/** What was registered stays. The task is `Cancelled` with its next step, which writes its reports. */
export const stopThingRegistrationTask = awsOperation(
  "iot",
  "StopThingRegistrationTask",
  ["taskId"],
  async (context, { taskId }) => {
    const { nowMs } = context;
    const { key, value: progress, revision } = (await requireTask(context, taskId)).progress;
    if (isOver(progress)) throw invalid(`Thing registration task ${taskId} is ${progress.status} already`);
    if (progress.status === "Cancelling") return answer({});
    const value: RegistrationProgress = { ...progress, status: "Cancelling", modifiedAtMs: nowMs };
    return { result: {}, operations: [{ key, expectedRevision: revision, value }], effects: [] };
  },
);

/** Links to what is in files so far. */
export function createListReports(objects: Pick<ObjectsService, "presignedUrl">) {
  return awsOperation(
    "iot",
    "ListThingRegistrationTaskReports",
    ["taskId", "reportType", "nextToken", "maxResults"],
    async (context, { taskId, reportType, nextToken: token, maxResults }) => {
      const { scope, store, nowMs } = context;
      if ((await findTask(context, taskId)) === undefined)
        throw invalid(`Thing registration task ${taskId} not found.`);
      const { entries, nextToken } = await readPage(store, {
        ...{ prefix: registrationKeys.reportFiles(scope, taskId, reportType), token, size: maxResults },
      });
      const resourceLinks = entries.map(({ key }) =>
        objects.presignedUrl(scope, {
          ...reportObject(taskId, reportType, Number(key.at(-1))),
          ...{ expiresInSeconds: reportLinkSeconds, nowMs },
        }),
      );
      return answer({ resourceLinks, reportType, ...(nextToken !== undefined && { nextToken }) });
    },
  );
}
