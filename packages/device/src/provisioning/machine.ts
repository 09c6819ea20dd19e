import type { ThinglineError } from "@thingline/protocol";
import { type AnswerPair, pairOf } from "./answers.js";
import { ConnectTurn } from "./connect-turn.js";
import { notVerified, ownMissing, resumedSession } from "./failures.js";
import { completingPlan, deletesOf, writingPlan } from "./plans.js";
import { newProgress, type ProvisioningProgress, recordLate, type TagCredentials } from "./progress.js";
import { decideRecovery } from "./recovery.js";
import type { ProvisioningState, ProvisioningStep } from "./state.js";
import {
  type EffectResult,
  type ProvisioningEffect,
  type ProvisioningInput,
  type ProvisioningNow,
  type TagItem,
  tagItems,
} from "./types.js";

/** One input, one new state, what to do about it. Pure: the state that is given stays as it is. */
export function stepProvisioning(
  state: ProvisioningState,
  input: ProvisioningInput,
  now: ProvisioningNow,
): ProvisioningStep {
  const turn = new Turn(state, now);
  turn.handle(input);
  return [turn.state, turn.outputs];
}

class Turn extends ConnectTurn {
  handle(input: ProvisioningInput): void {
    if (this.state.stage.name === "finished") return;
    switch (input.type) {
      case "start":
        return this.enter({ name: "loading" }, [{ type: "loadProgress" }, { type: "inspectTags" }]);
      case "succeeded":
        return this.#succeeded(input.result);
      case "failed": {
        const { inFlight } = this.state;
        this.set({ inFlight: undefined });
        if (inFlight) this.#failed(inFlight, input.error);
        return;
      }
      case "answer":
        return this.answer(input.answer);
      case "connectionLost": {
        const { name } = this.state.stage;
        if (this.isIdle && (name === "awaiting" || name === "awaitingThing")) this.claimLost(input.error);
        return;
      }
      case "tick":
        return this.#look();
      case "aborted":
        return this.finishFailed(input.error);
    }
  }

