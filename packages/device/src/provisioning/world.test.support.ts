// A device with its modem and a cloud, all in memory: what the tests of the provisioning flow run in. No tests here.
import { sign } from "node:crypto";
import { ThinglineError, toHex } from "@thingline/protocol";
import { encodeSplitProvisioningRejection, type SplitProvisioningRejection } from "@thingline/protocol/provisioning";
import { createCertificateRequest } from "@thingline/protocol/x509";
import type { CredentialStore, CredentialType, KeyMaker, KeyPair, Keys, LinkControl } from "@thingline/transport";
import { makeTestCertificate, makeTestCertificates, type TestCertificate } from "@thingline/transport/contract";
import { createNodeKeys } from "@thingline/transport/node";
import {
  createVirtualClock,
  createVirtualFiles,
  createVirtualRandom,
  type VirtualFiles,
} from "@thingline/transport/virtual";
import type { ConnectDeviceOptions } from "../client/options.js";
import type { Device } from "../device.js";
import { provisionDevice, type ProvisionResult } from "./provision.js";
import type { ProvisionDeviceOptions, ProvisioningPoint } from "./provision-options.js";
import { FakeDevice } from "./fake-device.test.support.js";
import { FleetModel } from "./fleet-model.test.support.js";
import { type ProvisioningEvent, type TagItem, tagItems } from "./types.js";

export const progressPath = "device/provisioning.json";
export const clientId = "pump-7";
export const claimTag = 43;
export const deviceTag = 50;

export interface CloudMessage {
  /** What follows `certificate/<id>/create/`. */
  topic: string;
  payload: Uint8Array | string;
  delayMs?: number;
}

export interface Issued {
  id: string;
  certificate: TestCertificate;
  isActive: boolean;
}

export interface Cut {
  index: number;
  when: "before" | "after";
}

const systemKeys = createNodeKeys();
export const pki = await makeTestCertificates(systemKeys);
// Made beforehand: node:crypto works outside of virtual time.
const keyPairs = await Promise.all(Array.from({ length: 24 }, () => systemKeys.generate("ec-p256")));
let keysMade = 0;
/** Those of the system, without its waiting. */
const keys: Keys = {
  ...systemKeys,
  generate: async () => keyPairs[keysMade++ % keyPairs.length] as KeyPair,
  sign: async (privateKeyPem, data) => new Uint8Array(sign("sha256", data, privateKeyPem)),
};
// Every world issues the same ones, in order.
const pool = await Promise.all(
  Array.from({ length: 24 }, (_, index) => {
    return makeTestCertificate(systemKeys, { commonName: "AWS IoT Certificate", issuer: pki.ca, serial: 100 + index });
  }),
);
const encoder = new TextEncoder();
const never = <T>(): Promise<T> => new Promise<T>(() => undefined);

export function idOf({ certificateDer }: TestCertificate): string {
  return toHex(keys.sha256(certificateDer));
}

export function makeWorld(seed = "world"): World {
  return new World(seed);
}

/** Behaviour is changed by setting the fields; what goes wrong beyond repair is collected in `violations`. */
export class World {
  readonly clock = createVirtualClock();
  readonly keys = keys;
  readonly random;
  files: VirtualFiles;
  readonly store: FakeStore;
  readonly cloud: FakeCloud;
  readonly fleet: FleetModel;
  readonly violations: string[] = [];
  readonly points: ProvisioningPoint[] = [];
  readonly events: ProvisioningEvent[] = [];
  isPowered = true;
  isOnline = false;
  linkFailures: { connect?: ThinglineError; offline?: ThinglineError } = {};
  /** For each connection with the device's tag in turn: fail with this, or undefined. The last one goes on. */
  deviceFailures: (ThinglineError | undefined)[] = [];
  claimFailures: (ThinglineError | undefined)[] = [];
  resumedConnections = 0;
  deviceDials = 0;
  readonly devices = new Set<FakeDevice>();

