// Rotations in memory and in virtual time: a whole local cloud, and a device with two security tags whose power goes where a plan says.
// What must not happen is collected in `violations`.
import {
  type Cloud,
  createCloud,
  createMemoryStore,
  provisionedPolicyName,
  rotationHookName,
  rotationThingParameter,
  silentLog,
} from "@thingline/cloud";
import { createDevice, createNativeCredentialStore, createNativeTlsDialer, type Device } from "@thingline/device";
import { openRotation, type Rotation, type RotationOptions } from "@thingline/device/rotation";
import { isThinglineError, ThinglineError } from "@thingline/protocol";
import type { CredentialStore, Dialer, LinkControl } from "@thingline/transport";
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

export const host = "localhost";
export const overlapMs = 60_000;
export const tags: readonly [number, number] = [50, 51];
/** Whatever goes wrong is over by then. */
const worldLimitMs = 3_600_000;
const messages = 12;
const messageIntervalMs = 40;

/** The nth write to a file, or the nth packet of the device. */
export interface CutPoint {
  of: "files" | "packets";
  index: number;
}

export interface RotationScenario {
  name: string;
  method: RotationOptions["method"];
  /** Credentials can only be written while the link is offline. */
  isModem: boolean;
}

export interface RotationRun {
  violations: string[];
  trace: string[];
  counts: Record<CutPoint["of"], number>;
  cutCount: number;
  /** Certificates that were issued and never proved. */
  orphans: number;
}

/** Signatures of the system that the cloud waits for when it issues a certificate. */
let signaturesPending = 0;
for (const name of ["sign", "verify", "importKey", "exportKey", "digest"] as const) {
  const { subtle } = globalThis.crypto;
  const call = subtle[name].bind(subtle) as (...args: unknown[]) => Promise<unknown>;
  const counted = async (...args: unknown[]): Promise<unknown> => {
    signaturesPending += 1;
    try {
      return await call(...args);
    } finally {
      signaturesPending -= 1;
    }
  };
  Object.defineProperty(subtle, name, { value: counted });
}

/** Lets time pass until a promise is settled, and none while the cloud waits for the system: a world is the same each time. */
export async function untilDone<Result>(
  clock: VirtualClock,
  promise: Promise<Result>,
  { limitMs = worldLimitMs, stepMs = 5 }: { limitMs?: number; stepMs?: number | (() => number) } = {},
): Promise<Result> {
  let isSettled = false;
  const settled = (): void => void (isSettled = true);
  const stepOf = typeof stepMs === "number" ? () => stepMs : stepMs;
  promise.then(settled, settled);
  for (const endMs = clock.monotonicMs() + limitMs; ; await clock.advance(stepOf())) {
    do await clock.settle();
    while (signaturesPending > 0);
    if (isSettled) return promise;
    if (clock.monotonicMs() > endMs) throw new Error(`not settled after ${limitMs} ms`);
  }
}

/** The cloud of all worlds: each has a thing of its own. */
export interface RotationHouse {
  clock: VirtualClock;
  network: VirtualNetwork;
  cloud: Cloud;
  keys: ReturnType<typeof createVirtualKeys>;
  close(): Promise<void>;
}

export async function openRotationHouse(): Promise<RotationHouse> {
  const clock = createVirtualClock();
  const random = createVirtualRandom("house");
  const network = createVirtualNetwork({ clock, random: random.fork("network"), latencyMs: 5 });
  const at = (port: number) => ({ host, port, optionName: "port" });
  const keys = createVirtualKeys({ random });
  const dependencies = { network, clock, random, files: createVirtualFiles(), keys };
  const cloud = await clock.untilSettled(
    createCloud(
      { ...dependencies, store: createMemoryStore(), log: silentLog },
      {
        ...{ folder: "/cloud", mqtts: at(8883), https: at(8443), limits: "none", vending: "builtin" },
        rotationOverlapMs: overlapMs,
      },
    ),
  );
  // What is loaded with the first request is loaded now: virtual time does not wait for a module.
  await cloud.handleRest({ method: "GET", url: `http://${host}/_thingline/certificates`, headers: {} });
  await clock.untilSettled(cloud.run(cloud.registry.createPolicy, { policyName, policyDocument }));
  const hook = `arn:aws:lambda:us-east-1:123456789012:function:${rotationHookName}`;
  await clock.untilSettled(
    cloud.run(cloud.fleetProvisioning.createProvisioningTemplate, {
      ...{ templateName: rotationTemplate, templateBody, enabled: true },
      provisioningRoleArn: "arn:aws:iam::123456789012:role/provisioning",
      preProvisioningHook: { targetArn: hook },
    }),
  );
  return { clock, network, cloud, keys, close: () => clock.until(cloud.close()) };
}

