// Provisioning in memory and in virtual time: a whole local cloud, and a device whose power goes where a plan says. TLS is inside a simulated
// modem, or native, with keys of the application. What must not happen is collected in `violations`.
import {
  claimPolicyDocument,
  type Cloud,
  createCloud,
  createMemoryStore,
  fleetClaimPolicyDocument,
  silentLog,
} from "@thingline/cloud";
import { createNativeCredentialStore, createNativeTlsDialer } from "@thingline/device";
import {
  type ClaimMaterial,
  decodeProgress,
  type HistoryEntry,
  type ProvisionDeviceOptions,
  provisionDevice,
  type ProvisioningMethod,
  type ProvisionResult,
} from "@thingline/device/provisioning";
import { createLinkControl, createModemCredentialStore, createModemKeyMaker, openModemSession } from "@thingline/modem";
import { createSimulatedModem, type SimulatedModem } from "@thingline/modem/simulator";
import { isThinglineError } from "@thingline/protocol";
import type { CredentialStore, Dialer, Keys } from "@thingline/transport";
import { makeTestCertificate, type TestCertificate } from "@thingline/transport/contract";
import {
  createProcessClock,
  createVirtualClock,
  createVirtualFiles,
  createVirtualKeys,
  createVirtualNetwork,
  createVirtualRandom,
  type ProcessClock,
  type VirtualClock,
  type VirtualFiles,
  type VirtualLink,
  type VirtualNetwork,
} from "@thingline/transport/virtual";
import { counted } from "./power-cut-world.test.support.js";
import { untilDone } from "./rotation-world.test.support.js";

const host = "localhost";
const claimTag = 43;
const deviceTag = 50;
export const templateName = "line";
const progressPath = "/state/provisioning.json";
/** Whatever goes wrong is over by then. */
const worldLimitMs = 12 * 3_600_000;
/** A run that failed is begun again after it, as a device does. */
const pauseMs = 20_000;

/** The nth write to a file, of progress or of credentials, or the nth packet of the device; and how long power stays away. */
export interface CutPoint {
  of: "files" | "packets";
  index: number;
  offMs?: number;
}

export interface ProvisioningScenario {
  name: string;
  method: ProvisioningMethod;
  tls: "modem" | "native";
  /** The claim's tag is empty; somebody who is trusted hands over a temporary claim at each attempt. */
  isByTrustedUser?: boolean;
}

export interface ProvisioningRun {
  violations: string[];
  trace: string[];
  counts: Record<CutPoint["of"], number>;
  cutCount: number;
  /** Certificates that were made for the device, are ACTIVE, and that it does not use. */
  orphans: number;
  certificates: number;
}

/** The cloud of many worlds: each has a thing of its own. */
export interface ProvisioningHouse {
  clock: VirtualClock;
  network: VirtualNetwork;
  cloud: Cloud;
  keys: Keys;
  claim: { certificatePem: string; privateKeyPem: string };
  /** A CA of the factory's own, by which devices are registered when they first connect. */
  authority: TestCertificate;
  close(): Promise<void>;
}

const policyName = "device";
const policyDocument = JSON.stringify({
  Version: "2012-10-17",
  Statement: [
    { Effect: "Allow", Action: "iot:Connect", Resource: "arn:aws:iot:*:*:client/${iot:Connection.Thing.ThingName}" },
  ],
});
const certificateIdParameter = { "AWS::IoT::Certificate::Id": { Type: "String" } };
const thingNamed = (parameter: string) => ({
  Type: "AWS::IoT::Thing",
  Properties: { ThingName: { Ref: parameter } },
});
const certificate = {
  Type: "AWS::IoT::Certificate",
  Properties: { CertificateId: { Ref: "AWS::IoT::Certificate::Id" }, Status: "ACTIVE" },
};
const policy = { Type: "AWS::IoT::Policy", Properties: { PolicyName: policyName } };
const templateBody = JSON.stringify({
  Parameters: { SerialNumber: { Type: "String" }, ...certificateIdParameter },
  Resources: { thing: thingNamed("SerialNumber"), certificate, policy },
  DeviceConfiguration: { FallbackUrl: "https://example.com/" },
});

