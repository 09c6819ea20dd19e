// The jobs of one thing, as a cloud keeps them: written for these tests, and plainly.
import {
  isPendingJobStatus,
  type JobExecution,
  type JobExecutionStatus,
  type JobExecutionSummary,
  type JobStatusDetails,
  type JsonObject,
  mayReportJobStatus,
  nextJobId,
  parseJobsTopic,
} from "@thingline/protocol/jobs";

export interface CloudExecution {
  jobId: string;
  executionNumber: number;
  queuedAt: number;
  startedAt?: number;
  lastUpdatedAt: number;
  versionNumber: number;
  status: JobExecutionStatus;
  statusDetails?: JobStatusDetails;
  document: unknown;
  stepDeadlineMs?: number;
}

export interface CloudPort {
  unixMs(): number;
  send(topic: string, message: object): void;
}

type Members = Record<string, unknown>;

export class JobsCloud {
  readonly executions: CloudExecution[] = [];
  /** Requests that were carried out, for the test to look at. */
  readonly requests: { topic: string; members: Members }[] = [];
  /** Each is the answer to one request, which is not carried out then. */
  refusals: { code: string; executionState?: object; matches?: string }[] = [];
  /** A refused transition says which state there is. As AWS IoT does it. */
  tellsState = true;
  endsOnlyWhatBegan = false;
  readonly #thingName: string;
  readonly #port: CloudPort;

  constructor(thingName: string, port: CloudPort) {
    this.#thingName = thingName;
    this.#port = port;
  }

  get #now(): number {
    return Math.floor(this.#port.unixMs() / 1000);
  }

  /** A new execution: of a new job, or one more of the same. */
  queue(jobId: string, document: unknown): CloudExecution {
    const executionNumber = this.executions.filter((each) => each.jobId === jobId).length + 1;
    const now = this.#now;
    const execution: CloudExecution = {
      jobId,
      executionNumber,
      queuedAt: now,
      lastUpdatedAt: now,
      versionNumber: 1,
      status: "QUEUED",
      document,
    };
    this.#change(() => this.executions.push(execution));
    return execution;
  }

  find(jobId: string, executionNumber?: number): CloudExecution | undefined {
    return this.executions.findLast(
      (each) => each.jobId === jobId && (executionNumber === undefined || each.executionNumber === executionNumber),
    );
  }

  /** The service's own: cancelled with force, timed out, removed. */
  end(jobId: string, status: JobExecutionStatus): void {
    const execution = this.find(jobId);
    if (execution === undefined || !isPendingJobStatus(execution.status)) return;
    this.#change(() => this.#set(execution, status));
  }

