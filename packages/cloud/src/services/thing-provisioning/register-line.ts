import type { ProvisioningPlan } from "../../provisioning-template/index.js";
import { answer, type Operation, type OperationContext } from "../operation.js";
import type { IssuedCertificate } from "../registry/index.js";
import { findTask, isOver, registrationKeys, type RegistrationProgress, type ReportType } from "./model.js";
import type { ProvisionedThing } from "./provision-thing.js";
import { errorNameOf, type RegisterPlanInput } from "./register-plan.js";

export type RegisterPlan = Operation<RegisterPlanInput, ProvisionedThing>;

/** What a line of the input asks for, or why that cannot be. */
export type LineOutcome =
  | { readonly plan: ProvisioningPlan; readonly issued: IssuedCertificate | undefined }
  | { readonly refused: { readonly errorCode: string; readonly errorMessage: string } };

export interface RegisterLineInput {
  readonly taskId: string;
  /** Where the task was when this was prepared: it must still be there. */
  readonly from: number;
  readonly line: { readonly number: number; readonly start: number; readonly end: number };
  readonly outcome: LineOutcome;
}

/** `stale`: another process has gone on. */
export type RegisterLineResult = "done" | "cancelled" | "stale";

/**
 * Does what a line asks for, counts it, and writes its line of the report: one commit, so that a process that is killed has done all of it
 * or nothing. Lines of a task that are asked for together share a commit, each seeing how far the one before it has come.
 */
export function createRegisterLine(registerPlan: RegisterPlan): Operation<RegisterLineInput, RegisterLineResult> {
  const register: Operation<RegisterLineInput, RegisterLineResult> = async (context, input) => {
    const { taskId, from, line, outcome } = input;
    const { scope, nowMs } = context;
    const before = (await findTask(context, taskId))?.progress;
    if (before === undefined || isOver(before.value) || before.value.offset !== from) return answer("stale");
    if (before.value.status === "Cancelling") return answer("cancelled");
    const { type, content } = await reportOf(context, registerPlan, taskId, outcome);
    const { value } = before;
    const isSuccess = type === "RESULTS";
    const progress: RegistrationProgress = {
      ...{ ...value, modifiedAtMs: nowMs, offset: line.end, lineCount: line.number },
      successCount: value.successCount + (isSuccess ? 1 : 0),
      failureCount: value.failureCount + (isSuccess ? 0 : 1),
      unwritten: { ...value.unwritten, [type]: value.unwritten[type] + 1 },
    };
    const text = JSON.stringify({ lineNumber: line.number, offset: line.start, ...content });
    return {
      result: "done",
      operations: [
        { key: before.key, expectedRevision: before.revision, value: progress },
        { key: registrationKeys.reportLine(scope, taskId, type, line.number), value: text },
      ],
      effects: [],
    };
  };
  return Object.assign(register, { lane: ({ taskId }: RegisterLineInput) => `registrationTask/${taskId}` });
}

async function reportOf(
  context: OperationContext,
  registerPlan: RegisterPlan,
  taskId: string,
  outcome: LineOutcome,
): Promise<{ type: ReportType; content: object }> {
  if ("refused" in outcome) return { type: "ERRORS", content: outcome.refused };
  try {
    const origin = { source: "bulk-registration", taskId } as const;
    const { certificatePem, resourceArns } = await context.call(registerPlan, { ...outcome, origin });
    const response = {
      ...(certificatePem !== undefined && { CertificatePem: certificatePem }),
      ResourceArns: resourceArns,
    };
    return { type: "RESULTS", content: { response } };
  } catch (error) {
    return { type: "ERRORS", content: refusedLine(error) };
  }
}

/** @throws what is no fault of the line */
export function refusedLine(error: unknown): { errorCode: string; errorMessage: string } {
  const errorCode = errorNameOf(error);
  if (errorCode === undefined || !(error instanceof Error)) throw error;
  return { errorCode, errorMessage: error.message };
}
