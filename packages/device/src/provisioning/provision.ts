import { isThinglineError, ThinglineError, type JsonObject } from "@thingline/protocol";
import { defaultAckTimeoutMs } from "@thingline/protocol/mqtt/client";
import type { Timer } from "@thingline/transport";
import { ackTimeoutMsMax } from "../client/check-options.js";
import { connectDevice } from "../client/create-device.js";
import { isRecordTooLarge, sameRecordCutsMax } from "../connection/records.js";
import type { Device } from "../device.js";
import { alwaysLinked } from "./always-linked.js";
import { EffectRunner } from "./effects.js";
import { createFleetWire } from "./fleet-wire.js";
import { stepProvisioning } from "./machine.js";
import type { HistoryEntry } from "./progress.js";
import { type CheckedProvisioning, checkProvisioning, type ProvisionDeviceOptions } from "./provision-options.js";
import { createSplitWire } from "./split-wire.js";
import { newProvisioningState, type ProvisioningState } from "./state.js";
import type { ProvisioningStepName } from "./steps.js";
import type {
  CaSource,
  ProvisioningEffect,
  ProvisioningInput,
  ProvisioningLimits,
  ProvisioningOutcome,
  ProvisioningOutput,
} from "./types.js";
import type { ProvisioningWire } from "./wire.js";

export interface ProvisionResult {
  /**
   * Connected with the device's own credentials. The caller closes it. It does not reconnect by itself: for work that lasts, close
   * it and make a device with `createDevice`.
   */
  device: Device;
  secTag: number;
  certificateId: string;
  /** false: the device was provisioned before this call. */
  isNew: boolean;
  /** As RegisterThing answered, in this run or an earlier one; undefined with methods that do not register, or where it named none. */
  thingName: string | undefined;
  /** The template's `DeviceConfiguration`, as RegisterThing answered; kept over restarts. Empty with methods that do not register. */
  deviceConfiguration: JsonObject;
  /** Where the CA in the device's tag came from; undefined when it was written in an earlier run. */
  caSource: CaSource | undefined;
  /** Every request for a certificate and what became of it, oldest first. */
  history: readonly HistoryEntry[];
}

/**
 * Takes a device to credentials of its own by a method, and connects with them. By default that is split messages with a claim, in the twelve
 * steps of Nordic's sample; `provisioningStepsOf()` has those of the others.
 * Safe to call at every start: a device that is provisioned connects, one that lost its power half-way goes on.
 *
 * @throws {ThinglineError} CREDENTIAL_MISSING without a complete claim; PROVISIONING_REJECTED with the cloud's code and
 * reason; PROVISIONING_TIMEOUT, KEY_MISMATCH and the other codes of bad answers; CREDENTIAL_REFUSED and
 * CREDENTIAL_NOT_VERIFIED when writing fails; PROVISIONING_NOT_PROVED when the cloud does not take the new credentials;
 * PROVISIONING_EXHAUSTED; PROVISIONING_CLAIM_EXPIRED of a temporary claim; PROVISIONING_METHOD_UNFIT for a method whose answers the dialer
 * cannot take; those of connecting and of the link; OPTION_INVALID; ABORTED.
 */
export async function provisionDevice(options: ProvisionDeviceOptions): Promise<ProvisionResult> {
  return new Provisioner(options).run();
}

class Provisioner {
  readonly #options: ProvisionDeviceOptions;
  readonly #checked: CheckedProvisioning;
  readonly #runner: EffectRunner;
  readonly #abort = new AbortController();
  #state: ProvisioningState;
  #timer: Timer | undefined;
  #effectCount = 0;
  /** Connections that a TLS record ended that was too large. */
  #recordCuts = 0;
  #step: ProvisioningStepName | undefined;
  #caSource: CaSource | undefined;
  #settle: { resolve: (outcome: ProvisioningOutcome) => void; reject: (reason: unknown) => void } | undefined;

