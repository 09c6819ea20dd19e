import type { JobExecutionStatus } from "@aws-sdk/client-iot";
import type { CommandContext } from "../command.js";
import { forEachAtOnce } from "../each.js";
import { exitCodes } from "../failure.js";
import { diagnose, type Diagnosis, type ExecutionFacts } from "../fota/diagnosis.js";
import {
  findFirmwareJob,
  iterateOver,
  listExecutions,
  newestJobIds,
  readDetails,
  readFirmwareJob,
  type DetailedExecution,
  type FirmwareJob,
} from "../fota/jobs.js";
import { isAwsError, openFotaPlane, type FotaPlane, type PlaceOptions } from "../fota/plane.js";
import { commandLine, unlessDefault } from "../invocation.js";
import { defaultDataDir, defaultStaleMinutes } from "../option-values.js";
import type { Output } from "../output.js";
import { escapeControls } from "../terminal-text.js";
import { createJob, jobTargetsMax, newJobId } from "./fota-deploy.js";

interface DoctorOptions extends PlaceOptions {
  stale: number;
  repair?: boolean;
  retry?: boolean;
}

/** Updates that are looked at when none is named. */
export const jobsExaminedMax = 25;
/** What is given up may be the device's own doing: it says so to whoever reads the execution. */
const givenUp = "givenUpByOperator";

/** Somebody nobody works for. */
interface Patient {
  readonly job: FirmwareJob;
  readonly execution: DetailedExecution;
  readonly facts: ExecutionFacts;
  readonly diagnosis: Diagnosis;
}

/** `thingline fota doctor [JOB]` @returns 0 when nothing is stuck, or when all that can be repaired was. */
export async function fotaDoctor(context: CommandContext, options: DoctorOptions, jobId?: string): Promise<number> {
  const { output } = context;
  const plane = await openFotaPlane(context, options);
  const jobs = jobId === undefined ? await recentJobs(plane) : [await findFirmwareJob(plane, jobId)];
  const patients: Patient[] = [];
  for (const job of jobs) patients.push(...(await examine(plane, job, options)));
  for (const patient of patients) tellPatient(output, patient);
  if (patients.length === 0) {
    output.event(
      { event: "fotaHealthy", jobs: jobs.length },
      `${output.paint.green("healthy")}  ${lookedAt(jobs.length)}: nothing is stuck`,
    );
    return exitCodes.done;
  }
  if (options.repair !== true) {
    const curable = patients.filter(({ diagnosis }) => diagnosis.repair !== undefined).length;
    if (curable > 0) {
      output.say(
        `${curable} can be repaired, and with --retry be sent the update once more:\n  ${repairCommand(options, jobId)}`,
      );
    }
    return exitCodes.failed;
  }
  const repaired = await repair(output, plane, patients);
  if (options.retry === true) await retry(output, plane, repaired);
  const isAll =
    patients.every(({ diagnosis }) => diagnosis.repair !== undefined) && repaired.length === patients.length;
  return isAll ? exitCodes.done : exitCodes.failed;
}

function lookedAt(jobs: number): string {
  return jobs === 0 ? "no update is under way" : `${jobs} ${jobs === 1 ? "update" : "updates"}`;
}

/** It finds the same ones. */
function repairCommand({ aws, dataDir, stale }: DoctorOptions, jobId: string | undefined): string {
  const where = aws === true ? ["--aws"] : unlessDefault("--data-dir", dataDir, defaultDataDir);
  const silence = stale === defaultStaleMinutes ? [] : ["--stale", String(stale)];
  return commandLine(["fota", "doctor", ...(jobId === undefined ? [] : [jobId]), ...silence, "--repair", ...where]);
}

/** Those that are not over, and those whose devices may have been left behind. */
async function recentJobs(plane: FotaPlane): Promise<FirmwareJob[]> {
  const ids = [...(await newestJobIds(plane, "IN_PROGRESS")), ...(await newestJobIds(plane, "CANCELED"))];
  const jobs: FirmwareJob[] = [];
  for (const id of ids.slice(0, 2 * jobsExaminedMax)) {
    const job = await readFirmwareJob(plane, id);
    if (job !== undefined) jobs.push(job);
    if (jobs.length >= jobsExaminedMax) break;
  }
  return jobs;
}

async function examine(plane: FotaPlane, job: FirmwareJob, { stale }: DoctorOptions): Promise<Patient[]> {
  const unfinished = [];
  for (const status of ["IN_PROGRESS", "QUEUED"] as const) {
    for await (const execution of listExecutions(plane, job.jobId, status)) unfinished.push(execution);
  }
  const patients: Patient[] = [];
  const clock = { nowMs: Date.now(), staleMs: stale * 60_000 };
  await forEachAtOnce(iterateOver(await readDetails(plane, job.jobId, unfinished)), async (execution) => {
    const facts = await factsOf(plane, job, execution);
    const diagnosis = diagnose(facts, clock);
    if (diagnosis !== undefined) patients.push({ job, execution, facts, diagnosis });
  });
  return patients.sort((left, right) => (left.execution.thingName < right.execution.thingName ? -1 : 1));
}

async function factsOf(plane: FotaPlane, job: FirmwareJob, execution: DetailedExecution): Promise<ExecutionFacts> {
  const { status, thingName, lastUpdatedAtMs, details } = execution;
  const certificates = await activeCertificatesOf(plane, thingName);
  return {
    status,
    isJobOver: job.job.status !== "IN_PROGRESS" && job.job.status !== "SCHEDULED",
    hasThing: certificates !== undefined,
    activeCertificates: certificates ?? 0,
    lastUpdatedAtMs,
    phase: details.phase,
    message: details.message ?? details.reason,
    ahead: status === "QUEUED" && certificates !== undefined ? await aheadOf(plane, job.jobId, thingName) : undefined,
  };
}

