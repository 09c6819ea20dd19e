import { csvText, htmlText as html } from "../report-text.js";
import type { BoardResult } from "./board-result.js";

/** What stands above a report of a line. */
export interface LineHead {
  startedAt: Date;
  endedAt: Date;
  /** Where the credentials were connected to; undefined where nothing was proved. */
  prove?: string | undefined;
}

export interface LineSummary {
  boards: number;
  written: number;
  unchanged: number;
  failed: number;
  medianMs: number;
  longestMs: number;
}

export function summarizeLine(results: readonly BoardResult[]): LineSummary {
  const count = (wanted: BoardResult["result"]) => results.filter(({ result }) => result === wanted).length;
  const durations = results.map(({ durationMs }) => durationMs).toSorted((left, right) => left - right);
  return {
    boards: results.length,
    ...{ written: count("written"), unchanged: count("unchanged"), failed: count("failed") },
    medianMs: durations[Math.max(0, Math.ceil(durations.length / 2) - 1)] ?? 0,
    longestMs: durations.at(-1) ?? 0,
  };
}

export function renderLineReport(
  kind: "csv" | "json" | "html",
  head: LineHead,
  results: readonly BoardResult[],
): string {
  return { csv: renderCsv, json: renderJson, html: renderHtml }[kind](head, results);
}

const types = ["ca", "certificate", "privateKey"] as const;
const columns = [
  ...["imei", "port", "model", "firmware", "secTag", "source", "result", "proved"],
  ...types.flatMap((type) => [`${type}Sha256`, `${type}State`]),
  ...["durationMs", "failedStep", "code", "reason"],
];

const provedText = ({ isProved }: BoardResult): string => (isProved === undefined ? "" : isProved ? "yes" : "no");

function cellsOf(result: BoardResult): string[] {
  const { imei, port, model, firmware, secTag, source, items, durationMs, failure } = result;
  const digests = types.flatMap((type) => {
    const item = items.find((each) => each.type === type);
    return [item?.sha256, item?.state];
  });
  return [
    ...[imei, port, model, firmware, secTag?.toString(), source, result.result, provedText(result)],
    ...digests,
    ...[durationMs.toFixed(0), failure?.step, failure?.code, failure?.reason],
  ].map((cell) => cell ?? "");
}

function renderCsv(_: LineHead, results: readonly BoardResult[]): string {
  return csvText([columns, ...results.map(cellsOf)]);
}

function renderJson({ startedAt, endedAt, prove }: LineHead, results: readonly BoardResult[]): string {
  const head = { startedAt: startedAt.toISOString(), endedAt: endedAt.toISOString(), prove: prove ?? null };
  return `${JSON.stringify({ ...head, summary: summarizeLine(results), boards: results }, null, 2)}\n`;
}

const style = `
:root { color-scheme: light dark; --ink: #1d2126; --soft: #5b6470; --paper: #fff; --line: #d9dee5; --good: #11703c; --bad: #b00020; --same: #2456a6; --bar: #eef1f5; }
@media (prefers-color-scheme: dark) { :root { --ink: #e3e6ea; --soft: #9aa4b1; --paper: #15181c; --line: #343a42; --good: #6fd29b; --bad: #ff8a8a; --same: #8fb8ff; --bar: #23272d; } }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem; color: var(--ink); background: var(--paper); }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; } p { margin: .25rem 0; } .soft { color: var(--soft); }
.counts { display: flex; flex-wrap: wrap; gap: 2rem; margin: 1.25rem 0 .5rem; padding: 0; list-style: none; }
.counts b { display: block; font-size: 1.9rem; line-height: 1.1; font-variant-numeric: tabular-nums; }
.bar { display: flex; height: .6rem; background: var(--bar); border-radius: .3rem; overflow: hidden; }
.bar i { display: block; } .written { color: var(--good); } .failed { color: var(--bad); } .unchanged { color: var(--same); }
.bar .written { background: var(--good); } .bar .failed { background: var(--bad); } .bar .unchanged { background: var(--same); }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .4rem .7rem .4rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { font-weight: 600; } td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
code { font: .85em ui-monospace, monospace; overflow-wrap: anywhere; } td b, td.port code { white-space: nowrap; } th .soft { font-weight: 400; } td.what { min-width: 18rem; }
summary { cursor: pointer; color: var(--soft); } dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 .75rem; margin: .25rem 0; } dt { color: var(--soft); } dd { margin: 0; }`;

