import { isThinglineError, type ErrorCode } from "@thingline/protocol";
import type { Log } from "../../log.js";
import {
  parseTemplate,
  refusal,
  resolveTemplate,
  type ProvisioningTemplate,
} from "../../provisioning-template/index.js";
import type { ObjectReading, ObjectsService } from "../objects/index.js";
import type { SagaContext } from "../operation.js";
import type { CertificateIssuer } from "../registry/index.js";
import { saga } from "../saga.js";
import {
  dayMs,
  isOver,
  registrationBytesPerStepMax,
  registrationLineBytesMax,
  registrationsPerStepMax,
  registrationTaskDaysMax,
  reportLinesPerFileMax,
  reportTypes,
  thingProvisioningName,
} from "./model.js";
import { createRegisterLine, refusedLine, type LineOutcome, type RegisterPlan } from "./register-line.js";
import { issueForPlan } from "./register-plan.js";
import { LineSplitter, parseParameters, type InputLine } from "./registration-input.js";
import {
  beginInput,
  endTask,
  readTask,
  skipLines,
  wakeNextStep,
  type RunningTask,
  type TaskEnd,
} from "./registration-progress.js";
import { writeReport } from "./registration-reports.js";

export interface RegistrationStepDependencies {
  issuer: CertificateIssuer;
  objects: Pick<ObjectsService, "operations">;
  registerPlan: RegisterPlan;
  log: Log;
}

/** A line that is not blank. */
interface NumberedLine {
  readonly number: number;
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** Of the input, what one step does. */
interface InputPart {
  readonly lines: readonly NumberedLine[];
  /** What is done when the lines are: blank ones may follow them. */
  readonly offset: number;
  readonly lineCount: number;
  /** What becomes of the task then. */
  readonly end: TaskEnd | undefined;
}

/**
 * One step of a registration task: some lines of its input, committed with how far the task is. The step is woken, and wakes the next one; a
 * process that is killed leaves a wake-up, and what it has not committed is done again.
 */
export function createRegistrationStep({ issuer, objects, registerPlan, log }: RegistrationStepDependencies) {
  const registerLine = createRegisterLine(registerPlan);

  const runStep = async (context: SagaContext, taskId: string): Promise<void> => {
    const { run, clock } = context;
    const found = await run(readTask, { taskId });
    if (found === undefined || isOver(found.progress)) return;
    const decided = endOf(found, clock.unixMs());
    const done = decided ?? (await registerPart(context, found));
    // Another process goes on with it.
    if (done === "stale") return;
    const linesMin = done === "more" ? reportLinesPerFileMax : 1;
    const fault = await writeReports(context, taskId, linesMin).catch((error: unknown) => {
      if (!isThinglineError(error) || (decided === undefined && !reportRefusals.has(error.code))) throw error;
      return error.message;
    });
    const end = fault === undefined ? done : withoutReports(done, fault);
    if (end === "more") return run(wakeNextStep, { taskId });
    if (!(await run(endTask, { taskId, end }))) return;
    const { successCount = 0, failureCount = 0 } = (await run(readTask, { taskId }))?.progress ?? {};
    log.info("thingRegistrationTaskEnded", { taskId, status: end.status, successCount, failureCount });
  };

  const registerPart = async (context: SagaContext, found: RunningTask): Promise<TaskEnd | "more" | "stale"> => {
    const { run, clock } = context;
    const { taskId, templateBody } = found.task;
    const part = await readPart(context, objects, found);
    const template = parseTemplate(templateBody, { kind: "bulk" });
    const options = { issuer, nowMs: clock.unixMs() };
    const outcomes = await Promise.all(part.lines.map(({ bytes }) => prepareLine(bytes, template, options)));
    let from = found.progress.offset;
    const registrations = part.lines.map(({ bytes: _parsed, ...line }, at) => {
      const outcome = outcomes[at] as LineOutcome;
      const input = { taskId, from, line, outcome };
      from = line.end;
      return run(registerLine, input);
    });
    const undone = (await Promise.all(registrations)).find((result) => result !== "done");
    if (undone !== undefined) return undone === "cancelled" ? "more" : "stale";
    const { offset, lineCount } = part;
    if (offset !== from) await run(skipLines, { taskId, from, offset, lineCount });
    return part.end ?? "more";
  };

  /** Files with fewer lines wait for more of them. */
  const writeReports = async ({ run }: SagaContext, taskId: string, linesMin: number): Promise<undefined> => {
    for (const type of reportTypes) {
      for (;;) {
        const progress = (await run(readTask, { taskId }))?.progress;
        if (progress === undefined || progress.unwritten[type] < linesMin) break;
        if (!(await writeReport({ run }, objects.operations, { taskId, type }))) break;
      }
    }
    return undefined;
  };

  return saga<{ taskId: string }, void>(thingProvisioningName, (context, { taskId }) => runStep(context, taskId));
}

/** No later attempt to write a report would do better. What a task has to end with is not even tried twice. */
const reportRefusals: ReadonlySet<ErrorCode> = new Set<ErrorCode>(["QUOTA_EXCEEDED", "REQUEST_INVALID"]);

/** A task whose reports cannot be written is over: it would keep every other task from running. */
function withoutReports(done: TaskEnd | "more", fault: string): TaskEnd {
  const message = `Its reports cannot be written: ${fault}`;
  if (done === "more" || done.status === "Completed") return { status: "Failed", message };
  return { ...done, message: done.message === undefined ? message : `${done.message}. ${message}` };
}

/** What ends a task whatever its input is. */
function endOf({ task, progress }: RunningTask, nowMs: number): TaskEnd | undefined {
  if (progress.status === "Cancelling") return { status: "Cancelled" };
  if (nowMs - task.createdAtMs <= registrationTaskDaysMax * dayMs) return undefined;
  return { status: "Failed", message: `The task was not done within ${registrationTaskDaysMax} days` };
}

async function readPart(
  { run }: SagaContext,
  objects: RegistrationStepDependencies["objects"],
  { task, progress }: RunningTask,
): Promise<InputPart> {
  const { taskId, inputFileBucket: bucket, inputFileKey: key } = task;
  const { offset, lineCount } = progress;
  const failed = (message: string): InputPart => ({ lines: [], offset, lineCount, end: { status: "Failed", message } });
  try {
    const versionId = progress.input?.versionId;
    const reading = await run(objects.operations.readObject, {
      ...{ bucket, key, range: { start: offset } },
      ...(versionId !== undefined && versionId !== "null" && { versionId }),
    });
    const { bytes, etag } = reading;
    if (progress.input === undefined) {
      await run(beginInput, { taskId, input: { bytes, etag, versionId: reading.versionId } });
    } else if (progress.input.etag !== etag) {
      return failed(`The input file ${key} of bucket ${bucket} was changed while it was being read`);
    }
    return await collectLines(reading, { offset, lineCount });
  } catch (error) {
    const isInput = isThinglineError(error, "RESOURCE_NOT_FOUND") || isThinglineError(error, "STORE_CORRUPT");
    if (!isInput) throw error;
    return failed(`The input file ${key} of bucket ${bucket} cannot be read: ${error.message}`);
  }
}

async function collectLines(
  { chunks, bytes: inputBytes }: Pick<ObjectReading, "chunks" | "bytes">,
  from: { offset: number; lineCount: number },
): Promise<InputPart> {
  const collector = new LineCollector(from);
  const splitter = new LineSplitter(from.offset);
  if (from.offset < inputBytes) {
    for await (const chunk of chunks) {
      for (const line of splitter.push(chunk)) if (!collector.add(line)) return collector.part(inputBytes);
    }
  }
  const last = splitter.end();
  if (last !== undefined) collector.add(last);
  return collector.part(inputBytes);
}

/** Lines until there are enough for one step. */
class LineCollector {
  readonly #lines: NumberedLine[] = [];
  readonly #begin: number;
  #offset: number;
  #lineCount: number;
  #fault: string | undefined;