  constructor(given: ProvisionDeviceOptions) {
    const checked = checkProvisioning(given);
    const { options, method, config, ca, keyMaking, claimTexts } = checked;
    this.#checked = checked;
    this.#options = options;
    this.#state = newProvisioningState(config);
    this.#runner = new EffectRunner({
      ...options,
      ...{ config, ca, keyMaking },
      link: options.link ?? alwaysLinked,
      wire: wireOf(checked),
      certificateId: method.kind === "ownCertificate" ? method.certificateId : undefined,
      texts: claimTexts,
      connect: (as, topics, signal) => this.#connect(as, topics, signal),
      onAnswer: (answer) => this.#input({ type: "answer", answer }),
      onConnectionLost: (error) => this.#input({ type: "connectionLost", error }),
    });
  }

  async run(): Promise<ProvisionResult> {
    const { signal } = this.#options;
    const abort = (): void => {
      this.#abort.abort();
      if (!this.#state.inFlight) this.#input({ type: "aborted", error: abortedError(signal) });
    };
    let keepsDevice = false;
    try {
      signal?.addEventListener("abort", abort, { once: true });
      const outcome = await new Promise<ProvisioningOutcome>((resolve, reject) => {
        this.#settle = { resolve, reject };
        if (signal?.aborted) reject(abortedError(signal));
        else this.#input({ type: "start" });
      });
      if (outcome.type === "failed") throw outcome.error;
      const { device } = this.#runner;
      if (!device) throw new ThinglineError("CONNECTION_LOST", "the connection ended right after it was proved");
      keepsDevice = true;
      const { secTag, certificateId } = outcome.credentials;
      const { isNew } = outcome;
      const { registration, history } = this.#state.progress;
      return {
        device,
        secTag,
        certificateId,
        isNew,
        thingName: registration?.thingName,
        deviceConfiguration: registration?.deviceConfiguration ?? {},
        caSource: this.#caSource,
        history,
      };
    } finally {
      this.#settle = undefined;
      this.#timer?.cancel();
      signal?.removeEventListener("abort", abort);
      await this.#runner.close({ keepsDevice });
    }
  }

  #input(input: ProvisioningInput): void {
    if (!this.#settle) return;
    const { clock } = this.#options;
    try {
      const now = {
        ...{ monotonicMs: clock.monotonicMs(), unixMs: clock.unixMs() },
        fraction: this.#options.random.fraction(),
      };
      const [next, outputs] = stepProvisioning(this.#state, input, now);
      this.#state = next;
      for (const output of outputs) this.#output(output);
    } catch (error) {
      // A defect, or a clock or a listener of the caller that threw.
      this.#settle?.reject(error);
    }
  }

  #output(output: ProvisioningOutput): void {
    switch (output.type) {
      case "run":
        this.#perform(output.effect).catch((error: unknown) => this.#settle?.reject(error));
        return;
      case "wakeAt": {
        const { clock } = this.#options;
        this.#timer?.cancel();
        this.#timer = clock.setTimer(Math.max(0, output.atMs - clock.monotonicMs()), () =>
          this.#input({ type: "tick" }),
        );
        return;
      }
      case "event":
        if (output.event.type === "stepStarted") this.#step = output.event.name;
        if (output.event.type === "caChosen") this.#caSource = output.event.source;
        this.#options.onEvent?.(output.event);
        return;
      case "finished":
        this.#settle?.resolve(output.outcome);
        return;
    }
  }

  async #perform(effect: ProvisioningEffect): Promise<void> {
    const { onStep, signal } = this.#options;
    const item = "item" in effect ? effect.item : undefined;
    const point = { effect: effect.type, index: ++this.#effectCount, step: this.#step, item };
    await onStep?.({ ...point, when: "before" });
    let input: ProvisioningInput;
    try {
      input = { type: "succeeded", result: await this.#runner.run(effect, this.#abort.signal) };
    } catch (error) {
      if (!isThinglineError(error)) throw error;
      if (isRecordTooLarge(error)) this.#recordCuts += 1;
      input = { type: "failed", error };
    }
    await onStep?.({ ...point, when: "after" });
    this.#input(signal?.aborted ? { type: "aborted", error: abortedError(signal) } : input);
  }

  #noteDiscarding(): void {
    const message = `a message that is too large for the TLS of this device ended ${this.#recordCuts} connections: the session at the cloud is discarded, with the messages that wait in it`;
    this.#options.onEvent?.({ type: "note", message, code: "TLS_RECORD_TOO_LARGE" });
  }

  #connect(as: "claim" | "device", topics: readonly string[], signal: AbortSignal): Promise<Device> {
    const { host, port, clock, random, dialer, settings, applicationTopics } = this.#options;
    const { config, claimClientId } = this.#checked;
    const connect = this.#options.connect ?? connectDevice;
    // A session that an earlier life of this device left behind may hold a message that never fits.
    const discardsSession =
      as === "device" && this.#recordCuts >= sameRecordCutsMax && settings?.oversizeRecords !== "keepTrying";
    if (discardsSession) this.#noteDiscarding();
    return connect({
      ...settings,
      // The machine decides what follows the end of a connection.
      reconnect: false,
      host,
      ...(port !== undefined && { port }),
      clientId: as === "claim" ? claimClientId : this.#deviceClientId,
      clock,
      random,
      secTagDialer: dialer,
      secTag: as === "claim" ? config.claimTag : config.deviceTag,
      handshake: "full",
      ...(as === "claim" || discardsSession ? { isCleanSession: true } : {}),
      ...(as === "claim" ? { ackTimeoutMs: claimAckTimeoutMs(settings?.ackTimeoutMs, config.limits) } : {}),
      ...(as === "claim" ? {} : { applicationTopics: [...topics, ...(applicationTopics ?? [])] }),
      signal,
    });
  }

  /** As the template named the thing, where that was asked for. */
  get #deviceClientId(): string {
    const { method, options } = this.#checked;
    const usesThingName = method.kind === "fleet" && method.connectsAs === "thingName";
    return (usesThingName ? this.#state.progress.registration?.thingName : undefined) ?? options.clientId;
  }
}

/**
 * A cloud that makes keys for many devices may acknowledge a request only when its turn comes. Whoever gives up before the answer is
 * late asks for one more key then, and is later still.
 */
function claimAckTimeoutMs(given: number | undefined, { answerTimeoutMs }: ProvisioningLimits): number {
  return given ?? Math.min(Math.max(answerTimeoutMs, defaultAckTimeoutMs), ackTimeoutMsMax);
}

function wireOf({ method, options: { keys }, claimClientId }: CheckedProvisioning): ProvisioningWire | undefined {
  switch (method.kind) {
    case "split":
      return createSplitWire({ clientId: claimClientId, keys });
    case "fleet":
      return createFleetWire(method, keys);
    case "ownCertificate":
      return undefined;
  }
}

function abortedError(signal: AbortSignal | undefined): ThinglineError {
  return new ThinglineError("ABORTED", "provisioning was aborted by the caller", { cause: signal?.reason });
}