const marks = { written: "✓ written", unchanged: "= unchanged", failed: "✗ failed" } as const;
/** In front of the digest, which is of what was wanted: it must not pass for what is there. */
const stateWords = {
  equal: "",
  differs: "another one, instead of ",
  missing: "nothing, instead of ",
  unknown: "not known, wanted ",
};

/** Of one that failed it is open: what is in the tag is what somebody wants to know. */
function renderDigests({ items, result }: BoardResult): string {
  if (items.length === 0) return "";
  const rows = items.map(
    ({ type, sha256, state }) => `<dt>${html(type)}</dt><dd>${stateWords[state]}<code>${html(sha256)}</code></dd>`,
  );
  const [open, title] = result === "failed" ? [" open", "in the tag now"] : ["", "digests"];
  return `<details${open}><summary>${title}</summary><dl>${rows.join("")}</dl></details>`;
}

function renderBoard(result: BoardResult): string {
  const { imei, port, model, firmware, secTag, source, durationMs, failure } = result;
  const what = [model, firmware].filter((part) => part !== undefined && part !== "").join(", ");
  const reason =
    failure === undefined
      ? source === undefined
        ? ""
        : `<span class="soft">from ${html(source)}</span>`
      : `<b>${html(failure.code)}</b>${failure.step === undefined ? "" : ` <span class="soft">(${html(failure.step)})</span>`}<br>${html(failure.reason)}`;
  const proved = result.isProved === true ? "<br>proved" : "";
  return (
    `<tr><th scope="row">${html(imei ?? "not told")}<br><span class="soft">${html(what)}</span></th><td class="port"><code>${html(port)}</code></td>` +
    `<td><b class="${result.result}">${marks[result.result]}</b>${proved}</td><td class="number">${secTag ?? ""}</td>` +
    `<td class="what">${reason}${renderDigests(result)}</td><td class="number">${(durationMs / 1000).toFixed(1)} s</td></tr>`
  );
}

/** One file, without scripts and without anything from elsewhere: it can be sent as it is, and read without colours. */
function renderHtml(head: LineHead, results: readonly BoardResult[]): string {
  const { boards, written, unchanged, failed, medianMs, longestMs } = summarizeLine(results);
  const part = (name: keyof typeof marks, count: number) =>
    count === 0 ? "" : `<i class="${name}" style="width: ${((count / Math.max(1, boards)) * 100).toFixed(2)}%"></i>`;
  // Those that need somebody stand first.
  const order = { failed: 0, written: 1, unchanged: 2 } as const;
  const inOrder = results.toSorted((left, right) => order[left.result] - order[right.result]);
  const seconds = (head.endedAt.getTime() - head.startedAt.getTime()) / 1000;
  const proof =
    head.prove === undefined ? "Nothing was asked to be proved." : `Proved by connecting to ${html(head.prove)}.`;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Credentials of ${boards} boards</title>
<style>${style}
</style>
<main>
<h1>Credentials of ${boards} board${boards === 1 ? "" : "s"}</h1>
<p class="soft">The last run began at <time datetime="${head.startedAt.toISOString()}">${head.startedAt.toISOString().replace("T", " ").slice(0, 19)} UTC</time> and took ${seconds.toFixed(1)} s. ${proof}</p>
<ul class="counts">
<li class="failed"><b>${failed}</b>failed</li>
<li class="written"><b>${written}</b>written and verified</li>
<li class="unchanged"><b>${unchanged}</b>had them already</li>
<li><b>${(medianMs / 1000).toFixed(1)} s</b>a board (median), ${(longestMs / 1000).toFixed(1)} s the longest</li>
</ul>
<div class="bar" role="img" aria-label="${failed} failed, ${written} written, ${unchanged} unchanged">${part("failed", failed)}${part("written", written)}${part("unchanged", unchanged)}</div>
<h2>Boards</h2>
<div class="wide" tabindex="0" role="region" aria-label="Boards">
<table>
<thead><tr><th scope="col">IMEI</th><th scope="col">port</th><th scope="col">result</th><th scope="col">tag</th><th scope="col">what there is to know</th><th scope="col">time</th></tr></thead>
<tbody>
${inOrder.map(renderBoard).join("\n")}
</tbody>
</table>
</div>
</main>
</html>
`;
}