  constructor(seed: string) {
    this.random = createVirtualRandom(seed);
    this.files = createVirtualFiles({ random: this.random });
    this.store = new FakeStore(this);
    this.cloud = new FakeCloud(this);
    this.fleet = new FleetModel({ keys, issuer: pki.ca, unixMs: () => this.clock.unixMs() });
    this.store.put(claimTag, "ca", pki.ca.certificatePem);
    this.store.put(claimTag, "certificate", pki.client.certificatePem);
    this.store.put(claimTag, "privateKey", pki.client.privateKeyPem);
  }

  readonly link: LinkControl = {
    connect: async () => {
      await this.tick(200);
      if (this.linkFailures.connect) throw this.linkFailures.connect;
      this.isOnline = true;
    },
    normal: async () => {
      await this.tick(10);
      this.isOnline = true;
    },
    offline: async () => {
      await this.tick(50);
      if (this.linkFailures.offline) throw this.linkFailures.offline;
      this.isOnline = false;
      for (const device of [...this.devices]) device.lose("the link went offline");
    },
    powerOff: async () => void (this.isOnline = false),
  };

  /** As `AT%KEYGEN` does: the private key goes nowhere but into the store. */
  readonly keyMaker: KeyMaker = {
    makeKey: async (secTag, { subject }) => {
      const { privateKeyPem } = await keys.generate("ec-p256");
      const publicKey = keys.publicKeyOf(privateKeyPem);
      const request = { subject, publicKey, sign: (data: Uint8Array) => keys.sign(privateKeyPem, data) };
      const { pem } = await createCertificateRequest(request);
      if (await this.store.exists(secTag, "privateKey")) throw new ThinglineError("CREDENTIAL_REFUSED", "519");
      await this.store.write(secTag, "privateKey", privateKeyPem);
      return { requestPem: pem, publicKey };
    },
  };

  published(device: FakeDevice, topic: string, payload: Uint8Array, qos: 0 | 1): void {
    if (topic.startsWith("$aws/") || topic.endsWith("/create-from-csr")) {
      void this.cloud.asked(device, topic, payload);
      return;
    }
    if (topic !== `certificate/${device.clientId}/create` || payload.length > 0 || qos !== 0) {
      this.violations.push(`an unexpected message was published on ${topic}`);
    }
    void this.cloud.requested(device);
  }

  /** Something takes a while; without power, for ever. */
  async tick(delayMs = 0): Promise<void> {
    if (!this.isPowered) return never();
    await (delayMs > 0 ? this.clock.sleep(delayMs) : Promise.resolve());
    if (!this.isPowered) return never();
  }

  options(more: Partial<ProvisionDeviceOptions> = {}): ProvisionDeviceOptions {
    return {
      host: "cloud.test",
      clientId,
      // Its cloud is the original's: it knows the device's own name only.
      claimClientId: "device",
      claimTag,
      deviceTag,
      store: this.store,
      link: this.link,
      dialer: { name: "fake TLS", dial: never },
      files: this.files,
      progressPath,
      keys,
      keyMaker: this.keyMaker,
      clock: this.clock,
      random: this.random,
      connect: (options) => this.#connect(options),
      onEvent: (event) => void this.events.push(event),
      ...more,
    };
  }

  /** Runs the flow to its end; time passes as needed. */
  provision(more: Partial<ProvisionDeviceOptions> = {}): Promise<ProvisionResult> {
    const onStep = async (point: ProvisioningPoint): Promise<void> => {
      this.points.push(point);
      await more.onStep?.(point);
    };
    return this.clock.until(provisionDevice(this.options({ ...more, onStep })), { limitMs: 24 * 3_600_000 });
  }

  /** Runs the flow until the power is cut at that point. @returns false when it ended before. */
  async provisionUntil(cut: Cut, more: Partial<ProvisionDeviceOptions> = {}): Promise<boolean> {
    let isCut = false;
    let onCut: () => void = () => undefined;
    const cutHappened = new Promise<void>((resolve) => (onCut = resolve));
    const onStep = async ({ index, when }: ProvisioningPoint): Promise<void> => {
      if (index !== cut.index || when !== cut.when) return;
      isCut = true;
      onCut();
      return never();
    };
    const run = provisionDevice(this.options({ ...more, onStep })).then(({ device }) => device.disconnect());
    await this.clock.until(Promise.race([run, cutHappened]), { limitMs: 24 * 3_600_000 });
    return isCut;
  }