  delete(jobId: string): void {
    this.#change(() => {
      for (let at = this.executions.length; at-- > 0;)
        if (this.executions[at]?.jobId === jobId) this.executions.splice(at, 1);
    });
  }

  /** Step timers that have run out. */
  tick(): void {
    const nowMs = this.#port.unixMs();
    for (const execution of this.executions) {
      if (execution.status !== "IN_PROGRESS" || execution.stepDeadlineMs === undefined) continue;
      if (nowMs >= execution.stepDeadlineMs) this.#change(() => this.#set(execution, "TIMED_OUT"));
    }
  }

  get pending(): CloudExecution[] {
    const of = (status: JobExecutionStatus): CloudExecution[] =>
      this.executions.filter((each) => each.status === status).sort((a, b) => a.queuedAt - b.queuedAt);
    return [...of("IN_PROGRESS"), ...of("QUEUED")];
  }

  handle(topicName: string, payload: Uint8Array): void {
    const topic = parseJobsTopic(topicName);
    if (topic === undefined) throw new Error(`not a topic of jobs: ${topicName}`);
    const members = JSON.parse(new TextDecoder().decode(payload)) as Members;
    this.requests.push({ topic: topicName, members });
    const { clientToken } = members;
    const answer = (outcome: "accepted" | "rejected", more: object): void =>
      this.#port.send(`${topicName}/${outcome}`, { ...more, timestamp: this.#now, clientToken });
    const at = this.refusals.findIndex(({ matches = "" }) => topicName.endsWith(matches));
    const [refusal] = at < 0 ? [] : this.refusals.splice(at, 1);
    if (refusal !== undefined) {
      const { code, executionState } = refusal;
      return answer("rejected", { code, message: "as the test wants it", ...(executionState && { executionState }) });
    }
    if (topic.type === "get") {
      const list = (status: string): JobExecutionSummary[] =>
        this.pending.filter((each) => each.status === status).map(summaryOf);
      return answer("accepted", { inProgressJobs: list("IN_PROGRESS"), queuedJobs: list("QUEUED") });
    }
    if (topic.type !== "describe" && topic.type !== "update") throw new Error(`not a request of a job: ${topicName}`);
    if (topic.type === "update") return this.#update(topic.jobId, members, answer);
    this.#describe(topic.jobId, members, answer);
  }

  #describe(jobId: string, members: Members, answer: (outcome: "accepted" | "rejected", more: object) => void): void {
    const isNext = jobId === nextJobId;
    const execution = isNext ? this.pending[0] : this.find(jobId, members["executionNumber"] as number | undefined);
    if (execution === undefined) {
      if (isNext) return answer("accepted", {});
      return answer("rejected", { code: "ResourceNotFound", message: "no such job execution" });
    }
    if (!isPendingJobStatus(execution.status)) {
      return answer("rejected", { code: "TerminalStateReached", message: "it has ended" });
    }
    answer("accepted", { execution: executionOf(execution, members["includeJobDocument"] !== false) });
  }

  #update(jobId: string, members: Members, answer: (outcome: "accepted" | "rejected", more: object) => void): void {
    const execution = this.find(jobId, members["executionNumber"] as number | undefined);
    if (execution === undefined) return answer("rejected", { code: "ResourceNotFound", message: "no such execution" });
    const status = members["status"] as JobExecutionStatus;
    const isEarly = this.endsOnlyWhatBegan && execution.status === "QUEUED" && status !== "IN_PROGRESS";
    if (isEarly || !mayReportJobStatus(execution.status, status)) {
      const { versionNumber, statusDetails } = execution;
      const executionState = { status: execution.status, versionNumber, statusDetails };
      const message = `no way from ${execution.status} to ${status}`;
      return answer("rejected", {
        code: "InvalidStateTransition",
        message,
        ...(this.tellsState && { executionState }),
      });
    }
    const minutes = members["stepTimeoutInMinutes"] as number | undefined;
    this.#change(() => {
      this.#set(execution, status);
      const details = members["statusDetails"] as JobStatusDetails | undefined;
      if (details !== undefined) execution.statusDetails = details;
      if (minutes === -1) delete execution.stepDeadlineMs;
      else if (minutes !== undefined) execution.stepDeadlineMs = this.#port.unixMs() + minutes * 60_000;
    }, answer);
  }

  #set(execution: CloudExecution, status: JobExecutionStatus): void {
    execution.status = status;
    execution.versionNumber += 1;
    execution.lastUpdatedAt = this.#now;
    if (status === "IN_PROGRESS") execution.startedAt ??= this.#now;
  }

  #change(change: () => void, answer?: (outcome: "accepted", more: object) => void): void {
    const before = this.pending;
    change();
    answer?.("accepted", {});
    const after = this.pending;
    const base = `$aws/things/${this.#thingName}/jobs`;
    const names = (list: CloudExecution[]): string =>
      list
        .map(({ jobId, executionNumber }) => `${jobId}/${executionNumber}`)
        .sort()
        .join();
    if (names(before) !== names(after)) this.#port.send(`${base}/notify`, { timestamp: this.#now, jobs: {} });
    if (before[0] === after[0]) return;
    const [next] = after;
    this.#port.send(`${base}/notify-next`, {
      timestamp: this.#now,
      ...(next && { execution: executionOf(next, true) }),
    });
  }
}

function summaryOf(execution: CloudExecution): JobExecutionSummary {
  const { jobId, executionNumber, queuedAt, startedAt, lastUpdatedAt, versionNumber } = execution;
  return {
    jobId,
    executionNumber,
    queuedAt,
    lastUpdatedAt,
    versionNumber,
    ...(startedAt !== undefined && { startedAt }),
  };
}

function executionOf(execution: CloudExecution, hasDocument: boolean): JobExecution {
  const { status, statusDetails, document } = execution;
  const jobDocument = document as JsonObject;
  return {
    ...summaryOf(execution),
    status,
    ...(statusDetails !== undefined && { statusDetails }),
    ...(hasDocument && { jobDocument }),
  };
}