/** @param keyKind Of the keys that are made: a pool has few RSA keys, and most worlds need many. */
export async function openProvisioningHouse({
  keyKind = "ec-p256",
}: { keyKind?: Parameters<Keys["generate"]>[0] } = {}): Promise<ProvisioningHouse> {
  const clock = createVirtualClock();
  const random = createVirtualRandom("house");
  const network = createVirtualNetwork({ clock, random: random.fork("network"), latencyMs: 5 });
  const at = (port: number) => ({ host, port, optionName: "port" });
  const made = createVirtualKeys({ random });
  const known = new Map<string, Uint8Array>();
  const publicKeyOf = (pem: string): Uint8Array => {
    const publicKey = known.get(pem) ?? made.publicKeyOf(pem);
    known.set(pem, publicKey);
    return publicKey;
  };
  const keys: Keys = { ...made, publicKeyOf, generate: () => made.generate(keyKind) };
  const cloud = await clock.untilSettled(
    createCloud(
      { network, clock, random, files: createVirtualFiles(), keys, store: createMemoryStore(), log: silentLog },
      { folder: "/cloud", mqtts: at(8883), https: at(8443), limits: "none", vending: "builtin" },
    ),
  );
  // What is loaded with the first request is loaded now: virtual time does not wait for a module.
  await cloud.handleRest({ method: "GET", url: `http://${host}/_thingline/certificates`, headers: {} });
  const claim = await clock.untilSettled(prepare(cloud));
  const authority = await makeTestCertificate(keys, { commonName: "Acme Factory CA", isCa: true });
  await clock.untilSettled(registerAuthority(cloud, authority));
  return { clock, network, cloud, keys, claim, authority, close: () => clock.until(cloud.close()) };
}

async function prepare(cloud: Cloud): Promise<ProvisioningHouse["claim"]> {
  const { registry, fleetProvisioning } = cloud;
  await cloud.run(registry.createPolicy, { policyName, policyDocument });
  const provisioningRoleArn = "arn:aws:iam::123456789012:role/provisioning";
  const template = { templateName, templateBody, provisioningRoleArn, enabled: true };
  await cloud.run(fleetProvisioning.createProvisioningTemplate, template);
  const made = await cloud.run(registry.createKeysAndCertificate, { setAsActive: true });
  const documents = { split: claimPolicyDocument, fleet: fleetClaimPolicyDocument(templateName) };
  for (const [name, document] of Object.entries(documents)) {
    await cloud.run(registry.createPolicy, { policyName: `claim-${name}`, policyDocument: document });
    await cloud.run(registry.attachPolicy, { policyName: `claim-${name}`, target: made.certificateArn ?? "" });
  }
  return { certificatePem: made.certificatePem ?? "", privateKeyPem: made.keyPair?.PrivateKey ?? "" };
}

async function registerAuthority(cloud: Cloud, { certificatePem }: TestCertificate): Promise<void> {
  const body = {
    ...{ Parameters: { "AWS::IoT::Certificate::CommonName": { Type: "String" }, ...certificateIdParameter } },
    Resources: { thing: thingNamed("AWS::IoT::Certificate::CommonName"), certificate, policy },
  };
  await cloud.run(cloud.certificateAuthorities.registerCACertificate, {
    ...{ caCertificate: certificatePem, certificateMode: "SNI_ONLY", setAsActive: true, allowAutoRegistration: true },
    registrationConfig: { templateBody: JSON.stringify(body), roleArn: "arn:aws:iam::123456789012:role/provisioning" },
  });
}

let runCount = 0;

/** One device from its claim to its own credentials. @param cuts one after the other, each counted from the one before it */
export async function runProvisioning(
  house: ProvisioningHouse,
  scenario: ProvisioningScenario,
  cuts: readonly CutPoint[] = [],
): Promise<ProvisioningRun> {
  runCount += 1;
  return new ProvisioningWorld(house, scenario, { cuts, clientId: `pump-${runCount}` }).run();
}

/** One life of the device: its program, and its modem. */
interface Life {
  clock: ProcessClock;
  modem: SimulatedModem | undefined;
  isOver: boolean;
}

type DeviceParts = Pick<ProvisionDeviceOptions, "store" | "link" | "dialer" | "keyMaker">;

