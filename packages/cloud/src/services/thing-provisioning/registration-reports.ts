import { answer, type Operation, type SagaContext } from "../operation.js";
import type { ObjectsService } from "../objects/index.js";
import { unless } from "../unless.js";
import {
  findTask,
  registrationKeys,
  reportLinesPerFileMax,
  reportObject,
  reportsBucket,
  type RegistrationProgress,
  type ReportType,
} from "./model.js";

type ObjectOperations = Pick<ObjectsService["operations"], "createBucket" | "deleteObject" | "putObject">;

interface ReportPart {
  /** What is next to be written, and the number of its file. */
  readonly number: number;
  readonly lines: readonly { readonly line: number; readonly text: string }[];
}

interface Written extends Omit<ReportPart, "lines"> {
  readonly taskId: string;
  readonly type: ReportType;
  readonly lines: readonly number[];
}

const readPart: Operation<{ taskId: string; type: ReportType }, ReportPart | undefined> = async (context, input) => {
  const { scope, store } = context;
  const { taskId, type } = input;
  const found = await findTask(context, taskId);
  if (found === undefined) return answer(undefined);
  const prefix = registrationKeys.reportLines(scope, taskId, type);
  const entries = await store.list<string>(prefix, { limit: reportLinesPerFileMax });
  const lines = entries.map(({ key, value }) => ({ line: Number(key.at(-1)), text: value }));
  return answer({ number: found.progress.value.files[type] + 1, lines });
};

/** The lines are in a file now. Nothing happens when another process has said so already. */
const settlePart: Operation<Written, void> = async (context, { taskId, type, number, lines }) => {
  const { scope, nowMs } = context;
  const found = await findTask(context, taskId);
  if (found === undefined || found.progress.value.files[type] !== number - 1) return answer(undefined);
  const { key, revision, value } = found.progress;
  const progress: RegistrationProgress = {
    ...{ ...value, modifiedAtMs: nowMs },
    files: { ...value.files, [type]: number },
    unwritten: { ...value.unwritten, [type]: value.unwritten[type] - lines.length },
  };
  return {
    result: undefined,
    operations: [
      { key, expectedRevision: revision, value: progress },
      { key: registrationKeys.reportFile(scope, taskId, type, number), value: null },
      ...lines.map((line) => ({
        key: registrationKeys.reportLine(scope, taskId, type, line),
        delete: true as const,
      })),
    ],
    effects: [],
  };
};

/**
 * Writes one file of a report. Cut anywhere, it is written again: the same file with the same lines, and what has come meanwhile.
 *
 * @returns false when there was nothing to write
 */
export async function writeReport(
  { run }: Pick<SagaContext, "run">,
  objects: ObjectOperations,
  { taskId, type }: { taskId: string; type: ReportType },
): Promise<boolean> {
  const part = await run(readPart, { taskId, type });
  if (part === undefined || part.lines.length === 0) return false;
  await unless("RESOURCE_EXISTS", () => run(objects.createBucket, { bucket: reportsBucket }));
  const text = part.lines.map((line) => `${line.text}\n`).join("");
  await run(objects.putObject, {
    ...reportObject(taskId, type, part.number),
    ...{ chunks: [new TextEncoder().encode(text)], headers: { "content-type": "application/json" } },
  });
  await run(settlePart, { taskId, type, number: part.number, lines: part.lines.map(({ line }) => line) });
  return true;
}