/** The name of the one that split provisioning attaches: it leaves one that is there as it is. */
export const policyName = provisionedPolicyName;
export const rotationTemplate = "rotate";
const templateBody = JSON.stringify({
  Parameters: {
    [rotationThingParameter]: { Type: "String" },
    "AWS::IoT::Certificate::Id": { Type: "String" },
  },
  Resources: {
    thing: {
      Type: "AWS::IoT::Thing",
      Properties: { ThingName: { Ref: rotationThingParameter } },
      OverrideSettings: { AttributePayload: "DO_NOTHING", ThingTypeName: "DO_NOTHING", ThingGroups: "DO_NOTHING" },
    },
    certificate: {
      Type: "AWS::IoT::Certificate",
      Properties: { CertificateId: { Ref: "AWS::IoT::Certificate::Id" }, Status: "Active" },
    },
    policy: { Type: "AWS::IoT::Policy", Properties: { PolicyName: policyName } },
  },
});
const policyDocument = JSON.stringify({
  Version: "2012-10-17",
  Statement: [
    { Effect: "Allow", Action: "iot:Connect", Resource: "arn:aws:iot:*:*:client/${iot:Connection.Thing.ThingName}" },
    { Effect: "Allow", Action: ["iot:Publish", "iot:Subscribe", "iot:Receive"], Resource: "*" },
  ],
});

let runCount = 0;

/** One rotation. @param cuts one after the other, each counted from the one before it */
export async function runRotation(
  house: RotationHouse,
  scenario: RotationScenario,
  cuts: readonly CutPoint[] = [],
): Promise<RotationRun> {
  runCount += 1;
  return new RotationWorld(house, scenario, { cuts, thingName: `pump-${runCount}` }).run();
}

/** One life of the device's program. */
interface Life {
  clock: ProcessClock;
  device: Device;
  rotation: Rotation | undefined;
  isOver: boolean;
}

class RotationWorld {
  readonly #house: RotationHouse;
  readonly #scenario: RotationScenario;
  /** Those that are still to come. */
  readonly #cuts: CutPoint[];
  readonly #thingName: string;
  readonly #violations: string[] = [];
  readonly #trace: string[] = [];
  readonly #counts = { files: 0, packets: 0 };
  readonly #random = createVirtualRandom("device");
  readonly #startMs: number;
  readonly #received = new Set<number>();
  #before = { files: 0, packets: 0 };
  #files: VirtualFiles;
  #links: VirtualLink[] = [];
  #life: Life | undefined;
  #lifeCount = 0;
  #endLife: () => void = () => undefined;
  #isOffline = true;
  #isPowerless = false;
  #isSwitchedOff = false;
  #isDone = false;
  #isPublishing = false;
  #cutCount = 0;
  /** Connections of this life. */
  #openCount = 0;
  #firstCertificateId = "";

  constructor(
    house: RotationHouse,
    scenario: RotationScenario,
    { cuts, thingName }: { cuts: readonly CutPoint[]; thingName: string },
  ) {
    this.#house = house;
    this.#scenario = scenario;
    this.#cuts = [...cuts];
    this.#thingName = thingName;
    this.#startMs = house.clock.monotonicMs();
    this.#files = createVirtualFiles({ random: this.#random.fork("files") });
  }