  /** The power goes away and comes back: sockets are gone, files and security tags are not. */
  async restart(afterMs = 3_600_000): Promise<void> {
    this.isPowered = false;
    // What was under way is never heard of again.
    await this.clock.advance(afterMs);
    this.files = this.files.restart();
    this.isPowered = true;
    this.isOnline = false;
    this.devices.clear();
  }

  progress(): Record<string, unknown> {
    return JSON.parse(this.progressText()) as Record<string, unknown>;
  }

  progressText(): string {
    const content = this.files.snapshot()[progressPath];
    return content ? new TextDecoder().decode(content) : "";
  }

  notes(): string[] {
    return this.events.flatMap((event) => (event.type === "note" ? [event.message] : []));
  }

  /** `number name result` of every finished step. */
  steps(): string[] {
    return this.events.flatMap((event) => {
      return event.type === "stepFinished" ? [`${event.step} ${event.name} ${event.result}`] : [];
    });
  }

  async #connect(options: ConnectDeviceOptions): Promise<Device> {
    if (!("secTag" in options)) throw new Error("a security tag was expected");
    const { secTag } = options;
    await this.tick(300);
    if (!this.isOnline) throw new ThinglineError("LINK_FAILED", "offline");
    if (secTag === deviceTag) this.deviceDials++;
    const failures = secTag === claimTag ? this.claimFailures : this.deviceFailures;
    const failure = failures.length > 1 ? failures.shift() : failures[0];
    if (failure) throw failure;
    const content = this.store.contentOf(secTag);
    const missing = tagItems.filter((item) => content[item] === undefined);
    if (missing.length > 0) {
      this.violations.push(`security tag ${secTag} was used while it lacked ${missing.join(", ")}`);
      throw new ThinglineError("CREDENTIAL_MISSING", `tag ${secTag} lacks ${missing.join(", ")}`);
    }
    const certificate = keys.certificatePublicKey(content.certificate ?? "");
    if (toHex(certificate) !== toHex(keys.publicKeyOf(content.privateKey ?? ""))) {
      this.violations.push(`security tag ${secTag} was used with a key that does not fit`);
      throw new ThinglineError("KEY_MISMATCH", "key and certificate differ");
    }
    this.cloud.authenticate(content.certificate ?? "", secTag);
    const device = new FakeDevice(this, options, this.resumedConnections > 0);
    if (this.resumedConnections > 0) this.resumedConnections--;
    this.devices.add(device);
    return device;
  }
}

export class FakeStore implements CredentialStore {
  readonly #world: World;
  readonly #items = new Map<string, string>();
  /** Fails the n-th write from now on (1 is the next), once. */
  failWrite: { at: number; error: ThinglineError } | undefined;
  failDeletes: ThinglineError | undefined;
  /** The n-th write from now on stores something else. */
  corruptWrite: number | undefined;
  caReadable = true;
  /** As a store of native TLS. */
  isWritableOnline = false;
  /** A temporary claim may be written. */
  isClaimWritable = false;
  writeCount = 0;

  constructor(world: World) {
    this.#world = world;
  }

  put(secTag: number, type: CredentialType, content: string): void {
    this.#items.set(`${secTag}/${type}`, content);
  }

  remove(secTag: number, type: CredentialType): void {
    this.#items.delete(`${secTag}/${type}`);
  }

