import { shortVersion } from "../short-version.js";
import { escapeControls } from "../terminal-text.js";
import type { FirmwareJob } from "./jobs.js";
import { age, countsText, isJobOver, statusText } from "./table.js";

/** Targets that a line names; a job has up to a hundred. */
const targetsShown = 3;

/** An update as programs are told: everything the job says of itself. */
export function updateFacts({ jobId, job, document }: FirmwareJob) {
  return {
    ...{ jobId, status: job.status ?? null, isContinuous: job.targetSelection === "CONTINUOUS" },
    ...{ versionWanted: document.version ?? null, image: imageOf(document) ?? null },
    ...{ sizeBytes: document.sizeBytes ?? null, sha256: document.sha256 ?? null },
    ...{ targets: job.targets ?? [], counts: job.jobProcessDetails ?? {} },
    ...{ createdAt: job.createdAt?.toISOString() ?? null, completedAt: job.completedAt?.toISOString() ?? null },
  };
}

/** The same for people, in two lines: what it is, and to whom with what result. Controls are escaped. */
export function updateLines({ jobId, job, document }: FirmwareJob, nowMs: number): [head: string, rest: string] {
  const version = document.version === undefined ? "" : ` to version ${shortVersion(document.version)}`;
  const created = job.createdAt === undefined ? "" : `, ${age(job.createdAt.getTime(), nowMs)} ago`;
  const image = imageOf(document) ?? "an image elsewhere";
  const stays = job.targetSelection === "CONTINUOUS" ? ", continuous" : "";
  const counts = countsText(job.jobProcessDetails, isJobOver(job.status));
  return [
    escapeControls(`${jobId}${version}, ${statusText(job.status)}${created}`),
    escapeControls(`${image} to ${targetsText(job.targets ?? [])}${stays}: ${counts}`),
  ];
}

const imageOf = ({ object }: FirmwareJob["document"]) => object?.key.split("/").at(-1);

/** `group north`, `thing pump-7`, `things a, b, c and 4 more` */
function targetsText(arns: readonly string[]): string {
  const parts: string[] = [];
  for (const [kind, one] of [
    ["thinggroup", "group"],
    ["thing", "thing"],
  ] as const) {
    const start = `:${kind}/`;
    const names = arns.filter((arn) => arn.includes(start)).map((arn) => arn.slice(arn.indexOf(start) + start.length));
    if (names.length === 0) continue;
    const more = names.length > targetsShown ? ` and ${names.length - targetsShown} more` : "";
    parts.push(`${one}${names.length === 1 ? "" : "s"} ${names.slice(0, targetsShown).join(", ")}${more}`);
  }
  return parts.join(", ") || "nobody";
}
