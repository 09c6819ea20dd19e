import { answer, type Operation } from "../operation.js";
import {
  dayMs,
  findTask,
  isOver,
  registrationKeys,
  registrationTaskDaysMax,
  wakeTask,
  type RegistrationProgress,
  type RegistrationTaskRecord,
} from "./model.js";

// What the steps of a task write, but for what they register. A step can be done by two processes for a moment, so each says from where it
// has gone on, and what does not fit is left alone.

export interface RunningTask {
  readonly task: RegistrationTaskRecord;
  readonly progress: RegistrationProgress;
}

/** How a task ends. */
export interface TaskEnd {
  readonly status: "Completed" | "Failed" | "Cancelled";
  readonly message?: string;
}

export const readTask: Operation<{ taskId: string }, RunningTask | undefined> = async (context, { taskId }) => {
  const found = await findTask(context, taskId);
  return answer(found && { task: found.task, progress: found.progress.value });
};

export const beginInput: Operation<
  { taskId: string; input: NonNullable<RegistrationProgress["input"]> },
  void
> = async (context, { taskId, input }) => {
  const progress = (await findTask(context, taskId))?.progress;
  if (progress === undefined || progress.value.input !== undefined) return answer(undefined);
  const value: RegistrationProgress = { ...progress.value, input };
  return {
    result: undefined,
    operations: [{ key: progress.key, expectedRevision: progress.revision, value }],
    effects: [],
  };
};

/** Over blank lines, behind which the step ends. */
export const skipLines: Operation<{ taskId: string; from: number; offset: number; lineCount: number }, void> = async (
  context,
  { taskId, from, offset, lineCount },
) => {
  const progress = (await findTask(context, taskId))?.progress;
  if (progress === undefined || progress.value.offset !== from) return answer(undefined);
  const value: RegistrationProgress = { ...progress.value, offset, lineCount };
  return {
    result: undefined,
    operations: [{ key: progress.key, expectedRevision: progress.revision, value }],
    effects: [],
  };
};

export const wakeNextStep: Operation<{ taskId: string }, void> = async ({ nowMs }, { taskId }) => ({
  result: undefined,
  operations: [],
  effects: [wakeTask("step", taskId, nowMs)],
});

const messageCharactersMax = 2_048;

/** @returns whether that is news */
export const endTask: Operation<{ taskId: string; end: TaskEnd }, boolean> = async (context, { taskId, end }) => {
  const { scope, nowMs } = context;
  const progress = (await findTask(context, taskId))?.progress;
  if (progress === undefined || isOver(progress.value)) return answer(false);
  const value: RegistrationProgress = {
    ...{ ...progress.value, status: end.status, modifiedAtMs: nowMs },
    ...(end.message !== undefined && { message: end.message.slice(0, messageCharactersMax) }),
  };
  return {
    result: true,
    operations: [
      { key: progress.key, expectedRevision: progress.revision, value },
      { key: registrationKeys.running(scope), delete: true },
    ],
    effects: [wakeTask("forget", taskId, nowMs + registrationTaskDaysMax * dayMs)],
  };
};
