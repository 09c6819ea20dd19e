import type { FotaEvent } from "@thingline/device/fota";
import type { BoardReport } from "@thingline/sim";
import type { Output } from "./output.js";
import { shortVersion } from "./short-version.js";

const barWidth = 24;

/** A bar of so many percent, as wide as any other. */
export function progressBar(percent: number): string {
  const bounded = Math.min(100, Math.max(0, percent));
  const full = Math.round((bounded / 100) * barWidth);
  return `${"█".repeat(full)}${"░".repeat(barWidth - full)} ${String(Math.floor(bounded)).padStart(3)} %`;
}

/** One line for people about an event; undefined for those that only move something. */
export function describeFotaEvent(event: FotaEvent): string | undefined {
  switch (event.type) {
    case "started":
      return event.isResumed && event.offset > 0 ? `going on at byte ${event.offset}` : undefined;
    case "erasePending":
      return "making room takes long";
    case "eraseDone":
    case "progress":
    case "done":
      return undefined;
    case "downloaded":
      return `${event.sizeBytes} bytes are on flash`;
    case "verified":
      return `version ${shortVersion(event.version ?? "unknown")}: hash and signature of what lies on flash`;
    case "installed":
      return "the bootloader will try it at the next boot";
    case "rebooting":
      return event.why === "install" ? "to try the new image" : "to go back to the image before";
    case "booted":
      return `version ${shortVersion(event.version)} runs, on trial`;
    case "healthy":
      return `version ${shortVersion(event.version)} passed its check and is connected`;
    case "confirmed":
      return `version ${shortVersion(event.version)} stays`;
    case "error":
      return `${event.reason}: ${event.message}`;
    case "cancelled":
      return `job ${event.jobId} was taken away`;
    case "note":
      return event.message;
  }
}

/** What the bootloader did, when it did something. */
export function describeBoot({ swapType, isResumed, refusals }: BoardReport): string | undefined {
  const words: Partial<Record<BoardReport["swapType"], string>> = {
    test: "swapped the slots, for one boot",
    permanent: "swapped the slots",
    revert: "swapped the slots back: the image on trial was not confirmed",
    fail: "did not take the image",
  };
  const [refusal] = refusals;
  const what = words[swapType];
  if (what === undefined) return undefined;
  const why = refusal === undefined ? "" : ` (${refusal.code})`;
  return `${isResumed ? "went on after the power cut, and " : ""}${what}${why}`;
}

/** Where the time of a step begins: the longest of them fits before it on a terminal of 80. */
const timeColumn = 70;

/**
 * The phases of an update as steps with a tick and their times, a moving bar while it downloads, and events with `--json`.
 *
 * @param now milliseconds, of any beginning.
 */
export function createUpdateView(
  output: Output,
  now: () => number = () => performance.now(),
): {
  fota(event: FotaEvent): void;
  booted(report: BoardReport): void;
  end(): void;
} {
  const { paint } = output;
  const nameWidth = 12;
  let noted = "";
  let status: ReturnType<Output["status"]> | undefined;
  let lastAtMs = now();
  /** Since the step before it. */
  const duration = () => {
    const nowMs = now();
    const durationMs = nowMs - lastAtMs;
    lastAtMs = nowMs;
    return `${durationMs.toFixed(0).padStart(6)} ms`;
  };
  const line = (mark: string, name: string, text: string, time = "") => {
    const head = `${mark} ${name.padEnd(nameWidth)} `;
    const room = timeColumn - nameWidth - 3;
    if (time === "" || text.length > room) return head + output.wrap(text, nameWidth + 3);
    return `${head}${text.padEnd(room)}${paint.dim(time)}`;
  };
  const end = () => {
    status?.end();
    status = undefined;
  };
  const showLive = (name: string, text: string) => {
    status ??= output.status();
    status.show(`${name.padEnd(nameWidth)} ${text}`, true);
  };
  return {
    fota(event) {
      const { type, ...facts } = event;
      if (type === "progress") showLive("downloading", progressBar(event.percent));
      else if (type !== "note") end();
      // What a note has said is not said again.
      const isNoted = event.type === "error" && event.message === noted;
      const text = isNoted ? event.reason : describeFotaEvent(event);
      if (event.type === "note") noted = event.message;
      const mark = { error: paint.red("✗"), cancelled: paint.yellow("–"), note: " ", rebooting: paint.dim("↻") };
      const shown = type in mark ? mark[type as keyof typeof mark] : paint.green("✓");
      const told = text === undefined ? undefined : line(shown, type, text, type in mark ? "" : duration());
      output.event({ event: "fota", phase: type, ...facts }, told);
      if (type === "rebooting") showLive("bootloader", "swaps the slots");
    },
    booted(report) {
      end();
      const text = describeBoot(report);
      const { runs, swapType, isResumed, refusals, warnings } = report;
      const version = runs?.version ?? null;
      output.event(
        { event: "boot", version, isOnTrial: runs?.isOnTrial ?? false, swapType, isResumed, refusals, warnings },
        text === undefined ? undefined : line(paint.dim("↻"), "bootloader", text, duration()),
      );
      if (text !== undefined)
        showLive("connecting", runs?.version === undefined ? "" : `with ${shortVersion(runs.version)}`);
    },
    end,
  };
}
