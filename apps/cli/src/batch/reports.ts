import { isThinglineError, type ThinglineError } from "@thingline/protocol";
import type { Files } from "@thingline/transport";
import { UsageError } from "../failure.js";
import { csvText, htmlText as html } from "../report-text.js";
import { stepWords, type DeviceResult } from "./result.js";
import { summarize } from "./tally.js";

/** What stands above a report. */
export interface ReportHead {
  method: string;
  endpoint: string;
  startedAt: Date;
  endedAt: Date;
}

const reportKinds = ["csv", "json", "html"] as const;
export type ReportKind = (typeof reportKinds)[number];

/** By the end of the file's name; undefined for one that says nothing. */
export function reportKind(file: string): ReportKind | undefined {
  return reportKinds.find((kind) => file.toLowerCase().endsWith(`.${kind}`));
}

/** Before anything is begun. @throws {UsageError} for a file whose name does not say what to write. */
export function checkReportNames(reports: readonly string[] = []): void {
  for (const file of reports) {
    if (reportKind(file) !== undefined) continue;
    const ends = reportKinds.map((kind) => `.${kind}`).join(", ");
    throw new UsageError(`--report takes a file that ends with ${ends}, got "${file}"`);
  }
}

/** One that cannot be written hides no other, and not what was done: `unwritten` is why the first of them was not. */
export async function writeReports(
  files: Files,
  reports: readonly string[] = [],
  render: (kind: ReportKind) => string,
): Promise<{ written: string[]; unwritten: ThinglineError | undefined }> {
  const written: string[] = [];
  let unwritten: ThinglineError | undefined;
  for (const file of reports) {
    const text = render(reportKind(file) ?? "json");
    try {
      await files.replace(file, new TextEncoder().encode(text), { mode: 0o644 });
      written.push(file);
    } catch (error) {
      if (!isThinglineError(error)) throw error;
      unwritten ??= error;
    }
  }
  return { written, unwritten };
}

export function renderReport(kind: ReportKind, head: ReportHead, results: readonly DeviceResult[]): string {
  return { csv: renderCsv, json: renderJson, html: renderHtml }[kind](head, results);
}

const columns = [
  "device",
  "result",
  "durationMs",
  "thingName",
  "certificateId",
  "failedStep",
  "code",
  "reason",
  "next",
];

function cellsOf({ name, result, durationMs, thingName, certificateId, failure }: DeviceResult): string[] {
  const time = durationMs.toFixed(0);
  const { step, code, reason, next } = failure ?? {};
  return [name, result, time, thingName, certificateId, step, code, reason, next].map((cell) => cell ?? "");
}

function renderCsv(_: ReportHead, results: readonly DeviceResult[]): string {
  return csvText([columns, ...results.map(cellsOf)]);
}

function renderJson({ method, endpoint, startedAt, endedAt }: ReportHead, results: readonly DeviceResult[]): string {
  const head = { method, endpoint, startedAt: startedAt.toISOString(), endedAt: endedAt.toISOString() };
  return `${JSON.stringify({ ...head, summary: summarize(results), devices: results }, null, 2)}\n`;
}

const style = `
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #222; background: #fff; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0 2rem; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #ddd; vertical-align: top; }
td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.bar { background: #2a6fdb; height: .8rem; min-width: 1px; }
.failed { color: #b00020; }
code { font-size: .85em; word-break: break-all; }
@media (prefers-color-scheme: dark) {
  body { color: #ddd; background: #16181c; } th, td { border-color: #333; } .failed { color: #ff8a8a; }
}`;

/** One file, without scripts and without anything from elsewhere: it can be sent as it is. */
function renderHtml(head: ReportHead, results: readonly DeviceResult[]): string {
  const { devices, provisioned, failed, medianMs, p95Ms, maxMs, steps } = summarize(results);
  const seconds = (head.endedAt.getTime() - head.startedAt.getTime()) / 1_000;
  const number = (value: number) => `<td class="number">${value.toFixed(0)}</td>`;
  const stepRows = steps.map(
    ({ name, devices: count, medianMs: median, p95Ms: p95, maxMs: most, share }) =>
      `<tr><td>${html(stepWords(name))}</td>${number(count)}${number(median)}${number(p95)}${number(most)}` +
      `<td><div class="bar" style="width: ${(share * 100).toFixed(1)}%" title="${(share * 100).toFixed(1)} %"></div></td></tr>`,
  );
  // Those that need somebody stand first.
  const inOrder = [...results].sort(
    (left, right) => Number(left.failure === undefined) - Number(right.failure === undefined),
  );
  const deviceRows = inOrder.map(({ name, thingName, durationMs, certificateId, failure }) => {
    const thing = thingName === undefined || thingName === name ? "" : `<br>thing ${html(thingName)}`;
    const outcome =
      failure === undefined
        ? `provisioned${certificateId === undefined ? "" : `<br><code>${html(certificateId)}</code>`}`
        : `<span class="failed">${html(stepWords(failure.step ?? "before the first step"))}: ${html(failure.code)}</span><br>` +
          `${html(failure.reason)}${failure.next === undefined ? "" : `<br>Next: ${html(failure.next)}`}`;
    return `<tr><td>${html(name)}${thing}</td>${number(durationMs)}<td>${outcome}</td></tr>`;
  });
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Provisioning of ${devices} devices</title>
<style>${style}
</style>
<h1>Provisioning of ${devices} devices</h1>
<p>${provisioned} provisioned, <span${failed > 0 ? ' class="failed"' : ""}>${failed} failed</span>.
Method ${html(head.method)}, at ${html(head.endpoint)}, the last run from ${head.startedAt.toISOString()}, ${seconds.toFixed(1)} s.
A device took ${medianMs.toFixed(0)} ms (median), ${p95Ms.toFixed(0)} ms (95 %), ${maxMs.toFixed(0)} ms (longest).</p>
<h2>Where the time goes</h2>
<table>
<tr><th>step<th>devices<th>median ms<th>95 % ms<th>longest ms<th>share of all time</tr>
${stepRows.join("\n")}
</table>
<h2>Devices</h2>
<table>
<tr><th>device<th>ms<th>result</tr>
${deviceRows.join("\n")}
</table>
</html>
`;
}
