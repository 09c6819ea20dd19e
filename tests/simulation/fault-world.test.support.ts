// A device, a cloud and somebody in the office who listens, all in memory and in virtual time. The network of the device fails
// as a plan says; what must not happen is collected in `violations`.
import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { type Cloud, createCloud, createMemoryStore, silentLog } from "@thingline/cloud";
import { connectDevice, createDevice, type Device, type DeviceOptions } from "@thingline/device";
import type { Clock, Dialer } from "@thingline/transport";
import {
  createProcessClock,
  createVirtualClock,
  createVirtualFiles,
  createVirtualKeys,
  createVirtualNetwork,
  createVirtualRandom,
  type LinkFaults,
  type ProcessClock,
  type VirtualClock,
  type VirtualFiles,
  type VirtualLink,
  type VirtualNetwork,
} from "@thingline/transport/virtual";
import { type FaultPlan, planOf } from "./fault-plan.test.support.js";

const folder = "/cloud";
const mqttsPort = 8883;
const mqttPort = 1883;
const queueFolder = "/queue";
/** Whatever goes wrong is over by then. */
const worldLimitMs = 2 * 3_600_000;
/** The cloud gives a client that it hears nothing of up 1.5 keep-alives after its last word. */
const cloudForgetsMs = 120_000;
const text = new TextDecoder();

/** What takes real cryptography, made once: the CA, the server's certificate and the device's. */
export interface Prepared {
  files: Record<string, Uint8Array>;
  snapshot: Awaited<ReturnType<Cloud["snapshot"]>>;
  tls: { ca: string; certificate: string; privateKey: string };
}

export async function prepare(): Promise<Prepared> {
  const clock = createVirtualClock();
  const network = createVirtualNetwork({ clock, random: createVirtualRandom("prepare") });
  const files = createVirtualFiles();
  const cloud = await clock.untilSettled(openCloud(clock, network, files));
  const run = <T>(promise: Promise<T>): Promise<T> => clock.untilSettled(promise);
  const { registry } = cloud;
  const issued = await run(cloud.run(registry.createKeysAndCertificate, { setAsActive: true }));
  const policyDocument = JSON.stringify({
    Version: "2012-10-17",
    Statement: [
      { Effect: "Allow", Action: "iot:*", Resource: "*" },
      { Effect: "Deny", Action: "iot:Publish", Resource: "arn:aws:iot:*:*:topic/denied/*" },
    ],
  });
  await run(cloud.run(registry.createPolicy, { policyName: "all", policyDocument }));
  await run(cloud.run(registry.attachPolicy, { policyName: "all", target: issued.certificateArn }));
  const tls = { ca: cloud.caPem, certificate: issued.certificatePem, privateKey: issued.keyPair.PrivateKey };
  const snapshot = await cloud.snapshot();
  await run(cloud.close());
  return { files: files.snapshot(), snapshot, tls };
}

/** The cloud that was prepared, in a world of its own. */
export async function openPrepared(prepared: Prepared, clock: VirtualClock, network: VirtualNetwork): Promise<Cloud> {
  const files = createVirtualFiles({ content: prepared.files });
  const cloud = await clock.untilSettled(openCloud(clock, network, files));
  await clock.untilSettled(cloud.restore(prepared.snapshot));
  return cloud;
}

function openCloud(clock: Clock, network: VirtualNetwork, files: VirtualFiles): Promise<Cloud> {
  const random = createVirtualRandom("cloud");
  const keys = createVirtualKeys({ random });
  const at = (port: number) => ({ host: "localhost", port, optionName: "port" });
  const options = { folder, mqtts: at(mqttsPort), https: at(8443), mqtt: at(mqttPort) };
  return createCloud({ network, clock, random, files, keys, store: createMemoryStore(), log: silentLog }, options);
}

export interface WorldResult {
  violations: string[];
  /** Everything that the application sees, with its time. The same seed gives the same trace. */
  trace: string[];
  /** Bytes of the device's first connection that arrived, by sender. */
  bytes: { client: number; server: number };
  dialCount: number;
}

/** Nothing that must not happen has happened. Tells how to replay it otherwise, by network-faults.test.ts. */
export async function worldHolds(prepared: Prepared, seed: string): Promise<WorldResult> {
  const result = await runWorld(prepared, planOf(seed));
  const replay = `replay: THINGLINE_SEED=${seed} node scripts/test.mjs --integration simulation/network-faults`;
  assert.deepEqual(result.violations, [], `${replay}\n${result.trace.join("\n")}`);
  return result;
}

