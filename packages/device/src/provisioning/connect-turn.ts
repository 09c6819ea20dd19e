import type { ThinglineError } from "@thingline/protocol";
import { attemptsMax, isRefusal, notIntroduced, notProved, retryDelayMs } from "./failures.js";
import { deletesOf, deviceEffects } from "./plans.js";
import { ThingTurn } from "./thing-turn.js";
import type { ProvisioningEffect } from "./types.js";

/** The part of the machine that connects with the device's own credentials, and decides what follows a failed connection. */
export abstract class ConnectTurn extends ThingTurn {
  protected connectDevice(): void {
    const { progress, config } = this.state;
    const isNew = progress.phase.name === "written";
    if (config.keys === "own" && isNew) this.stepStarted("introduceCertificate");
    else this.stepStarted("connectDevice");
    this.set({ connectAttempts: 0, isNew });
    this.enter({ name: "connectingDevice" }, deviceEffects(this.state));
  }

  protected connectFailed(error: ThinglineError, as: "claim" | "device"): void {
    const { config } = this.state;
    const attempts = this.state.connectAttempts + 1;
    this.set({ connectAttempts: attempts });
    const max = attemptsMax(error, as, config);
    if (attempts < max) {
      this.note(`attempt ${attempts} of ${max} failed: ${error.message}`, error);
      this.#introduced();
      const wait: ProvisioningEffect[] = [
        { type: "disconnect" },
        { type: "wait", delayMs: retryDelayMs(attempts, config.limits) },
      ];
      const again: ProvisioningEffect[] =
        as === "claim" ? [{ type: "connect", as: "claim", secTag: config.claimTag }] : deviceEffects(this.state);
      return this.enter(this.state.stage, [...wait, ...again]);
    }
    if (as === "claim" || !isRefusal(error)) return this.fail(error);
    this.#deviceRefused(error, attempts);
  }

  /** The cloud has seen the certificate, whatever it did with it. */
  #introduced(): void {
    if (this.state.openSteps.introduceCertificate === undefined) return;
    this.stepDone("introduceCertificate");
    this.stepStarted("connectDevice");
  }

  #deviceRefused(error: ThinglineError, attempts: number): void {
    const { progress, config } = this.state;
    // There is no way back from a certificate of one's own, and nothing better to come.
    if (config.keys === "own") return this.fail(notIntroduced(error, attempts, config.deviceTag));
    if (progress.phase.name === "provisioned") {
      // What was good once and is refused now was revoked. It stays in its tag until there is something better.
      this.note(`security tag ${config.deviceTag} is refused, back to the claim: ${error.message}`, error);
      this.stepFailed(error);
      this.set({ isDeviceRefused: true });
      return this.prepareClaim([{ type: "disconnect" }]);
    }
    this.set({ progress: { ...progress, unprovedCount: progress.unprovedCount + 1 } });
    if (this.#isDoubtful && this.state.renewals < config.limits.renewalsMax) {
      const reason = "it was not known whether the certificate had been registered, and it had not";
      this.note(`${reason}. Another one is asked for`, error);
      this.stepFailed(error);
      this.set({ renewals: this.state.renewals + 1 });
      return this.clean(reason);
    }
    this.undo(notProved(error, attempts, config.deviceTag), [
      { type: "disconnect" },
      { type: "linkOffline" },
      ...deletesOf(this.state),
    ]);
  }

  /** RegisterThing was called for the certificate, and nobody heard what became of it. */
  get #isDoubtful(): boolean {
    const { config, progress } = this.state;
    return config.registers && progress.registration === undefined;
  }

  protected provisioned(): void {
    const { phase } = this.state.progress;
    if (phase.name !== "provisioned") throw new Error("the device was connected without credentials of its own");
    this.#introduced();
    this.stepDone("connectDevice");
    const { isNew } = this.state;
    this.finish({ type: "provisioned", isNew, credentials: phase.credentials });
  }
}