  async run(): Promise<RotationRun> {
    const { clock } = this.#house;
    await clock.untilSettled(this.#manufacture());
    this.#files = this.#files.restart(this.#filesStart());
    const lives = this.#live();
    await untilDone(clock, Promise.race([lives, this.#untilDone()]), { limitMs: 2 * worldLimitMs });
    await clock.advance(2 * overlapMs);
    await this.#checkEnd();
    this.#isSwitchedOff = true;
    this.#counts.files += this.#files.writeCount;
    const orphans = (await clock.untilSettled(this.#lives())).filter(({ provedAtMs }) => provedAtMs === null).length;
    if (orphans > this.#cutCount) this.#violations.push(`${orphans} orphans of ${this.#cutCount} cuts`);
    this.#kill();
    const { violations, trace, counts, cutCount } = {
      ...{ violations: this.#violations, trace: this.#trace, counts: this.#counts, cutCount: this.#cutCount },
    };
    return { violations, trace, counts, cutCount, orphans };
  }

  /** A thing whose first credentials are in the first tag, with a persistent session at the cloud. */
  async #manufacture(): Promise<void> {
    const { cloud, keys } = this.#house;
    const { keyPair, ...made } = await cloud.run(cloud.registry.createKeysAndCertificate, { setAsActive: true });
    const { certificateArn = "", certificateId = "", certificatePem = "" } = made;
    this.#firstCertificateId = certificateId;
    await cloud.run(cloud.registry.createThing, { thingName: this.#thingName });
    await cloud.run(cloud.registry.attachPolicy, { policyName, target: certificateArn });
    const attachment = { thingName: this.#thingName, principal: certificateArn };
    await cloud.run(cloud.registry.attachThingPrincipal, attachment);
    const store = createNativeCredentialStore({ keys, files: this.#files, folder: "/credentials" });
    await store.write(tags[0], "ca", cloud.caPem);
    await store.write(tags[0], "certificate", certificatePem);
    await store.write(tags[0], "privateKey", keyPair?.PrivateKey ?? "");
  }

  async #untilDone(): Promise<void> {
    const { clock } = this.#house;
    while (!this.#isDone || this.#received.size < messages) {
      if (clock.monotonicMs() - this.#startMs > worldLimitMs / 6) {
        this.#violations.push(`no end: done ${this.#isDone}, ${this.#received.size} of ${messages} messages`);
        return;
      }
      await clock.sleep(250);
    }
  }

  async #checkEnd(): Promise<void> {
    const life = this.#life;
    if (life === undefined || life.device.state !== "ready") {
      return void this.#violations.push(`the device is ${life?.device.state ?? "not there"} at the end`);
    }
    const lives = await this.#house.clock.untilSettled(this.#lives());
    const active = lives.filter(({ status, provedAtMs }) => status === "ACTIVE" && provedAtMs !== null);
    if (active.length !== 1) this.#violations.push(`${active.length} proved certificates are ACTIVE after the overlap`);
    const inUse = life.rotation?.certificate?.certificateId;
    if (active[0]?.certificateId !== inUse) this.#violations.push("the certificate in use is not the ACTIVE one");
    if (inUse === this.#firstCertificateId) this.#violations.push("nothing was rotated");
    const old = lives.find(({ certificateId }) => certificateId === this.#firstCertificateId);
    if (old?.status === "ACTIVE") this.#violations.push("the first certificate is ACTIVE after the overlap");
    const kept = Object.keys(this.#files.snapshot()).filter((path) => /^\/credentials\/5\d-/u.test(path));
    if (kept.length !== 3) this.#violations.push(`${kept.join(", ")} are left`);
  }

  async #lives() {
    const { cloud } = this.#house;
    const { body } = await cloud.handleRest({
      method: "GET",
      url: `http://${host}/_thingline/certificates`,
      headers: {},
    });
    const { certificates } = JSON.parse(new TextDecoder().decode(body)) as {
      certificates: { certificateId: string; status: string; provedAtMs?: number | null; thingNames: string[] }[];
    };
    return certificates.filter(({ thingNames }) => thingNames.includes(this.#thingName));
  }

  // ---- lives -----------------------------------------------------------------------------------------------------

  async #live(): Promise<void> {
    for (;;) {
      const ended = new Promise<void>((resolve) => (this.#endLife = resolve));
      this.#start();
      await ended;
      await this.#house.clock.sleep(1_000);
      this.#restart();
    }
  }

  #start(): void {
    this.#lifeCount += 1;
    this.#openCount = 0;
    const clock = createProcessClock(this.#house.clock);
    const random = this.#random.fork(`life ${this.#lifeCount}`);
    const { keys } = this.#house;
    const store = createNativeCredentialStore({ keys, files: this.#files, folder: "/credentials" });
    const device = createDevice({
      ...{ host, port: 8883, clientId: this.#thingName, clock, random, isCleanSession: false },
      ...{ secTagDialer: createNativeTlsDialer({ dialer: this.#dialer(), store }), secTag: tags[0] },
      reconnect: { capMs: 5_000 },
      applicationTopics: [`app/${this.#thingName}`],
      on: {
        data: ({ payload }) => void this.#received.add(Number(new TextDecoder().decode(payload))),
        disconnected: ({ error }) => this.#note(`disconnected ${error?.code ?? ""}`),
      },
    });
    const life: Life = { clock, device, rotation: undefined, isOver: false };
    this.#life = life;
    this.#run(life, this.#store(store), random).catch((error: unknown) => {
      if (!life.isOver) this.#violations.push(`the program ended: ${String(error)}`);
    });
  }

  async #run(life: Life, store: CredentialStore, random: ReturnType<typeof createVirtualRandom>): Promise<void> {
    const { clock, device } = life;
    const { method, isModem } = this.#scenario;
    const rotation = await openRotation(device, {
      ...{ tags, store, method, files: this.#files, folder: "/rotation", keys: this.#house.keys, clock, random },
      ...{ overlapMs, ...(isModem && { link: this.#link }) },
      on: {
        rotationStep: (event) => this.#note(JSON.stringify(event)),
        rotated: ({ certificateId }) => this.#note(`rotated ${certificateId.slice(0, 6)}`),
        rotationFailed: ({ error }) => this.#note(`failed ${error.code} ${error.message}`),
        error: ({ error }) => this.#note(`error ${error.message}`),
        wentBack: () => this.#violations.push("it went back"),
      },
    });
    life.rotation = rotation;
    await this.#connected(life, rotation);
    if (!this.#isPublishing) void this.#publish();
    this.#isPublishing = true;
    while (!life.isOver && rotation.record.history.every(({ outcome }) => outcome !== "rotated")) {
      await rotation.rotate().catch((error: unknown) => this.#note(`rotate: ${String(error)}`));
      if (device.state !== "ready") await clock.sleep(3_000);
    }
    if (!life.isOver) this.#isDone = true;
  }

  async #connected({ clock }: Life, rotation: Rotation): Promise<void> {
    for (;;) {
      try {
        return await rotation.connect();
      } catch (error) {
        if (!isThinglineError(error)) throw error;
        this.#note(`connect: ${error.code} ${error.message}`);
        await clock.sleep(2_000);
      }
    }
  }

  /** QoS 1 messages for the device, before, while and after it rotates. */
  async #publish(): Promise<void> {
    const { clock, cloud } = this.#house;
    for (let number = 0; number < messages; number++) {
      const payload = new TextEncoder().encode(String(number));
      await cloud.run(cloud.messages.publish, { topic: `app/${this.#thingName}`, qos: 1, payload });
      await clock.sleep(messageIntervalMs);
    }
  }

  get #link(): LinkControl {
    const online = async () => {
      await this.#house.clock.sleep(50);
      this.#isOffline = false;
    };
    const offline = async () => {
      this.#isOffline = true;
      for (const link of this.#links) link.reset();
    };
    return { connect: online, normal: online, offline, powerOff: offline };
  }

  /** As a modem's: nothing is written while it is online. */
  #store(store: CredentialStore): CredentialStore {
    if (!this.#scenario.isModem) return store;
    const requireOffline = () => {
      if (!this.#isOffline) throw new ThinglineError("CREDENTIAL_REFUSED", "+CME ERROR: 518");
    };
    return {
      write: async (...args) => (requireOffline(), store.write(...args)),
      delete: async (...args) => (requireOffline(), store.delete(...args)),
      digest: (...args) => store.digest(...args),
      read: (...args) => store.read(...args),
      compare: (...args) => store.compare(...args),
      exists: (...args) => store.exists(...args),
      list: () => store.list(),
    };
  }

  // ---- cuts ------------------------------------------------------------------------------------------------------

  #cutPower(): void {
    if (this.#isPowerless || this.#isSwitchedOff) return;
    this.#cuts.shift();
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
    }
    for (const link of this.#links) link.vanish("client");
    this.#links = [];
  }

  #restart(): void {
    this.#counts.files += this.#files.writeCount;
    this.#before = { ...this.#counts };
    this.#isSwitchedOff = true;
    this.#files = this.#files.restart(this.#filesStart());
    this.#isOffline = true;
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
    // A session without its subscriptions is none of a rotation's making: packets count from the first connection on.
    if (!this.#isPublishing) return;
    if (this.#left("packets") === 1) this.#cutPower();
    this.#counts.packets += 1;
  }

  #dialer(): Dialer {
    return {
      dial: async (target, options) => {
        const life = this.#life;
        if (this.#openCount > 0) this.#violations.push("a connection is open while another one is dialed");
        const connection = await this.#house.network.dial(target, options);
        if (life?.isOver === true) {
          // The process died while it was dialing: nobody is there to use the connection.
          connection.destroy();
          return new Promise<never>(() => undefined);
        }
        const link = this.#house.network.links.find(({ client }) => client.port === connection.local.port);
        if (link !== undefined) this.#links.push(link);
        this.#openCount += 1;
        void connection.closed.then(() => life?.isOver === true || this.#openCount--);
        return counted(connection, () => this.#packet());
      },
    };
  }

  #note(line: string): void {
    this.#trace.push(`${Math.round(this.#house.clock.monotonicMs() - this.#startMs)} ${line}`);
  }
}