async function runWorld(prepared: Prepared, plan: FaultPlan): Promise<WorldResult> {
  const world = new World(prepared, plan);
  await world.run();
  const { violations, trace, bytes, dialCount } = world;
  return { violations, trace, bytes, dialCount };
}

/** The device has timers, and nothing else that waits. */
function neverSleeps(): never {
  throw new Error("the device never sleeps");
}

/** One life of the device's process. */
interface Life {
  device: Device;
  clock: ProcessClock;
  abort: AbortController;
  isClosing: boolean;
  isOver: boolean;
}

interface Published {
  payload: string;
  life: Life;
  /** `pending`, `acknowledged`, `stored`, or an error. */
  state: string;
}

class World {
  readonly violations: string[] = [];
  readonly trace: string[] = [];
  bytes = { client: 0, server: 0 };
  readonly #prepared: Prepared;
  readonly #plan: FaultPlan;
  readonly #clock = createVirtualClock();
  readonly #network: VirtualNetwork;
  #diskOfDevice: VirtualFiles;
  readonly #deviceLinks: VirtualLink[] = [];
  readonly #published: Published[] = [];
  /** Payloads that the office got, repeated ones included. */
  readonly #arrived: string[] = [];
  /** Payloads that the device got. */
  readonly #commands = new Set<string>();
  #isOfficeDialing = true;
  #dialCount = 0;
  #readyCount = 0;
  #startMs = 0;
  #commandsSent = 0;
  #isSessionKnown = true;
  #progress: () => void = () => undefined;

  constructor(prepared: Prepared, plan: FaultPlan) {
    this.#prepared = prepared;
    this.#plan = plan;
    const random = createVirtualRandom(plan.seed);
    this.#diskOfDevice = createVirtualFiles({ random: random.fork("disk") });
    const faults = (): LinkFaults | undefined => {
      if (this.#isOfficeDialing) return { latencyMs: 1 };
      this.#dialCount += 1;
      return plan.faults[this.#dialCount - 1];
    };
    this.#network = createVirtualNetwork({
      clock: this.#clock,
      random: random.fork("network"),
      latencyMs: plan.latencyMs,
      faults,
    });
  }

  get dialCount(): number {
    return this.#dialCount;
  }

