import type { FirmwareJudgement } from "@thingline/modem";
import type { Output } from "../output.js";

/** A revision for people: what it is good for, and what not. */
export function judgementLines(output: Output, revision: string, judged: FirmwareJudgement | undefined): string {
  const { paint } = output;
  const wrap = (text: string, indent: number) => output.wrap(text, indent);
  if (judged === undefined) return `  ${wrap(`${revision} is no name of a modem firmware that is known here`, 2)}`;
  if (judged.verdict === "unknown") return `  ${wrap("what this build is good for is not known here", 2)}`;
  const verdict =
    judged.verdict === "fine"
      ? paint.green("recent enough for what Thingline needs")
      : paint.red("too old for what Thingline needs");
  const lines = judged.needs.map(({ description, isMet, isRequired, from }) => {
    const mark = isMet ? paint.green("✓") : isRequired ? paint.red("✗") : paint.yellow("-");
    const since = isMet ? "" : from === undefined ? " (not in this family)" : ` (from ${from} on)`;
    return `  ${mark} ${wrap(`${description}${since}`, 4)}`;
  });
  return [`  ${verdict}`, ...lines].join("\n");
}

/** The same for programs. */
export function judgementFacts(revision: string, judged: FirmwareJudgement | undefined) {
  return {
    revision,
    family: judged?.revision.family ?? null,
    version: judged?.revision.version.join(".") ?? null,
    verdict: judged?.verdict ?? "unknown",
    needs: (judged?.needs ?? []).map(({ name, isMet, isRequired, from = null }) => ({ name, isMet, isRequired, from })),
  };
}
