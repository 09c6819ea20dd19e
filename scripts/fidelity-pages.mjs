// The pages about fidelity as text: an index and a page an area, in lines that an editor shows without wrapping.
import { sortArea, states } from "./fidelity-data.mjs";

const lineWidth = 100;
const notice = "<!-- Written by `npm run fidelity` from docs/fidelity/data. Edit the data. -->";
const stateNames = { storedOnly: "stored only" };
const nameOf = (state) => stateNames[state] ?? state;
const capital = (text) => text[0].toUpperCase() + text.slice(1);

/** Breaks a text at blanks. A code span stays in one piece, and no line begins like a list, heading or quote. */
export function wrap(text, { first = "", next = "", width = lineWidth } = {}) {
  const lines = [];
  let line = first;
  let isEmpty = true;
  for (const word of text.match(/(?:`[^`]*`|[^\s`]|`)+/g) ?? []) {
    const isMarkup = /^([-+*>#]+|\d+[.)])$/.test(word);
    if (!isEmpty && line.length + 1 + word.length > width && !isMarkup) {
      lines.push(line);
      line = next + word;
    } else {
      line += isEmpty ? word : ` ${word}`;
    }
    isEmpty = false;
  }
  lines.push(line);
  return lines.join("\n");
}

/** Text of a record for Markdown: outside of code spans nothing of it is markup. */
export function escapeText(text) {
  return text
    .split(/(`[^`]*`)/)
    .map((part, index) => (index % 2 === 1 ? part : part.replace(/[\\*_<>[\]|#`]/g, "\\$&")))
    .join("");
}

const sentence = (text) => (/[.!?]$/.test(text) ? text : `${text}.`);

function recordLines({ id, behaviour, state, unconfirmed, source, remark, tests }, area) {
  const item = { first: "- ", next: "  " };
  const parts = [
    `## ${id.slice(area.length + 1)}`,
    "",
    wrap(sentence(capital(escapeText(behaviour)))),
    "",
    `- **${nameOf(state)}**${unconfirmed ? ", unconfirmed" : ""}`,
    wrap(`source: ${escapeText(source)}`, item),
  ];
  if (remark !== undefined) parts.push(wrap(`remark: ${escapeText(remark)}`, item));
  for (const path of tests) parts.push(`- test: \`${path}\``);
  return [...parts, ""];
}

/** A record of an area of many that have little to tell: a line or two. */
function listLines({ behaviour, state, unconfirmed, remark, tests }) {
  const parts = [`\`${behaviour}\`: **${nameOf(state)}**${unconfirmed ? ", unconfirmed" : ""}`];
  if (remark !== undefined) parts.push(escapeText(remark));
  if (tests.length > 0) parts.push(`tests: ${tests.map((path) => `\`${path}\``).join(", ")}`);
  return [wrap(parts.join("; "), { first: "- ", next: "  " })];
}

function countByState(records) {
  const counts = Object.fromEntries(Object.keys(states).map((state) => [state, 0]));
  for (const { state } of records) counts[state] += 1;
  return counts;
}

export function writeAreaPage(data) {
  const { area, title, text, layout, records } = sortArea(data);
  const counts = Object.entries(countByState(records)).filter(([, count]) => count > 0);
  const summary = counts.map(([state, count]) => `${count} ${nameOf(state)}`).join(", ");
  const lines = [`# ${title}`, "", notice, ""];
  if (text !== undefined) lines.push(wrap(escapeText(text)), "");
  lines.push(wrap(`${records.length} behaviours: ${summary}. What the words mean: [fidelity](../fidelity.md).`), "");
  for (const record of records) lines.push(...(layout === "list" ? listLines(record) : recordLines(record, area)));
  return `${lines.join("\n").trimEnd()}\n`;
}

export function writeIndex(areas) {
  const names = Object.keys(states);
  const all = Object.values(areas).flatMap(({ records }) => records);
  const row = (head, records) => `| ${head} | ${Object.values(countByState(records)).join(" | ")} |`;
  const lines = [
    "# Fidelity",
    "",
    notice,
    "",
    wrap(
      "What the local cloud, the device library and the simulated modem do as AWS and Nordic do, and what not. " +
        "Each behaviour is a record in `docs/fidelity/data`, one file an area, and has one state:",
    ),
    "",
    ...names.map((state) => wrap(`**${nameOf(state)}**: ${states[state]}`, { first: "- ", next: "  " })),
    "",
    wrap(
      "A record names its source: public documentation, or what others observed. Source **choice** says that AWS or " +
        "Nordic do not define it, **ours** that the original has nothing like it. **Unconfirmed** is what nobody " +
        "could confirm.",
    ),
    "",
    `| area | ${names.map(nameOf).join(" | ")} |`,
    `| --- |${" ---: |".repeat(names.length)}`,
    ...Object.values(areas).map(({ area, title, records }) => row(`[${title}](fidelity/${area}.md)`, records)),
    row(`all ${all.length}`, all),
    "",
    wrap("`node scripts/fidelity.mjs --json` prints all records, each with its area, for programs."),
  ];
  return `${lines.join("\n")}\n`;
}

/** Every page by its path from the root. */
export function writePages(areas) {
  const pages = { "docs/fidelity.md": writeIndex(areas) };
  for (const data of Object.values(areas)) pages[`docs/fidelity/${data.area}.md`] = writeAreaPage(data);
  return pages;
}