  async run(): Promise<void> {
    const clock = this.#clock;
    const cloud = await openPrepared(this.#prepared, clock, this.#network);
    const office = await clock.until(this.#openOffice());
    this.#isOfficeDialing = false;
    this.#startMs = clock.monotonicMs();

    let life = this.#start(office);
    const { firstLife } = this.#plan;
    if (firstLife !== undefined) {
      await clock.advance(firstLife.endsAfterMs);
      if (firstLife.how === "close") await this.#end(life);
      else this.#kill(life, firstLife.how === "powerCut");
      life = this.#start(office);
    }
    await this.#settle(life);
    this.#check(life);
    await this.#close(life, office, cloud);
  }

  async #openOffice(): Promise<Device> {
    const office = await connectDevice({ ...this.#address(), clientId: "office", clock: this.#clock, version: 5 });
    await office.subscribe("up/#", ({ payload }) => {
      this.#arrived.push(text.decode(payload));
      this.#progress();
    });
    return office;
  }

  #address() {
    const { isTls, seed } = this.#plan;
    const common = { host: "localhost", random: createVirtualRandom(seed).fork(`device ${this.#dialCount}`) };
    const dialer = this.#network;
    return isTls
      ? { ...common, port: mqttsPort, dialer, tls: this.#prepared.tls }
      : { ...common, port: mqttPort, dialer };
  }

  // ---- the device's application ----------------------------------------------------------------------------------

  #start(office: Device): Life {
    const { version, queue, isCleanSession, resendAfterMs } = this.#plan;
    const clock = Object.assign(createProcessClock(this.#clock), { sleep: neverSleeps });
    const dialer: Dialer = {
      dial: async (target, options) => {
        const connection = await this.#network.dial(target, options);
        const link = this.#network.links.find(({ client }) => client.port === connection.local.port);
        if (link !== undefined) this.#deviceLinks.push(link);
        // The process died while it was dialing: nobody is there to use the connection.
        if (life.isOver && !life.isClosing) {
          connection.destroy();
          await new Promise(() => undefined);
        }
        return connection;
      },
    };
    const life: Life = {
      device: undefined as never,
      clock,
      abort: new AbortController(),
      isClosing: false,
      isOver: false,
    };
    const options: DeviceOptions = {
      ...this.#address(),
      dialer,
      clock,
      clientId: "pump-7",
      version,
      isCleanSession,
      keepAliveSeconds: 30,
      reconnect: { firstAttempt: "retry", capMs: 20_000 },
      // Longer than any fault: a message that is not acknowledged in the end was lost.
      ackTimeoutMs: 3_600_000,
      applicationTopics: ["down/#"],
      on: this.#listeners(() => life, office),
    };
    if (resendAfterMs !== undefined) options.resendAfterMs = resendAfterMs;
    if (queue === "memory") options.offlineQueue = { messagesPerSecondMax: Infinity };
    if (queue === "disk") {
      const storage = { files: this.#diskOfDevice, folder: queueFolder, durability: "disk" } as const;
      options.offlineQueue = { messagesPerSecondMax: Infinity, storage };
    }
    life.device = createDevice(options);
    const { signal } = life.abort;
    life.device.connect({ signal }).then(
      () => this.#note("connect() resolved"),
      (error: unknown) => {
        if (!life.isOver && !life.isClosing) this.violations.push(`connect() rejected: ${String(error)}`);
      },
    );
    this.#publish(life, "before ready");
    return life;
  }

  #listeners(lifeOf: () => Life, office: Device): NonNullable<DeviceOptions["on"]> {
    const alive = <Event>(listener: (event: Event) => void) => {
      return (event: Event): void => {
        const { isOver, isClosing } = lifeOf();
        if (!isOver) listener(event);
        else if (isClosing) this.violations.push("an event came after close()");
      };
    };
    return {
      connecting: alive(({ result }) => this.#note(`connecting ${result ?? ""}`)),
      disconnected: alive(({ reason }) => {
        this.#note(`disconnected ${reason}`);
        this.#publish(lifeOf(), "after a cut");
      }),
      error: alive(({ error }) => void this.violations.push(`error event: ${String(error)}`)),
      offlineQueue: alive((event) => {
        this.#note(`offlineQueue ${event.type}`);
        this.#later(1, () => this.#progress());
      }),
      data: alive(({ payload }) => {
        this.#note(`command ${text.decode(payload)}`);
        this.#commands.add(text.decode(payload));
        this.#progress();
      }),
      ready: alive(() => {
        this.#note("ready");
        this.#later(1, () => this.#progress());
        this.#readyCount += 1;
        this.#publish(lifeOf(), "at ready");
        this.#later(50, () => this.#publish(lifeOf(), "later"));
        if (this.#readyCount === 1) this.#command(office);
      }),
    };
  }

  #later(delayMs: number, callback: () => void): void {
    this.#clock.setTimer(delayMs, callback);
  }

  #publish(life: Life, when: string): void {
    // A world comes to an end.
    if (life.isOver || this.#published.length >= 12) return;
    const number = this.#published.length;
    const until = this.#plan.queue === "disk" && number % 2 === 1 ? "stored" : "acknowledged";
    const published: Published = { payload: `${number} ${when}`, life, state: "pending" };
    this.#published.push(published);
    life.device.publish("up/7", published.payload, { until }).then(
      () => this.#settled(published, until),
      (error: unknown) => this.#settled(published, String(error)),
    );
  }

  #settled(published: Published, state: string): void {
    if (published.life.isOver) return;
    published.state = state;
    this.#note(`published ${published.payload}: ${state}`);
    this.#progress();
  }

  /** What the office wants of the device. A persistent session must get it, cut off or not. */
  #command(office: Device): void {
    this.#commandsSent += 1;
    office.publish("down/7", "command").then(
      () => this.#note("office: command acknowledged"),
      (error: unknown) => void this.violations.push(`office: ${String(error)}`),
    );
  }

  #isOver(life: Life): void {
    life.isOver = true;
    // A session without subscriptions may be left, and by the original's rule one that is present is not subscribed again.
    if (this.#readyCount === 0) this.#isSessionKnown = false;
  }

  #kill(life: Life, isPowerCut: boolean): void {
    this.#note(isPowerCut ? "power cut" : "killed");
    this.#isOver(life);
    life.clock.kill();
    this.#diskOfDevice = isPowerCut ? this.#diskOfDevice.restart() : this.#diskOfDevice.restartProcess();
    for (const link of this.#deviceLinks) {
      // Without power nobody says goodbye.
      if (isPowerCut) link.vanish("client");
      else link.reset();
    }
  }

  #note(line: string): void {
    this.trace.push(`${Math.round(this.#clock.monotonicMs() - this.#startMs)} ${line}`);
  }

  // ---- the end ---------------------------------------------------------------------------------------------------

  /** Time passes until everything has come to a good end, or none comes. */
  async #settle(life: Life): Promise<void> {
    const endMs = this.#clock.monotonicMs() + worldLimitMs;
    do {
      const limitMs = endMs - this.#clock.monotonicMs();
      if (limitMs <= 0) return void this.violations.push(`no end: after ${worldLimitMs} ms it is still up and down`);
      const done = new Promise<void>((resolve) => {
        this.#progress = () => {
          if (this.#isDone(life)) resolve();
        };
      });
      this.#progress();
      try {
        await this.#clock.until(done, { limitMs });
      } catch (error) {
        this.violations.push(`no end: ${String(error)}`);
        return;
      }
      // Repetitions, and what the last events lead to: another fault, perhaps.
      await this.#clock.advance(5_000);
    } while (!this.#isDone(life));
  }

  #isDone(life: Life): boolean {
    const isSettled = this.#published.every(({ state, life: own }) => own.isOver || state !== "pending");
    const haveArrived = this.#mustArrive().every((payload) => this.#arrived.includes(payload));
    const haveCommands = !this.#mustHear || this.#commands.size > 0;
    const isEmpty = (life.device.offlineQueue?.messageCount ?? 0) === 0;
    return isSettled && isEmpty && haveArrived && haveCommands && life.device.state === "ready";
  }