class ProvisioningWorld {
  readonly #house: ProvisioningHouse;
  readonly #scenario: ProvisioningScenario;
  /** Those that are still to come. */
  readonly #cuts: CutPoint[];
  readonly #clientId: string;
  readonly #violations: string[] = [];
  readonly #trace: string[] = [];
  readonly #counts = { files: 0, packets: 0 };
  readonly #random = createVirtualRandom("device");
  readonly #startMs: number;
  #before = { files: 0, packets: 0 };
  #files: VirtualFiles;
  #links: VirtualLink[] = [];
  #life: Life | undefined;
  #lifeCount = 0;
  #endLife: () => void = () => undefined;
  #isPowerless = false;
  #isSwitchedOff = true;
  #cutCount = 0;
  #offMs = 1_000;
  /** Connections of this life. */
  #openCount = 0;
  #result: ProvisionResult | undefined;

  constructor(
    house: ProvisioningHouse,
    scenario: ProvisioningScenario,
    { cuts, clientId }: { cuts: readonly CutPoint[]; clientId: string },
  ) {
    this.#house = house;
    this.#scenario = scenario;
    this.#cuts = [...cuts];
    this.#clientId = clientId;
    this.#startMs = house.clock.monotonicMs();
    this.#files = createVirtualFiles({ random: this.#random.fork("files") });
  }

