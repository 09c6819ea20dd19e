import { isThinglineError, ThinglineError, toHex } from "@thingline/protocol";
import { type DistinguishedName, parseCertificates, readPem } from "@thingline/protocol/x509";
import type { Clock, CredentialStore, Files, KeyKind, KeyMaker, Keys, LinkControl, Random } from "@thingline/transport";
import { isRecordTooLarge } from "../connection/records.js";
import type { Device } from "../device.js";
import type { DeviceMessage, MessageListener } from "../topics/message.js";
import { amazonRootCa1 } from "./amazon-root-ca.js";
import { digestOf } from "./inspect.js";
import { makeDeviceKey } from "./key-making.js";
import { progressBytesMax, type ProvisioningProgress } from "./progress.js";
import { isPhaseSound } from "./progress-check.js";
import { decodeProgress, encodeProgress } from "./progress-file.js";
import {
  type CaSource,
  type EffectResult,
  type ProvisioningAnswer,
  type ProvisioningConfig,
  type ProvisioningEffect,
  tagItems,
} from "./types.js";
import type { ProvisioningWire, WireRequest } from "./wire.js";

/** How long a PINGRESP may take. */
export const proofTimeoutMs = 30_000;

/** Different keys and certificates that are looked at in one connection; what comes after them is passed over. */
export const receivedTextsMax = 64;
const tooMany = new ThinglineError(
  "LIMIT_EXCEEDED",
  `more than ${receivedTextsMax} keys and certificates came in one connection; the others are passed over`,
);

export interface EffectContext {
  config: ProvisioningConfig;
  /** Undefined: nothing is asked for. */
  wire: ProvisioningWire | undefined;
  /** For a key of the device's own. */
  keyMaking: { subject: DistinguishedName; maker: KeyMaker | KeyKind };
  /** Of a certificate that cannot be read. */
  certificateId: string | undefined;
  /** Texts that may be written: the claim's. */
  texts: readonly string[];
  store: CredentialStore;
  link: LinkControl;
  files: Files;
  progressPath: string;
  keys: Keys;
  clock: Clock;
  random: Random;
  /** Checked and normalized. */
  ca: string | undefined;
  connect(as: "claim" | "device", applicationTopics: readonly string[], signal: AbortSignal): Promise<Device>;
  onAnswer(answer: ProvisioningAnswer): void;
  onConnectionLost(error: ThinglineError): void;
}

const done: EffectResult = { of: "nothing" };

/** Does what the machine decides. Keeps the received key and certificate in memory, by digest, until it is closed. */
export class EffectRunner {
  readonly #context: EffectContext;
  readonly #texts = new Map<string, string>();
  /** Those that came over the connection. */
  readonly #received = new Set<string>();
  #device: Device | undefined;
  /** What the application subscribes to, as `aws_iot_subscription_topics_add` keeps it for the next connection. */
  #applicationTopics: readonly string[] = [];
  #isClosed = false;

  constructor(context: EffectContext) {
    this.#context = context;
    for (const text of context.texts) this.#keep(text);
  }

  /** The connection that is open. */
  get device(): Device | undefined {
    return this.#device;
  }