  get #mustHear(): boolean {
    return this.#commandsSent > 0 && this.#isSessionKnown && !this.#plan.isCleanSession;
  }

  #mustArrive(): string[] {
    const isPromised = ({ state }: Published): boolean => state === "acknowledged" || state === "stored";
    return this.#published.filter(isPromised).map(({ payload }) => payload);
  }

  #check(life: Life): void {
    for (const { payload, state, life: own } of this.#published) {
      const isLost = !own.isOver && state !== "acknowledged" && state !== "stored";
      if (isLost) this.violations.push(`"${payload}" was not acknowledged: ${state}`);
    }
    for (const payload of this.#mustArrive()) {
      if (!this.#arrived.includes(payload)) this.violations.push(`"${payload}" was acknowledged and is lost`);
    }
    const first = [...new Set(this.#arrived)].map((payload) => Number(payload.split(" ")[0]));
    if (first.some((number, index) => number < (first[index - 1] ?? -1))) {
      this.violations.push(`out of order: ${first.join(" ")}`);
    }
    if (life.device.state !== "ready") this.violations.push(`the device is ${life.device.state}`);
    if (this.#mustHear && this.#commands.size === 0) {
      this.violations.push("the office's command did not arrive");
    }
    const [firstLink] = this.#deviceLinks;
    if (firstLink !== undefined) this.bytes = { ...firstLink.deliveredBytes };
  }

  /** In whatever state it is: everybody who waits is told, and nothing is left. */
  async #end(life: Life): Promise<void> {
    const clock = this.#clock;
    this.#note("close()");
    life.isClosing = true;
    await clock.until(life.device.close(), { limitMs: 60_000 });
    await clock.until(life.device.closed);
    for (const { payload, state, life: own } of this.#published) {
      if (own === life && state === "pending") this.violations.push(`"${payload}" was not settled by close()`);
    }
    this.#isOver(life);
    this.#isNone("timers of the device after close()", life.clock.timerCount);
    this.#isNone("listeners on the signal", getEventListeners(life.abort.signal, "abort").length);
    const lock = await this.#diskOfDevice.lock(queueFolder).catch((error: unknown) => String(error));
    if (typeof lock === "string") this.violations.push(lock);
    else await lock.release();
  }

  async #close(life: Life, office: Device, cloud: Cloud): Promise<void> {
    const clock = this.#clock;
    this.#isNone("messages in the queue", life.device.offlineQueue?.messageCount ?? 0);
    await this.#end(life);
    await clock.advance(cloudForgetsMs);
    this.#isNone("connections of the device", this.#deviceLinks.filter(({ isOpen }) => isOpen).length);
    await clock.until(office.close());
    await clock.until(cloud.close());
    await clock.advance(1_000);
    this.#isNone("connections at all", this.#network.links.length);
    this.#isNone("timers at all", clock.timerCount);
  }

  #isNone(what: string, count: number): void {
    if (count !== 0) this.violations.push(`left: ${count} ${what}`);
  }
}