  #look(): void {
    const { stage } = this.state;
    if (!this.isIdle) return;
    if (stage.name === "awaiting") this.await(stage);
    else if (stage.name === "awaitingThing") this.awaitThing(stage);
  }

  // What an effect brought

  #succeeded(result: EffectResult): void {
    const { stage, config, inFlight } = this.state;
    this.set({ inFlight: undefined });
    if (inFlight) this.#done(inFlight);
    switch (result.of) {
      case "loadProgress":
        if (result.problem !== undefined) this.note(result.problem);
        this.set({ remembered: result.progress });
        break;
      case "inspectTags":
        this.set({ tags: { claim: result.claim, device: result.device } });
        break;
      case "makeKey":
        this.#inTag(config.deviceTag, "privateKey", result.key.sha256);
        this.keyMade(result.key);
        break;
      case "identify":
        this.#identified(result.certificateId);
        break;
      case "connect":
        if (stage.name === "connectingDevice" && result.isResumed) {
          return this.connectFailed(resumedSession(config.deviceTag), "device");
        }
        break;
      case "chooseCa":
        this.event({ type: "caChosen", source: result.source });
        if (result.note !== undefined) this.note(result.note);
        this.#caChosen(result.sha256);
        break;
      case "readDigest":
        if (inFlight?.type === "readDigest" && !this.#verified(inFlight.item, result.sha256)) return;
        break;
      case "nothing":
        if (result.note !== undefined) this.note(result.note);
        break;
    }
    this.next();
  }

  /** What is known from an effect alone: what the tags hold now, what is remembered. */
  #done(effect: ProvisioningEffect): void {
    if (effect.type === "saveProgress") this.#saved(effect.progress);
    else if (effect.type === "deleteCredential") this.#inTag(effect.secTag, effect.item, undefined);
    else if (effect.type === "writeCredential") this.#inTag(effect.secTag, effect.item, effect.sha256);
  }

  #inTag(secTag: number, item: TagItem, sha256: string | undefined): void {
    const { tags, config } = this.state;
    const side = secTag === config.claimTag ? "claim" : "device";
    const { [item]: _, ...others } = tags[side];
    this.set({
      tags: {
        ...tags,
        [side]: sha256 === undefined ? others : { ...others, [item]: sha256 },
      },
    });
  }

  /** While answers may come, what is remembered can be ahead of what was saved. */
  #saved(progress: ProvisioningProgress): void {
    const { name } = this.state.stage;
    if (name === "requesting" || name === "awaiting") return;
    const { late } = this.state;
    this.set({ progress: late.reduce((sum, each) => recordLate(sum, each.certificateId, each.unixMs), progress) });
  }

  #caChosen(sha256: string): void {
    const { stage, progress } = this.state;
    if (stage.name !== "writing" && stage.name !== "completing") return;
    const { credentials, plan } =
      stage.name === "writing"
        ? writingPlan(this.state, stage.pair, sha256)
        : completingPlan(progress, stage.credentials, sha256);
    this.set({ stage: { ...stage, credentials }, plan });
  }

  /** @returns false when the flow went another way. */
  #verified(item: TagItem, found: string | undefined): boolean {
    const { stage, config } = this.state;
    const wanted = this.#wanted(item);
    if (wanted === null || (found !== undefined && found === wanted)) return true;
    const secTag = stage.name === "writingClaim" ? config.claimTag : config.deviceTag;
    const error = notVerified(secTag, item, found);
    if (stage.name === "completing") this.clean(error.message);
    else if (stage.name === "writingClaim") this.leave(error);
    else this.#unwritable(error);
    return false;
  }

  /** What was just written. null: nothing was. */
  #wanted(item: TagItem): string | undefined | null {
    const { stage } = this.state;
    switch (stage.name) {
      case "writing":
        return stage.credentials?.sha256[item];
      case "completing":
        return stage.credentials.sha256[item];
      case "keeping":
        return stage.pair.key.sha256;
      case "writingClaim":
        return this.state.tags.claim[item];
      default:
        return null;
    }
  }

  // What went wrong with an effect

  #failed(effect: ProvisioningEffect, error: ThinglineError): void {
    if (error.code === "ABORTED") return this.finishFailed(error);
    const { stage } = this.state;
    switch (stage.name) {
      case "loading":
      case "identifying":
      case "connectingLte":
      case "goingNormal":
        return this.fail(error);
      case "cleaning":
        // The claim does not look at what is left in the device's tag; only the memory of that must be kept.
        // The modem may have gone offline for it.
        if (effect.type === "saveProgress") return this.leave(error);
        this.noteError(error);
        return this.next();
      case "completing":
        this.noteError(error);
        return this.clean(`the CA could not be added: ${error.message}`);
      case "writingClaim":
      case "makingKey":
        return effect.type === "disconnect" ? this.#skip(error) : this.leave(error);
      case "connectingClaim":
        if (effect.type === "disconnect") return this.#skip(error);
        return effect.type === "connect" ? this.connectFailed(error, "claim") : this.fail(error);
      case "subscribing":
      case "requesting":
      case "awaiting":
      case "registering":
      case "awaitingThing":
        if (effect.type === "saveProgress" || error.code === "MQTT_SUBSCRIPTION_REFUSED") return this.fail(error);
        return this.claimLost(error);
      case "keeping":
        if (effect.type === "saveProgress") return this.fail(error);
        return this.#unwritable(error);
      case "recordingThing":
        // The answer came before the request was done, and matters more.
        return effect.type === "saveProgress" ? this.fail(error) : this.#skip(error);
      case "disconnecting":
      case "clearing":
      case "undoing":
      case "failing":
        return this.#skip(error);
      case "goingOffline":
        return this.#isKept ? this.leave(error) : this.undo(error, []);
      case "writing":
        return this.#unwritable(error);
      case "connectingDevice":
        if (effect.type === "saveProgress") return this.fail(error);
        if (effect.type === "disconnect") return this.#skip(error);
        return this.connectFailed(error, "device");
      case "finished":
        return;
    }
  }

  #skip(error: ThinglineError): void {
    this.noteError(error);
    this.next();
  }

  /** The certificate can be written by another run: its key lies in the tag. */
  get #isKept(): boolean {
    const { phase } = this.state.progress;
    return phase.name === "issued" || (phase.name === "writing" && phase.certificatePem !== undefined);
  }

  /** The device's tag did not take what it was given. */
  #unwritable(error: ThinglineError): void {
    const { progress, stage } = this.state;
    if (stage.name === "keeping") return this.undo(error, [{ type: "disconnect" }, ...deletesOf(this.state)]);
    // Content that a store does not take it will not take the next time either.
    const isContent = error.code === "CREDENTIAL_NOT_VERIFIED" || error.details["cme"] === contentRefused;
    if (this.#isKept && !isContent) return this.leave(error);
    // Until it was remembered that the tag is written, it holds what it held before.
    const isTouched = progress.phase.name === "writing" || progress.phase.name === "issued";
    this.undo(error, isTouched ? deletesOf(this.state) : []);
  }

  // From stage to stage

  protected advance(): void {
    const { stage, config } = this.state;
    switch (stage.name) {
      case "loading":
        return config.keys === "own" ? this.#recoverOwn() : this.#recover();
      case "identifying":
      case "completing":
        return this.connectLte();
      case "cleaning":
        return this.state.progress.phase.name === "claim" ? this.prepareClaim() : this.connectLte();
      case "writingClaim":
        this.stepDone("writeClaim");
        return this.prepareClaim();
      case "makingKey":
        this.stepDone("makeKey");
        return this.connectLte();
      case "connectingLte":
        this.stepDone("connectLte");
        return this.#linked();
      case "connectingClaim":
        this.stepDone("connectClaim");
        if (this.needsKey) return this.makeKey([{ type: "disconnect" }]);
        this.stepStarted("subscribe");
        return this.enter({ name: "subscribing" }, [{ type: "subscribe" }]);
      case "subscribing":
        this.stepDone("subscribe");
        return this.#subscribed();
      case "requesting":
        return this.requested();
      case "awaiting":
      case "awaitingThing":
        return this.#look();
      case "keeping":
        this.stepDone("keepIssued");
        return config.registers ? this.registerThing(stage.pair) : this.leaveClaim(stage.pair);
      case "registering":
        return this.enter({ name: "awaitingThing", pair: stage.pair, ...this.waiting }, []);
      case "recordingThing":
        this.stepDone("registerThing");
        return this.leaveClaim(stage.pair);
      case "disconnecting":
        this.stepDone("disconnect");
        return this.#goOffline(stage.pair);
      case "goingOffline":
        this.stepDone("modemOffline");
        this.stepStarted("writeCredentials");
        return this.enter({ name: "writing", pair: stage.pair, credentials: undefined }, [{ type: "chooseCa" }]);
      case "writing":
        this.stepDone("writeCredentials");
        this.stepStarted("clearSubscriptions");
        return this.enter({ name: "clearing" }, [{ type: "clearSubscriptions" }]);
      case "clearing":
        this.stepDone("clearSubscriptions");
        this.stepStarted("modemNormal");
        return this.enter({ name: "goingNormal" }, [{ type: "linkConnect" }]);
      case "goingNormal":
        this.stepDone("modemNormal");
        return this.connectDevice();
      case "connectingDevice":
        return this.provisioned();
      case "undoing":
      case "failing":
        return this.finishFailed(stage.error);
      case "finished":
        return;
    }
  }

  #recover(): void {
    const { config, tags, remembered } = this.state;
    const decision = decideRecovery(remembered, tags.device, config, this.now.unixMs);
    const { progress } = decision;
    this.set({ progress });
    if (decision.note !== undefined) this.note(decision.note);
    switch (decision.action) {
      case "claim":
        return this.prepareClaim();
      case "register":
        return this.prepareClaim();
      case "useDevice":
        return this.connectLte();
      case "prove":
        return decision.save
          ? this.enter({ name: "cleaning" }, [{ type: "saveProgress", progress }])
          : this.connectLte();
      case "completeCa":
        return this.enter({ name: "completing", credentials: decision.credentials }, [
          { type: "linkOffline" },
          { type: "chooseCa" },
        ]);
      case "write": {
        const pair = pairOf(progress);
        if (pair === undefined) throw new Error("nothing is there to be written");
        this.stepsSkipped(config.steps[0]?.name ?? "connectLte", "disconnect");
        return this.#goOffline(pair);
      }
      case "clean":
        return this.enter({ name: "cleaning" }, [
          { type: "linkOffline" },
          ...deletesOf(this.state),
          { type: "saveProgress", progress },
        ]);
    }
  }

  /** The device's tag was written by somebody else, in a factory: there is nothing to ask for. */
  #recoverOwn(): void {
    const { config, tags, remembered } = this.state;
    const missing = tagItems.filter((item) => tags.device[item] === undefined);
    if (missing.length > 0) return this.fail(ownMissing(config.deviceTag, missing));
    const { phase } = remembered ?? {};
    const isKnown =
      phase?.name === "provisioned" &&
      remembered?.clientId === config.clientId &&
      phase.credentials.secTag === config.deviceTag &&
      tagItems.every((item) => tags.device[item] === phase.credentials.sha256[item]);
    this.set({ progress: remembered ?? newProgress(config.clientId) });
    if (isKnown) return this.connectLte();
    this.enter({ name: "identifying" }, [{ type: "identify", secTag: config.deviceTag }]);
  }

  #identified(certificateId: string): void {
    const { config, tags, progress } = this.state;
    const { ca = "", certificate = "", privateKey = "" } = tags.device;
    const sha256 = { ca, certificate, privateKey };
    const credentials: TagCredentials = { secTag: config.deviceTag, certificateId, sha256 };
    const { registration: _, ...rest } = progress;
    const own = {
      ...rest,
      clientId: config.clientId,
      way: config.way,
      phase: { name: "written", credentials },
    } as const;
    this.set({ plan: [{ type: "saveProgress", progress: own }] });
  }

  protected connectLte(): void {
    this.stepStarted("connectLte");
    this.enter({ name: "connectingLte" }, [{ type: "linkConnect" }]);
  }

  #linked(): void {
    const { progress, isDeviceRefused, config } = this.state;
    const isOfDevice = progress.phase.name === "written" || progress.phase.name === "provisioned";
    if (!isOfDevice || isDeviceRefused) return this.connectClaim();
    if (config.keys !== "own") this.stepsSkipped("connectClaim", "modemNormal");
    this.connectDevice();
  }

  /** To ask for a certificate, or to register the one that was issued. */
  #subscribed(): void {
    const { progress } = this.state;
    const pair = progress.phase.name === "issued" ? pairOf(progress) : undefined;
    if (pair === undefined) return this.request();
    this.stepsSkipped("request", "keepIssued");
    this.registerThing(pair);
  }

  protected leaveClaim(pair: AnswerPair): void {
    this.stepStarted("disconnect");
    this.enter({ name: "disconnecting", pair }, [{ type: "disconnect" }]);
  }

  #goOffline(pair: AnswerPair): void {
    this.stepStarted("modemOffline");
    this.enter({ name: "goingOffline", pair }, [{ type: "linkOffline" }]);
  }
}

/** `+CME ERROR: 527`, invalid content. */
const contentRefused = 527;