  async run(effect: ProvisioningEffect, signal: AbortSignal): Promise<EffectResult> {
    const { store, link, clock, files, progressPath } = this.#context;
    switch (effect.type) {
      case "loadProgress":
        return this.#loadProgress();
      case "saveProgress":
        await files.replace(progressPath, encodeProgress(effect.progress));
        return done;
      case "inspectTags":
        return this.#inspectTags();
      case "linkConnect":
        await link.connect({ signal });
        return done;
      case "linkOffline":
        await link.offline();
        return done;
      case "linkNormal":
        await link.normal();
        return done;
      case "connect":
        return this.#connect(effect.as, signal);
      case "subscribe":
        return this.#subscribe(signal);
      case "publishRequest":
        return this.#publish(this.#wire.request(effect.requestPem), signal);
      case "registerThing":
        return this.#publish(this.#wire.registerThing(effect.token), signal);
      case "makeKey":
        return this.#makeKey(effect.secTag);
      case "identify":
        return this.#identify(effect.secTag);
      case "disconnect":
        await this.#disconnect();
        return done;
      case "clearSubscriptions":
        this.#applicationTopics = [];
        return done;
      case "chooseCa":
        return this.#chooseCa();
      case "deleteCredential":
        await store.delete(effect.secTag, effect.item);
        return done;
      case "writeCredential":
        await store.write(effect.secTag, effect.item, this.#text(effect.sha256));
        return done;
      case "readDigest":
        return { of: "readDigest", sha256: await store.digest(effect.secTag, effect.item) };
      case "prove":
        await this.#prove(signal);
        return done;
      case "wait":
        await clock.sleep(Math.round(effect.delayMs * (0.75 + 0.5 * this.#context.random.fraction())), { signal });
        return done;
    }
  }

  /** Forgets keys and certificates; hands the connection over, or drops it. */
  async close({ keepsDevice }: { keepsDevice: boolean }): Promise<void> {
    this.#isClosed = true;
    this.#texts.clear();
    this.#received.clear();
    if (!keepsDevice) await this.#disconnect();
  }

  async #loadProgress(): Promise<EffectResult> {
    const { files, progressPath } = this.#context;
    let bytes: Uint8Array;
    try {
      bytes = await files.read(progressPath, { bytesMax: progressBytesMax });
    } catch (error) {
      if (isThinglineError(error, "FILE_NOT_FOUND")) return { of: "loadProgress", progress: undefined };
      throw error;
    }
    const progress = decodeProgress(bytes);
    if (progress !== undefined && isPhaseSound(progress.phase, this.#context.keys)) {
      this.#keepCertificate(progress);
      return { of: "loadProgress", progress };
    }
    const kept = `${progressPath}.unreadable`;
    await files.replace(kept, bytes);
    const problem = `the progress in ${progressPath} cannot be understood, so nothing in it is trusted; it was kept as ${kept}`;
    return { of: "loadProgress", progress: undefined, problem };
  }

  async #inspectTags(): Promise<EffectResult> {
    const { store, config } = this.#context;
    const entries = await store.list();
    const contentOf = (secTag: number) => {
      const items = entries.filter((entry) => entry.secTag === secTag && tagItems.some((item) => item === entry.type));
      return Object.fromEntries(items.map(({ type, sha256 }) => [type, sha256.toLowerCase()]));
    };
    return { of: "inspectTags", claim: contentOf(config.claimTag), device: contentOf(config.deviceTag) };
  }

  async #connect(as: "claim" | "device", signal: AbortSignal): Promise<EffectResult> {
    const device = await this.#context.connect(as, this.#applicationTopics, signal);
    if (this.#isClosed) {
      await device.close();
      throw new ThinglineError("ABORTED", "the flow ended while it connected");
    }
    this.#device = device;
    device.on("disconnected", ({ reason, error }) => {
      if (this.#device !== device) return;
      this.#device = undefined;
      if (reason === "userRequest") return;
      const lost = new ThinglineError("CONNECTION_LOST", "the server closed the connection");
      this.#context.onConnectionLost(error ?? lost);
    });
    return { of: "connect", isResumed: device.connection?.secure?.isResumed ?? false };
  }

  async #subscribe(signal: AbortSignal): Promise<EffectResult> {
    const wire = this.#wire;
    const device = this.#connected();
    const listener = ({ topic, payload }: DeviceMessage): void => {
      for (const { answer, pem } of wire.inspect(topic, payload)) {
        const isKept = pem === undefined || this.#keepReceived(pem);
        this.#context.onAnswer(isKept ? answer : { kind: "unusable", error: tooMany });
      }
    };
    this.#received.clear();
    await subscribeAll(device, wire.acceptedFilters, listener, signal);
    this.#applicationTopics = wire.keptFilters;
    try {
      // Ours alone: the application's list has the sample's single entry.
      await subscribeAll(device, wire.rejectedFilters, listener, signal);
    } catch (error) {
      if (!isThinglineError(error, "MQTT_SUBSCRIPTION_REFUSED")) throw error;
      const note = `no refusals will be heard, only silence: ${error.message}`;
      return { of: "nothing", note };
    }
    return done;
  }

  async #publish({ topic, payload, qos }: WireRequest, signal: AbortSignal): Promise<EffectResult> {
    await this.#connected().publish(topic, payload, { qos, signal });
    return done;
  }

  async #makeKey(secTag: number): Promise<EffectResult> {
    const { store, keys, keyMaking } = this.#context;
    return {
      of: "makeKey",
      key: await makeDeviceKey({ secTag, store, keys, ...keyMaking }),
    };
  }