  constructor({ offset, lineCount }: { offset: number; lineCount: number }) {
    this.#begin = offset;
    [this.#offset, this.#lineCount] = [offset, lineCount];
  }

  /** @returns whether the next line is wanted as well */
  add({ bytes, start, end }: InputLine): boolean {
    if (bytes === undefined) {
      this.#fault = `Line ${this.#lineCount + 1} of the input file is longer than ${registrationLineBytesMax} bytes`;
      return false;
    }
    [this.#offset, this.#lineCount] = [end, this.#lineCount + 1];
    if (!isBlank(bytes)) this.#lines.push({ number: this.#lineCount, bytes, start, end });
    return this.#lines.length < registrationsPerStepMax && end - this.#begin < registrationBytesPerStepMax;
  }

  part(inputBytes: number): InputPart {
    const part = { lines: this.#lines, offset: this.#offset, lineCount: this.#lineCount };
    if (this.#fault !== undefined) return { ...part, end: { status: "Failed", message: this.#fault } };
    return { ...part, end: this.#offset >= inputBytes ? { status: "Completed" } : undefined };
  }
}

/** Nothing but white space of JSON. */
const isBlank = (bytes: Uint8Array) => bytes.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d);

async function prepareLine(
  bytes: Uint8Array,
  template: ProvisioningTemplate,
  { issuer, nowMs }: { issuer: CertificateIssuer; nowMs: number },
): Promise<LineOutcome> {
  try {
    const plan = resolveTemplate(template, { parameters: parametersOf(bytes) });
    return { plan, issued: await issueForPlan(plan, issuer, nowMs) };
  } catch (error) {
    return { refused: refusedLine(error) };
  }
}

/** @throws {ThinglineError} PROVISIONING_TEMPLATE_INVALID */
function parametersOf(bytes: Uint8Array) {
  try {
    return parseParameters(bytes);
  } catch (error) {
    throw refusal(
      "Parameters",
      `the line is not a JSON object: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}