  contentOf(secTag: number): Partial<Record<TagItem, string>> {
    const entries = tagItems.map((item) => [item, this.#items.get(`${secTag}/${item}`)] as const);
    return Object.fromEntries(entries.filter(([, content]) => content !== undefined));
  }

  async write(secTag: number, type: CredentialType, content: string): Promise<void> {
    await this.#world.tick(20);
    this.#checkOffline();
    if (secTag === claimTag && !this.isClaimWritable) this.#world.violations.push("the claim was written over");
    this.writeCount++;
    if (this.failWrite && --this.failWrite.at === 0) throw this.failWrite.error;
    const isCorrupt = this.corruptWrite !== undefined && --this.corruptWrite === 0;
    this.put(secTag, type, isCorrupt ? content.replaceAll("\n", "\r\n") : content);
  }

  async digest(secTag: number, type: CredentialType): Promise<string | undefined> {
    await this.#world.tick();
    const content = this.#items.get(`${secTag}/${type}`);
    return content === undefined ? undefined : toHex(keys.sha256(encoder.encode(content)));
  }

  async read(secTag: number, type: CredentialType): Promise<string | undefined> {
    await this.#world.tick();
    if (type === "privateKey") this.#world.violations.push("a private key was read");
    if (!this.caReadable) throw new ThinglineError("CREDENTIAL_REFUSED", "+CME ERROR: 514", { details: { cme: 514 } });
    return this.#items.get(`${secTag}/${type}`);
  }

  async compare(secTag: number, type: CredentialType, content: string): Promise<boolean> {
    return this.#items.get(`${secTag}/${type}`) === content;
  }

  async delete(secTag: number, type: CredentialType): Promise<void> {
    await this.#world.tick(20);
    this.#checkOffline();
    if (secTag === claimTag && !this.isClaimWritable) this.#world.violations.push("the claim was deleted");
    if (this.failDeletes) throw this.failDeletes;
    this.#items.delete(`${secTag}/${type}`);
  }

  async exists(secTag: number, type: CredentialType): Promise<boolean> {
    return this.#items.has(`${secTag}/${type}`);
  }

  async list(): Promise<{ secTag: number; type: CredentialType; sha256: string }[]> {
    await this.#world.tick();
    return [...this.#items].map(([key, content]) => {
      const [secTag = "", type = ""] = key.split("/");
      const sha256 = toHex(keys.sha256(encoder.encode(content))).toUpperCase();
      return { secTag: Number(secTag), type: type as CredentialType, sha256 };
    });
  }

  #checkOffline(): void {
    if (!this.#world.isOnline || this.isWritableOnline) return;
    throw new ThinglineError("CREDENTIAL_REFUSED", "+CME ERROR: 518", { details: { cme: 518 } });
  }
}

export class FakeCloud {
  readonly #world: World;
  readonly issued: Issued[] = [];
  requestCount = 0;
  answerDelayMs = 100;
  /** Answers the n-th request (from 1). Default: a new pair, key first. */
  answer: (request: number) => Promise<CloudMessage[]> = () => this.newPair();

  constructor(world: World) {
    this.#world = world;
  }

  issue(): Issued {
    const certificate = pool[this.issued.length];
    if (!certificate) throw new Error("the pool of certificates is empty");
    const issued = { id: idOf(certificate), certificate, isActive: true };
    this.issued.push(issued);
    return issued;
  }

  async newPair(): Promise<CloudMessage[]> {
    const { certificate } = this.issue();
    return [
      { topic: "accepted/key", payload: certificate.privateKeyPem },
      { topic: "accepted/cert", payload: certificate.certificatePem },
    ];
  }

  rejection(rejection: SplitProvisioningRejection): CloudMessage {
    return { topic: "rejected", payload: encodeSplitProvisioningRejection(rejection) };
  }

  authenticate(certificatePem: string, secTag: number): void {
    if (secTag === claimTag) return;
    const found = this.issued.find(({ certificate }) => certificate.certificatePem === certificatePem);
    if (found?.isActive || this.#world.fleet.isActive(certificatePem)) return;
    throw new ThinglineError("CONNECTION_LOST", "the server closed the connection without answering CONNECT");
  }

  /** Fleet provisioning, and requests for a key of the device's own. */
  async asked(device: FakeDevice, topic: string, payload: Uint8Array): Promise<void> {
    const { clock, fleet } = this.#world;
    for (const message of await fleet.answer(topic, payload)) {
      clock.setTimer(message.delayMs ?? this.answerDelayMs, () => device.receive(message.topic, message.payload));
    }
  }

  async requested(device: FakeDevice): Promise<void> {
    const request = ++this.requestCount;
    const messages = await this.answer(request);
    for (const { topic, payload, delayMs = this.answerDelayMs } of messages) {
      this.#world.clock.setTimer(delayMs, () => {
        const bytes = typeof payload === "string" ? encoder.encode(payload) : payload;
        device.receive(`certificate/${device.clientId}/create/${topic}`, bytes);
      });
    }
  }
}