  async run(): Promise<ProvisioningRun> {
    const { clock } = this.#house;
    await untilDone(clock, this.#manufacture());
    this.#files = this.#files.restart(this.#filesStart());
    this.#isSwitchedOff = false;
    await untilDone(clock, this.#live(), {
      limitMs: worldLimitMs,
      stepMs: () => (this.#isPowerless ? this.#offMs : 25),
    });
    this.#isSwitchedOff = true;
    this.#counts.files += this.#files.writeCount;
    const orphans = await untilDone(clock, this.#checkEnd());
    await untilDone(clock, Promise.resolve(this.#result?.device.close()));
    this.#kill();
    return {
      ...{ violations: this.#violations, trace: this.#trace, counts: this.#counts, cutCount: this.#cutCount },
      ...orphans,
    };
  }

  /** The claim is in its tag, or the device's own certificate. */
  async #manufacture(): Promise<void> {
    const { cloud } = this.#house;
    const isOwn = this.#scenario.method.kind === "ownCertificate";
    const made = isOwn ? await this.#ownCertificate() : this.#house.claim;
    const tag = isOwn ? deviceTag : claimTag;
    const life: Life = { clock: createProcessClock(this.#house.clock), modem: undefined, isOver: false };
    const { store } = await this.#open(life);
    if (this.#scenario.isByTrustedUser === true) return this.#leave(life);
    await store.write(tag, "ca", cloud.caPem);
    await store.write(tag, "certificate", made.certificatePem);
    await store.write(tag, "privateKey", made.privateKeyPem);
    this.#leave(life);
  }

  #leave(life: Life): void {
    life.clock.kill();
    life.modem?.cutPower();
  }

  #ownCertificate(): Promise<TestCertificate> {
    const { authority: issuer, keys } = this.#house;
    return makeTestCertificate(keys, { commonName: this.#clientId, issuer, serial: 1 + runCount });
  }

  // ---- lives -----------------------------------------------------------------------------------------------------

  /** From boot to boot, until the device is provisioned. */
  async #live(): Promise<void> {
    for (;;) {
      const ended = new Promise<void>((resolve) => (this.#endLife = resolve));
      void this.#boot();
      await ended;
      if (this.#result !== undefined) return;
      await this.#house.clock.sleep(this.#offMs);
      this.#restart();
    }
  }

  async #boot(): Promise<void> {
    this.#lifeCount += 1;
    this.#openCount = 0;
    const life: Life = { clock: createProcessClock(this.#house.clock), modem: undefined, isOver: false };
    this.#life = life;
    try {
      const parts = await this.#open(life);
      await this.#provision(life, parts);
    } catch (error) {
      if (!life.isOver) this.#violations.push(`the program ended: ${String(error)}`);
    }
    if (!life.isOver) this.#endLife();
  }

  async #provision(life: Life, parts: DeviceParts): Promise<void> {
    const { keys } = this.#house;
    const random = this.#random.fork(`life ${this.#lifeCount}`);
    const { method, isByTrustedUser } = this.#scenario;
    const parameters = { SerialNumber: this.#clientId };
    while (!life.isOver) {
      try {
        const result = await provisionDevice({
          ...{ host, port: 8883, clientId: this.#clientId, claimTag, deviceTag, keys, random, clock: life.clock },
          ...{ files: this.#files, progressPath, ...parts },
          method: method.kind === "fleet" ? { ...method, parameters } : method,
          ...(isByTrustedUser === true && { claim: await this.#temporaryClaim() }),
          onEvent: (event) => life.isOver || this.#note(textOf(event)),
        });
        // Whoever has no power hears nothing.
        if (!life.isOver) this.#result = result;
        return;
      } catch (error) {
        if (life.isOver) return;
        if (!isThinglineError(error)) throw error;
        this.#note(`failed ${error.code} ${error.message}`);
        if (this.#house.clock.monotonicMs() - this.#startMs > worldLimitMs / 2) {
          return void this.#violations.push(`no end: ${error.code} ${error.message}`);
        }
        await life.clock.sleep(pauseMs);
      }
    }
  }

  async #temporaryClaim(): Promise<ClaimMaterial> {
    const { cloud } = this.#house;
    const made = await cloud.run(cloud.fleetProvisioning.createProvisioningClaim, { templateName });
    const { certificatePem = "", keyPair, expiration = 0 } = made;
    const privateKeyPem = keyPair?.PrivateKey ?? "";
    return { certificatePem, privateKeyPem, caPem: cloud.caPem, expiresAtUnixMs: Number(expiration) * 1_000 };
  }

  /** The parts of the device as they are after a boot. */
  async #open(life: Life): Promise<DeviceParts> {
    const { keys } = this.#house;
    const { clock } = life;
    const files = this.#files;
    if (this.#scenario.tls === "native") {
      const store = createNativeCredentialStore({ keys, files, folder: "/credentials" });
      return { store, dialer: createNativeTlsDialer({ dialer: this.#dialer(life), store }) };
    }
    const random = this.#random.fork(`modem ${this.#lifeCount}`);
    const modem = await createSimulatedModem({
      ...{ network: this.#dialer(life), clock, random, keys, files, folder: "/modem" },
    });
    life.modem = modem;
    const session = openModemSession(modem.openPort(), { clock });
    const store: CredentialStore = createModemCredentialStore(session, { keys });
    const link = createLinkControl(session, { clock });
    return { store, link, dialer: modem.secTagDialer, keyMaker: createModemKeyMaker(session, { keys }) };
  }

  // ---- the end ---------------------------------------------------------------------------------------------------

  async #checkEnd(): Promise<{ orphans: number; certificates: number }> {
    const result = this.#result;
    if (result === undefined) {
      this.#violations.push("the device is not provisioned");
      return { orphans: 0, certificates: 0 };
    }
    const { certificateId, device, history, deviceConfiguration } = result;
    const all = await this.#certificates();
    const inUse = all.find((each) => each.certificateId === certificateId);
    if (inUse?.status !== "ACTIVE" || !inUse.thingNames.includes(this.#clientId)) {
      this.#violations.push(`the certificate in use is ${inUse?.status ?? "unknown"}`);
    }
    if (!device.isConnected) this.#violations.push("the device is not connected at the end");
    const isFleet = this.#scenario.method.kind === "fleet";
    if (isFleet && this.#cutCount === 0 && deviceConfiguration["FallbackUrl"] === undefined) {
      this.#violations.push("the device configuration is not there");
    }
    const others = all.filter((each) => each.certificateId !== certificateId);
    const orphans = others.filter(({ status }) => status === "ACTIVE");
    if (orphans.length > this.#cutCount) this.#violations.push(`${orphans.length} orphans of ${this.#cutCount} cuts`);
    // What was kept with its token is registered by somebody or by nobody, and used.
    if (isFleet && orphans.length > 0) this.#violations.push(`${orphans.length} orphans of fleet provisioning`);
    this.#checkHistory(history, others);
    this.#checkDisk();
    return { orphans: orphans.length, certificates: all.length };
  }

  /** Each certificate is named, or a request that nobody answered explains it. */
  #checkHistory(history: readonly HistoryEntry[], others: readonly CertificateLife[]): void {
    const unnamed = others.filter((each) => !history.some((entry) => entry.certificateId === each.certificateId));
    const silent = history.filter((entry) => entry.certificateId === undefined);
    if (unnamed.length > silent.length) this.#violations.push(`${unnamed.length} certificates that nothing explains`);
    const open = history.filter(({ outcome }) => outcome !== "provisioned" && outcome !== "discarded");
    if (open.length > 0) this.#violations.push(`the history ends with ${open[0]?.outcome}`);
    if (history.length > this.#cutCount + 1)
      this.#violations.push(`${history.length} requests, ${this.#cutCount} cuts`);
  }

  #checkDisk(): void {
    const disk = this.#files.snapshot();
    const bytes = disk[progressPath] ?? new Uint8Array();
    const text = new TextDecoder().decode(bytes);
    if (/PRIVATE KEY|"token"/u.test(text)) this.#violations.push("the progress holds what nobody may see");
    const phase = decodeProgress(bytes)?.phase.name;
    if (phase !== "provisioned") this.#violations.push(`the progress ends as ${phase}`);
  }

  async #certificates(): Promise<CertificateLife[]> {
    const { cloud } = this.#house;
    const all: CertificateLife[] = [];
    for (let token: string | undefined = ""; token !== undefined;) {
      const url = `http://${host}/_thingline/certificates${token === "" ? "" : `?nextToken=${token}`}`;
      const { body } = await cloud.handleRest({ method: "GET", url, headers: {} });
      const page = JSON.parse(new TextDecoder().decode(body)) as {
        certificates: CertificateLife[];
        nextToken?: string;
      };
      all.push(...page.certificates);
      token = page.nextToken === undefined ? undefined : encodeURIComponent(page.nextToken);
    }
    const clientIds = [this.#clientId, `claim-${this.#clientId}`];
    return all.filter(({ origin, thingNames }) => {
      return clientIds.includes(origin.clientId ?? "") || thingNames.includes(this.#clientId);
    });
  }

  // ---- cuts ------------------------------------------------------------------------------------------------------

  #cutPower(): void {
    if (this.#isPowerless || this.#isSwitchedOff) return;
    const cut = this.#cuts.shift();
    this.#offMs = cut?.offMs ?? 1_000;
    this.#cutCount += 1;
    this.#isPowerless = true;
    this.#note("power cut");
    this.#kill();
    this.#files.cutPower();
    this.#endLife();
  }

  #kill(): void {
    const life = this.#life;
    if (life !== undefined) {
      life.isOver = true;
      life.clock.kill();
      life.modem?.cutPower();
    }
    for (const link of this.#links) link.vanish("client");
    this.#links = [];
  }

  #restart(): void {
    this.#counts.files += this.#files.writeCount;
    this.#before = { ...this.#counts };
    this.#isSwitchedOff = true;
    this.#files = this.#files.restart(this.#filesStart());
    this.#isSwitchedOff = false;
    this.#isPowerless = false;
  }

  /** How many of a kind are left until the next cut; undefined when it is of another kind. */
  #left(of: CutPoint["of"]): number | undefined {
    const [cut] = this.#cuts;
    if (cut?.of !== of) return undefined;
    const left = this.#before[of] + cut.index - this.#counts[of];
    return left > 0 ? left : undefined;
  }

  #filesStart(): Parameters<VirtualFiles["restart"]>[0] {
    const powerLossBeforeWrite = this.#left("files");
    if (powerLossBeforeWrite === undefined) return {};
    return { powerLossBeforeWrite, onPowerLoss: () => this.#cutPower() };
  }

  #packet(): void {
    if (this.#isSwitchedOff) return;
    if (this.#left("packets") === 1) this.#cutPower();
    this.#counts.packets += 1;
  }

  #dialer(life: Life): Dialer {
    return {
      dial: async (target, options) => {
        if (this.#openCount > 0) this.#violations.push("a connection is open while another one is dialed");
        const connection = await this.#house.network.dial(target, options);
        if (life.isOver) {
          // The process died while it was dialing: nobody is there to use the connection.
          connection.destroy();
          return new Promise<never>(() => undefined);
        }
        const link = this.#house.network.links.find(({ client }) => client.port === connection.local.port);
        if (link !== undefined) this.#links.push(link);
        this.#openCount += 1;
        void connection.closed.then(() => life.isOver || this.#openCount--);
        return counted(connection, () => this.#packet());
      },
    };
  }

  #note(line: string): void {
    this.#trace.push(`${Math.round(this.#house.clock.monotonicMs() - this.#startMs)} ${line}`);
  }
}

interface CertificateLife {
  certificateId: string;
  status: string;
  provedAtMs?: number | null;
  thingNames: string[];
  origin: { clientId?: string };
}

function textOf(event: Parameters<NonNullable<ProvisionDeviceOptions["onEvent"]>>[0]): string {
  if (event.type === "stepFinished") return `${event.name} ${event.result}`;
  if (event.type === "stepStarted") return `${event.name} ...`;
  return event.type === "note" ? `note ${event.message}` : event.type;
}
