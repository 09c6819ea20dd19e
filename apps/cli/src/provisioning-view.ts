import {
  stepTitle,
  type ProvisioningEvent,
  type ProvisioningStepName,
  type StepEvent,
} from "@thingline/device/provisioning";
import type { Output, RunningStep } from "./output.js";

/** AWS IoT Core takes one CONNECT a second of a client id, which matters to a device that has one and the same with its claim. */
const connectWait = " (AWS: 1 CONNECT/s)";
const noticeableMs = 200;

/** Below the titles of the steps. */
const noteIndent = 9;

/** Shows the steps while they run: a live line on a terminal, one line each when they end, events with `--json`. */
export function createProvisioningView(
  output: Output,
  tags: { claimTag: number; deviceTag: number },
  facts: { hasOwnKey: boolean; hasOneClientId: boolean },
): { show(event: ProvisioningEvent): void; end(): void } {
  const running = new Map<ProvisioningStepName, RunningStep>();
  const { paint } = output;
  const label = ({ step, of, name }: StepEvent, remark = "") =>
    `${String(step).padStart(2)}/${of}  ${`${stepTitle(name, tags, facts)}${remark}`.padEnd(52)}`;
  const show = (event: ProvisioningEvent) => {
    switch (event.type) {
      case "stepStarted":
        output.event({ event: "stepStarted", step: event.step, of: event.of, name: event.name });
        if (!output.isJson) running.set(event.name, output.begin(label(event)));
        return;
      case "stepFinished": {
        const durationMs = Math.round(event.durationMs * 10) / 10;
        const time = `${durationMs.toFixed(0).padStart(6)} ms`;
        if (output.isJson) {
          const failure =
            event.result === "failed" ? { code: event.error.code, message: event.error.message, next: event.next } : {};
          const { type, step, of, name, result } = event;
          output.event({ event: type, step, of, name, result, durationMs, ...failure });
          return;
        }
        const step = running.get(event.name) ?? output.begin(label(event));
        running.delete(event.name);
        if (event.result === "failed") {
          // The message comes at the end, or came as a note when the flow goes on.
          step.end(`${paint.red("✗")} ${label(event)}${time}  ${paint.red("failed")}`);
        } else if (event.result === "done") {
          const waits = facts.hasOneClientId && event.step === event.of && durationMs > noticeableMs;
          step.end(`${paint.green("✓")} ${label(event, waits ? connectWait : "")}${paint.dim(time)}`);
        } else if (event.result === "skipped") step.end(`${paint.dim("–")} ${label(event)}${paint.dim("skipped")}`);
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
      case "thingRegistered": {
        const { thingName, deviceConfiguration } = event;
        const members = Object.keys(deviceConfiguration).length;
        const named = thingName === undefined ? "the template names no thing" : `thing ${thingName}`;
        const told = members === 0 ? "" : `; ${members} member${members === 1 ? "" : "s"} of device configuration`;
        const text = `registered: ${named}${told}`;
        output.event(
          { event: "thingRegistered", ...(thingName !== undefined && { thingName }), deviceConfiguration },
          output.paragraph(text, noteIndent),
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