/** Undefined for a thing that is not there. Looks no further than the first that is active. */
async function activeCertificatesOf({ client, sdk, send }: FotaPlane, thingName: string): Promise<number | undefined> {
  try {
    for await (const page of sdk.paginateListThingPrincipals({ client }, { thingName }, send)) {
      for (const principal of page.principals ?? []) {
        const certificateId = /:cert\/([a-f0-9]{64})$/.exec(principal)?.[1];
        // Something else that may connect.
        if (certificateId === undefined) return 1;
        const { certificateDescription } = await client.send(
          new sdk.DescribeCertificateCommand({ certificateId }),
          send,
        );
        if (certificateDescription?.status === "ACTIVE") return 1;
      }
    }
    return 0;
  } catch (error) {
    if (isAwsError(error, "ResourceNotFoundException")) return undefined;
    throw error;
  }
}

async function aheadOf({ client, sdk, send }: FotaPlane, jobId: string, thingName: string) {
  const status: JobExecutionStatus = "IN_PROGRESS";
  const command = new sdk.ListJobExecutionsForThingCommand({ thingName, status, maxResults: 10 });
  const { executionSummaries = [] } = await client.send(command, send);
  const ahead = executionSummaries.find((one) => one.jobId !== jobId);
  if (ahead?.jobId === undefined) return undefined;
  return { jobId: ahead.jobId, lastUpdatedAtMs: ahead.jobExecutionSummary?.lastUpdatedAt?.getTime() };
}

function tellPatient(output: Output, { job, execution, diagnosis }: Patient): void {
  const { thingName, status } = execution;
  const { problem, why, repair: cure } = diagnosis;
  output.event(
    { event: "fotaStuck", jobId: job.jobId, thingName, status, problem, why, canRepair: cure !== undefined },
    `${output.paint.yellow("stuck")}  ${thingName}  ${problem}: ${escapeControls(why)}  (job ${job.jobId})`,
  );
}

/** What was moved by somebody in the meantime is left alone. @returns those that are free again */
async function repair(output: Output, plane: FotaPlane, patients: readonly Patient[]): Promise<Patient[]> {
  const repaired: Patient[] = [];
  for (const patient of patients) {
    const { execution, facts, diagnosis, job } = patient;
    const { repair: cure } = diagnosis;
    if (cure === undefined) continue;
    const jobId = cure.cancel === "this" ? job.jobId : (facts.ahead?.jobId ?? job.jobId);
    const isCanceled = await cancelExecution(plane, { jobId, patient, isOwn: cure.cancel === "this" });
    if (isCanceled) repaired.push(patient);
    const text = isCanceled ? output.paint.green("repaired") : output.paint.dim("moved meanwhile");
    output.event(
      { event: "fotaRepaired", jobId, thingName: execution.thingName, isCanceled },
      `${text}  ${execution.thingName}: the execution of job ${jobId} ${isCanceled ? "was canceled" : "goes on"}`,
    );
  }
  return repaired;
}

async function cancelExecution(
  { client, sdk, send }: FotaPlane,
  { jobId, patient, isOwn }: { jobId: string; patient: Patient; isOwn: boolean },
): Promise<boolean> {
  const { thingName, details, versionNumber } = patient.execution;
  const told = Object.entries(details).filter((pair): pair is [string, string] => pair[1] !== undefined);
  // AWS takes ten.
  const kept = Object.fromEntries(told.filter(([name]) => name !== "reason").slice(0, 9));
  const command = new sdk.CancelJobExecutionCommand({
    ...{ jobId, thingName, force: true },
    ...(isOwn && { statusDetails: { ...kept, reason: givenUp } }),
    ...(isOwn && versionNumber !== undefined && { expectedVersion: versionNumber }),
  });
  try {
    await client.send(command, send);
    return true;
  } catch (error) {
    const gone = ["VersionConflictException", "InvalidStateTransitionException", "ResourceNotFoundException"];
    if (gone.some((name) => isAwsError(error, name))) return false;
    throw error;
  }
}

/** The same update once more, for devices that can still take it. */
async function retry(output: Output, plane: FotaPlane, repaired: readonly Patient[]): Promise<void> {
  const { client, sdk, send } = plane;
  const byJob = new Map<FirmwareJob, string[]>();
  for (const { job, execution, diagnosis } of repaired) {
    if (diagnosis.repair?.canRetry === true) byJob.set(job, [...(byJob.get(job) ?? []), execution.thingName]);
  }
  let count = 0;
  for (const [job, names] of byJob) {
    for (let at = 0; at < names.length; at += jobTargetsMax) {
      const targets: string[] = [];
      for (const thingName of names.slice(at, at + jobTargetsMax)) {
        const { thingArn = "" } = await client.send(new sdk.DescribeThingCommand({ thingName }), send);
        targets.push(thingArn);
      }
      const { presignedUrlConfig, timeoutConfig } = job.job;
      const { version = "", sha256 = "image" } = job.document;
      const jobId = `${newJobId({ version, sha256 }, new Date(), "retry")}-${++count}`;
      await createJob(plane, {
        ...{ jobId, targets, document: job.documentText, targetSelection: "SNAPSHOT" },
        description: `once more: job ${job.jobId}`,
        ...(presignedUrlConfig !== undefined && { presignedUrlConfig }),
        // Or it would be stuck again.
        timeoutConfig: timeoutConfig ?? { inProgressTimeoutInMinutes: 60 },
      });
      output.event(
        { event: "fotaRetried", jobId, fromJobId: job.jobId, things: targets.length },
        `${output.paint.green("once more")}  ${targets.length} ${targets.length === 1 ? "thing" : "things"}, job ${jobId}`,
      );
    }
  }
}