  async #identify(secTag: number): Promise<EffectResult> {
    const { store, keys, certificateId } = this.#context;
    if (certificateId !== undefined) return { of: "identify", certificateId };
    const content = await store.read(secTag, "certificate");
    const [{ der }] = parseCertificates(content ?? "", `the certificate in security tag ${secTag}`);
    return { of: "identify", certificateId: toHex(keys.sha256(der)) };
  }

  async #disconnect(): Promise<void> {
    const device = this.#device;
    this.#device = undefined;
    await device?.close();
  }

  /**
   * CONNACK says that the broker let us in; PINGRESP, for which no policy is needed, that it did not change its mind
   * before it looked at what we send.
   */
  async #prove(signal: AbortSignal): Promise<void> {
    const device = this.#connected();
    const { clock } = this.#context;
    await new Promise<void>((resolve, reject) => {
      const finish = (error?: ThinglineError): void => {
        timer.cancel();
        signal.removeEventListener("abort", abort);
        removers.forEach((remove) => remove());
        if (error) reject(error);
        else resolve();
      };
      const abort = (): void => finish(new ThinglineError("ABORTED", "the proof of the credentials was aborted"));
      const timer = clock.setTimer(proofTimeoutMs, () => {
        finish(new ThinglineError("TIMEOUT", `no PINGRESP came within ${proofTimeoutMs} ms`));
      });
      const removers = [
        device.on("pingresp", () => finish()),
        device.on("disconnected", ({ error }) => {
          // No word on the credentials: the server had accepted them, and something that it sent was too large for us.
          if (isRecordTooLarge(error)) return finish(error);
          const why = error === undefined ? "" : `: ${error.message}`;
          const message = `the connection ended before the server proved that it accepts the credentials${why}`;
          finish(
            new ThinglineError("CONNECTION_LOST", message, {
              details: { ...error?.details },
              cause: error,
            }),
          );
        }),
      ];
      signal.addEventListener("abort", abort, { once: true });
      if (signal.aborted) return abort();
      try {
        device.ping();
      } catch (error) {
        if (!isThinglineError(error)) throw error;
        finish(error);
      }
    });
  }

  async #chooseCa(): Promise<EffectResult> {
    const { ca, store, config } = this.#context;
    if (ca !== undefined) return this.#chosen("option", ca);
    let note = `security tag ${config.claimTag} holds no CA`;
    try {
      const content = await store.read(config.claimTag, "ca");
      if (content !== undefined && "blocks" in readPem(content)) return this.#chosen("claimTag", content);
      if (content !== undefined) note = `the CA in security tag ${config.claimTag} is not a PEM`;
    } catch (error) {
      if (!isThinglineError(error, "CREDENTIAL_REFUSED")) throw error;
      note = `the CA in security tag ${config.claimTag} cannot be read: ${error.message}`;
    }
    return {
      ...this.#chosen("builtIn", amazonRootCa1),
      note: `${note}; Amazon Root CA 1 is used`,
    };
  }

  #chosen(source: CaSource, content: string): Extract<EffectResult, { of: "chooseCa" }> {
    const sha256 = digestOf(content, this.#context.keys);
    this.#keep(content);
    return { of: "chooseCa", source, sha256 };
  }

  /** A certificate that an earlier run was given may have to be written by this one. */
  #keepCertificate({ phase }: ProvisioningProgress): void {
    const pem =
      phase.name === "issued"
        ? phase.issued.certificatePem
        : phase.name === "writing"
          ? phase.certificatePem
          : undefined;
    if (pem !== undefined) this.#keep(pem);
  }

  /** @returns false when a peer sends one after the other. */
  #keepReceived(pem: string): boolean {
    if (!this.#received.has(pem) && this.#received.size >= receivedTextsMax) return false;
    this.#received.add(pem);
    this.#keep(pem);
    return true;
  }

  #keep(text: string): void {
    this.#texts.set(digestOf(text, this.#context.keys), text);
  }

  get #wire(): ProvisioningWire {
    const { wire } = this.#context;
    if (wire === undefined) throw new Error("this method asks for nothing");
    return wire;
  }

  #connected(): Device {
    if (this.#device) return this.#device;
    throw new ThinglineError("CONNECTION_LOST", "the connection ended");
  }

  #text(sha256: string): string {
    const text = this.#texts.get(sha256);
    if (text === undefined) throw new Error("a credential is to be written that was not received");
    return text;
  }
}

/** One filter at a time where there is one: as the sample asks. */
async function subscribeAll(
  device: Device,
  filters: readonly string[],
  listener: MessageListener,
  signal: AbortSignal,
): Promise<void> {
  const [first = "", ...more] = filters;
  await device.subscribe(more.length === 0 ? first : filters, listener, { signal });
}
