import type { ThinglineError } from "@thingline/protocol";
import { deletesOf } from "./plans.js";
import { discardOpen, discardPhase, recordOutcome } from "./progress.js";
import { TurnBase } from "./turn.js";
import type { ProvisioningEffect, ProvisioningOutcome } from "./types.js";

/** The part of the machine that ends a run, and undoes what must not stay. */
export abstract class EndingTurn extends TurnBase {
  /** What was issued is kept for the next run; what was asked for is closed in the history, if there is anything. */
  protected fail(error: ThinglineError): void {
    this.stepFailed(error);
    const progress = discardOpen(this.state.progress, error.message);
    const isChanged = progress.history.some((entry, at) => entry.outcome !== this.state.progress.history[at]?.outcome);
    // A progress that could not be read or written is not written over.
    const isKept = progress.phase.name === "issued";
    const save: ProvisioningEffect[] =
      (isChanged || isKept) && error.code !== "FILE_UNREADABLE" ? [{ type: "saveProgress", progress }] : [];
    this.set({ progress });
    this.enter({ name: "failing", error }, [...save, { type: "disconnect" }]);
  }

  /** Undoes what was written and restores the link, then fails. */
  protected undo(error: ThinglineError, effects: readonly ProvisioningEffect[]): void {
    this.stepFailed(error);
    const { progress, stage } = this.state;
    const reason = error.message;
    let undone = progress;
    if (["keyReady", "issued", "writing", "written"].includes(progress.phase.name)) {
      undone = discardPhase(progress, reason);
    } else if ("pair" in stage) {
      undone = recordOutcome(progress, stage.pair.certificate.certificateId, "discarded", reason);
    }
    undone = discardOpen(undone, reason);
    this.set({ progress: undone });
    this.enter({ name: "undoing", error }, [
      ...effects,
      { type: "saveProgress", progress: undone },
      { type: "linkNormal" },
    ]);
  }

  /** Fails with whatever lies in the security tags: the next run goes on from there. */
  protected leave(error: ThinglineError, effects: readonly ProvisioningEffect[] = []): void {
    this.stepFailed(error);
    this.enter({ name: "undoing", error }, [...effects, { type: "linkNormal" }]);
  }

  /** What the device's tag holds must not be used; then the claim. */
  protected clean(reason: string): void {
    this.set({ progress: discardPhase(this.state.progress, reason) });
    this.enter({ name: "cleaning" }, [
      { type: "disconnect" },
      { type: "linkOffline" },
      ...deletesOf(this.state),
      { type: "saveProgress", progress: this.state.progress },
    ]);
  }

  protected finishFailed(error: ThinglineError): void {
    this.stepFailed(error);
    this.finish({ type: "failed", error });
  }

  protected finish(outcome: ProvisioningOutcome): void {
    this.set({
      stage: { name: "finished", outcome },
      plan: [],
      inFlight: undefined,
    });
    this.outputs.push({ type: "finished", outcome });
  }
}
