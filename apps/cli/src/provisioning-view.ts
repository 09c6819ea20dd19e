import {
  provisioningSteps,
  stepTitle,
  type ProvisioningEvent,
  type ProvisioningStepName,
} from "@thingline/device/provisioning";
import type { Output, RunningStep } from "./output.js";

const stepNumbers = new Map<ProvisioningStepName, number>(provisioningSteps.map(({ name, number }) => [name, number]));

/** AWS IoT Core takes one CONNECT a second of a client id, and the last step connects once more with the same one. */
const connectWait = " (AWS: 1 CONNECT/s)";
const lastStep = 12;
const noticeableMs = 200;

/** Below the titles of the steps. */
const noteIndent = 9;

/** Shows the twelve steps while they run: a live line on a terminal, one line each when they end, events with `--json`. */
export function createProvisioningView(
  output: Output,
  tags: { claimTag: number; deviceTag: number },
): { show(event: ProvisioningEvent): void; end(): void } {
  const running = new Map<ProvisioningStepName, RunningStep>();
  const { paint } = output;
  const label = (name: ProvisioningStepName, remark = "") =>
    `${String(stepNumbers.get(name)).padStart(2)}/12  ${`${stepTitle(name, tags)}${remark}`.padEnd(52)}`;
  const show = (event: ProvisioningEvent) => {
    switch (event.type) {
      case "stepStarted":
        output.event({ event: "stepStarted", step: event.step, name: event.name });
        if (!output.isJson) running.set(event.name, output.begin(label(event.name)));
        return;
      case "stepFinished": {
        const durationMs = Math.round(event.durationMs * 10) / 10;
        const time = `${durationMs.toFixed(0).padStart(6)} ms`;
        if (output.isJson) {
          const failure = event.result === "failed" ? { code: event.error.code, message: event.error.message } : {};
          const { type, step, name, result } = event;
          output.event({ event: type, step, name, result, durationMs, ...failure });
          return;
        }
        const step = running.get(event.name) ?? output.begin(label(event.name));
        running.delete(event.name);
        if (event.result === "failed") {
          // The message comes at the end, or came as a note when the flow goes on.
          step.end(`${paint.red("✗")} ${label(event.name)}${time}  ${paint.red("failed")}`);
        } else if (event.result === "done") {
          const waits = event.step === lastStep && durationMs > noticeableMs;
          step.end(`${paint.green("✓")} ${label(event.name, waits ? connectWait : "")}${paint.dim(time)}`);
        } else if (event.result === "skipped")
          step.end(`${paint.dim("–")} ${label(event.name)}${paint.dim("skipped")}`);
        return;
      }
      case "caChosen": {
        const words = {
          option: "the one of --ca",
          claimTag: `that of security tag ${tags.claimTag}`,
          builtIn: "the built-in Amazon Root CA 1",
        };
        output.event(
          { event: "caChosen", source: event.source },
          output.paragraph(`CA: ${words[event.source]}`, noteIndent),
        );
        return;
      }
      case "note":
        output.event(
          { event: "note", message: event.message, ...(event.code === undefined ? {} : { code: event.code }) },
          output.paragraph(event.message, noteIndent),
        );
        return;
    }
  };
  // A flow that is aborted leaves steps without their end.
  const end = () => {
    for (const step of running.values()) step.end();
    running.clear();
  };
  return { show, end };
}
