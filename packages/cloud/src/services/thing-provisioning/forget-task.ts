import { answer, type Operation } from "../operation.js";
import type { ObjectsService } from "../objects/index.js";
import { saga } from "../saga.js";
import { unless } from "../unless.js";
import {
  findTask,
  isOver,
  registrationKeys,
  reportLinesPerFileMax,
  reportObject,
  reportTypes,
  thingProvisioningName,
  type ReportType,
} from "./model.js";

const filesPerCommitMax = 50;

interface FilesOf {
  readonly taskId: string;
  readonly type: ReportType;
}

const listFiles: Operation<FilesOf, number[]> = async ({ scope, store }, { taskId, type }) => {
  const prefix = registrationKeys.reportFiles(scope, taskId, type);
  const entries = await store.list(prefix, { limit: filesPerCommitMax });
  return answer(entries.map(({ key }) => Number(key.at(-1))));
};

const forgetFiles: Operation<FilesOf & { numbers: readonly number[] }, void> = async ({ scope }, input) => ({
  result: undefined,
  operations: input.numbers.map((number) => ({
    key: registrationKeys.reportFile(scope, input.taskId, input.type, number),
    delete: true as const,
  })),
  effects: [],
});

/** Lines that came into no file. @returns whether there were any */
const forgetLines: Operation<FilesOf, boolean> = async ({ scope, store }, { taskId, type }) => {
  const prefix = registrationKeys.reportLines(scope, taskId, type);
  const entries = await store.list(prefix, { limit: reportLinesPerFileMax });
  const operations = entries.map(({ key }) => ({ key, delete: true as const }));
  return { result: entries.length > 0, operations, effects: [] };
};

const forgetRecords: Operation<{ taskId: string }, void> = async (context, { taskId }) => {
  const { scope } = context;
  const found = await findTask(context, taskId);
  if (found === undefined) return answer(undefined);
  return {
    result: undefined,
    operations: [
      { key: found.progress.key, expectedRevision: found.progress.revision, delete: true },
      { key: registrationKeys.task(scope, taskId), delete: true },
      { key: registrationKeys.taskByTime(scope, found.task), delete: true },
    ],
    effects: [],
  };
};

const isForgettable: Operation<{ taskId: string }, boolean> = async (context, { taskId }) => {
  const found = await findTask(context, taskId);
  return answer(found !== undefined && isOver(found.progress.value));
};

/** A task that is over, with its reports. One that runs is left alone. */
export function createForgetTask(objects: Pick<ObjectsService["operations"], "deleteObject">) {
  return saga<{ taskId: string }, void>(thingProvisioningName, async ({ run }, { taskId }) => {
    if (!(await run(isForgettable, { taskId }))) return;
    for (const type of reportTypes) {
      for (;;) {
        const numbers = await run(listFiles, { taskId, type });
        if (numbers.length === 0) break;
        for (const number of numbers) {
          await unless("RESOURCE_NOT_FOUND", () => run(objects.deleteObject, reportObject(taskId, type, number)));
        }
        await run(forgetFiles, { taskId, type, numbers });
      }
      while (await run(forgetLines, { taskId, type }));
    }
    await run(forgetRecords, { taskId });
  });
}
