// A board with flash, bootloader and a program, a cloud with jobs, and a server of files: all in memory and in virtual time. A plan says what
// goes wrong; what must not happen is collected in `violations`.
import { type Cloud, createCloud, silentLog } from "@thingline/cloud";
import { createVirtualStore, type NodeStore } from "@thingline/cloud/contract";
import { createDevice, type Device } from "@thingline/device";
import { createFirmwareUpdater, createHttpDownloader, type FotaEvent, whenReady } from "@thingline/device/fota";
import { type JobHandler, type JobOutcome, type JobRunner, runJobs } from "@thingline/device/jobs";
import { type Board, type BoardImage, type BoardOptions, createBoard, makeSimulatedFirmware } from "@thingline/sim";
import type { Clock, Connection, Dialer, Network } from "@thingline/transport";
import { createNodeImageCrypto } from "@thingline/transport/node/firmware";
import {
  createProcessClock,
  createVirtualClock,
  createVirtualFiles,
  createVirtualFlash,
  createVirtualKeys,
  createVirtualNetwork,
  createVirtualRandom,
  type LinkFaults,
  type ProcessClock,
  type VirtualFiles,
  type VirtualFlash,
  type VirtualLink,
} from "@thingline/transport/virtual";
import { serveUpdateFiles, type UpdateFiles } from "./update-files.test.support.js";
import type { UpdateImage, UpdatePlan } from "./update-plan.test.support.js";

const thingName = "pump-7";
const jobId = "update";
const mqttPort = 1883;
const filePort = 8080;
const fileHost = "files.test";
/** Whatever goes wrong is over by then. */
const worldLimitMs = 24 * 3_600_000;
const stepMs = 5_000;
const oldVersion = "1.0.0";
const crypto = createNodeImageCrypto();

/** What takes real cryptography, made once. */
export interface PreparedUpdates {
  files: Record<string, Uint8Array>;
  snapshot: Awaited<ReturnType<Cloud["snapshot"]>>;
  board: Omit<BoardOptions, "flash">;
  images: Readonly<Record<UpdateImage, Uint8Array>>;
  /** Healthy as well: takes the place of a file that is changed. */
  otherImage: Uint8Array;
}

export async function prepareUpdates({ imageBytes = 6_000 } = {}): Promise<PreparedUpdates> {
  const clock = createVirtualClock();
  const network = createVirtualNetwork({ clock, random: createVirtualRandom("prepare") });
  const files = createVirtualFiles();
  const store = createVirtualStore({ clock, random: createVirtualRandom("store") }).open(clock);
  const cloud = await clock.untilSettled(openCloud(clock, network, files, store));
  const { registry } = cloud;
  await clock.untilSettled(cloud.run(registry.createThing, { thingName }));
  const snapshot = await cloud.snapshot();
  await clock.untilSettled(cloud.close());

  const { privateKeyPem, publicKeyPem } = await crypto.generateKey("ecdsa-p256");
  const stranger = await crypto.generateKey("ecdsa-p256");
  const make = (version: string, health: string, key = privateKeyPem): Promise<Uint8Array> =>
    makeSimulatedFirmware({ crypto, privateKeyPem: key, version, sizeBytes: imageBytes, program: { health } });
  const good = await make("2.0.0", "good");
  const damaged = good.slice();
  damaged[3_000] = (damaged[3_000] ?? 0) ^ 4;
  return {
    files: files.snapshot(),
    snapshot,
    board: {
      crypto,
      keys: [crypto.publicKeyOf(publicKeyPem)],
      factoryImage: await make(oldVersion, "good"),
      sectorsMax: 32,
    },
    images: {
      good,
      ill: await make("2.0.0", "ill"),
      crash: await make("2.0.0", "crash"),
      deaf: await make("2.0.0", "deaf"),
      damaged,
      truncated: good.slice(0, -40),
      unsigned: await make("2.0.0", "good", stranger.privateKeyPem),
      wrongVersion: good,
    },
    otherImage: await make("2.0.0+1", "good"),
  };
}

function openCloud(clock: Clock, network: Network, files: VirtualFiles, store: NodeStore): Promise<Cloud> {
  const random = createVirtualRandom("cloud");
  const keys = createVirtualKeys({ random });
  const at = (port: number) => ({ host: "localhost", port, optionName: "port" });
  const options = { folder: "/cloud", mqtts: at(8883), https: at(8443), mqtt: at(mqttPort) };
  return createCloud({ network, clock, random, files, keys, store, log: silentLog }, options);
}

export interface UpdateResult {
  violations: string[];
  /** What happens, with its time. The same plan gives the same trace. */
  trace: string[];
  status: string | undefined;
  statusDetails: Readonly<Record<string, string>>;
  versionRunning: string;
  /** What a cut of the power could have come before, in the whole world. */
  counts: { flash: number; file: number; packet: number };
  bootCount: number;
  /** The power was cut where the plan says. */
  isCut: boolean;
}

export async function runUpdateWorld(prepared: PreparedUpdates, plan: UpdatePlan): Promise<UpdateResult> {
  const world = new UpdateWorld(prepared, plan);
  await world.run();
  return world.result();
}

/** One boot of the board, from its bootloader to the next restart or cut. */
interface Life {
  clock: ProcessClock;
  isOver: boolean;
  links: VirtualLink[];
  end: (how: "reboot" | "powerCut") => void;
  ended: Promise<"reboot" | "powerCut">;
}

interface CloudProcess {
  cloud: Cloud;
  clock: ProcessClock;
  store: NodeStore;
  close: () => Promise<void>;
}

class UpdateWorld {
  readonly violations: string[] = [];
  readonly trace: string[] = [];
  readonly #prepared: PreparedUpdates;
  readonly #plan: UpdatePlan;
  readonly #clock = createVirtualClock();
  readonly #random;
  readonly #network;
  readonly #store;
  readonly #counts = { flash: 0, file: 0, packet: 0 };
  #cloudDisk: VirtualFiles;
  #disk: VirtualFiles;
  #flash: VirtualFlash;
  #cloud: CloudProcess | undefined;
  #files: UpdateFiles | undefined;
  #life: Life | undefined;
  #board: Board | undefined;
  #isOver = false;
  #bootCount = 0;
  #dials = { cloud: 0, file: 0 };
  #isCut = false;
  #execution: { status: string; statusDetails: Record<string, string> } | undefined;

  constructor(prepared: PreparedUpdates, plan: UpdatePlan) {
    this.#prepared = prepared;
    this.#plan = plan;
    const random = createVirtualRandom(plan.seed);
    this.#random = random;
    const clock = this.#clock;
    this.#store = createVirtualStore({ clock, random: random.fork("store"), delayMsMax: 1 });
    this.#network = createVirtualNetwork({
      clock,
      random: random.fork("network"),
      latencyMs: plan.latencyMs,
      faults: ({ host }): LinkFaults | undefined => {
        return host === fileHost ? plan.fileFaults[this.#dials.file++] : plan.cloudFaults[this.#dials.cloud++];
      },
    });
    this.#cloudDisk = createVirtualFiles({ content: prepared.files });
    this.#disk = createVirtualFiles({ random: random.fork("disk"), onPowerLoss: () => this.#powerCut() });
    const flash = { sizeBytes: 33 * 1_024, pageBytes: 1_024, onPowerLoss: () => this.#powerCut() };
    this.#flash = createVirtualFlash({ ...flash, random: random.fork("flash") });
  }

  async run(): Promise<void> {
    const clock = this.#clock;
    // Programmed before the world begins: what is cut is the update.
    await this.#makeBoard();
    this.#restartFlash();
    await clock.until(this.#startCloud({ isFirst: true }));
    const { images, otherImage } = this.#prepared;
    const files = { answers: this.#plan.fileAnswers, bytes: images[this.#plan.image], otherBytes: otherImage };
    this.#files = await clock.until(serveUpdateFiles(this.#network, { host: fileHost, port: filePort }, files));
    await clock.until(this.#createJob());
    this.#planPowerCut();
    const living = this.#live().catch((error: unknown) => {
      this.violations.push(`the board: ${error instanceof Error ? error.stack : String(error)}`);
    });
    const killing = this.#killClouds();
    if (this.#plan.cancelAfterMs !== undefined) clock.setTimer(this.#plan.cancelAfterMs, () => void this.#cancel());
    await this.#settle();
    await this.#check();
    this.#isOver = true;
    this.#life?.end("reboot");
    await clock.until(Promise.all([living, killing]));
    await clock.until(this.#files.close());
    await clock.until(this.#cloud?.cloud.close() ?? Promise.resolve());
  }

  result(): UpdateResult {
    const { status, statusDetails = {} } = this.#execution ?? {};
    const [violations, trace] = [this.violations, this.trace];
    const counts = { ...this.#counts };
    const versionRunning = this.#versionRunning;
    return {
      violations,
      trace,
      status,
      statusDetails,
      versionRunning,
      counts,
      bootCount: this.#bootCount,
      isCut: this.#isCut,
    };
  }

  // ---- the cloud -------------------------------------------------------------------------------------------------

  async #startCloud({ isFirst = false } = {}): Promise<void> {
    const clock = createProcessClock(this.#clock);
    const store = this.#store.open(clock);
    const listening: (() => Promise<void>)[] = [];
    const network: Network = {
      dial: (target, options) => this.#network.dial(target, options),
      listen: async (options, onConnection) => {
        const listener = await this.#network.listen(options, onConnection);
        listening.push(() => listener.close());
        return listener;
      },
    };
    const cloud = await openCloud(clock, network, this.#cloudDisk, store);
    if (isFirst) await cloud.restore(this.#prepared.snapshot);
    const close = async (): Promise<void> => void (await Promise.all(listening.map((each) => each())));
    this.#cloud = { cloud, clock, store, close };
    this.#note("cloud: up");
  }

  async #killClouds(): Promise<void> {
    for (const { afterMs, forMs, losesCommits } of this.#plan.cloudKills) {
      await this.#clock.sleep(afterMs);
      const dying = this.#cloud;
      if (this.#isOver || dying === undefined) return;
      this.#note("cloud: killed");
      this.#cloud = undefined;
      dying.clock.kill();
      dying.store.kill(losesCommits);
      for (const link of this.#network.links) if (link.server.port === mqttPort) link.reset();
      await dying.close();
      this.#cloudDisk = this.#cloudDisk.restartProcess();
      await this.#clock.sleep(forMs);
      await this.#startCloud();
    }
  }

  async #createJob(): Promise<void> {
    const location = { url: `http://${fileHost}:${filePort}/app.bin?signature=1` };
    const fwversion = this.#plan.image === "wrongVersion" ? "v3.0.0" : "v2.0.0";
    const document = JSON.stringify({ operation: "app_fw_update", fwversion, location });
    const targets = [`arn:aws:iot:us-east-1:123456789012:thing/${thingName}`];
    const cloud = this.#cloud?.cloud as Cloud;
    await cloud.run(cloud.jobs.createJob, { jobId, targets, document });
  }

  async #cancel(): Promise<void> {
    for (let isDone = false; !isDone && !this.#isOver;) {
      const cloud = this.#cloud?.cloud;
      if (cloud !== undefined) {
        this.#note("the job is cancelled");
        isDone = await cloud.run(cloud.jobs.cancelJob, { jobId, force: true }).then(
          () => true,
          () => true,
        );
      }
      if (!isDone) await this.#clock.sleep(1_000);
    }
  }

  async #readExecution(): Promise<void> {
    const cloud = this.#cloud?.cloud;
    if (cloud === undefined) return;
    const { execution } = await cloud.run(cloud.jobs.describeJobExecution, { jobId, thingName });
    const details = execution?.statusDetails?.detailsMap ?? {};
    this.#execution = { status: execution?.status ?? "none", statusDetails: { ...details } };
  }

  // ---- the board -------------------------------------------------------------------------------------------------

  async #makeBoard(): Promise<void> {
    this.#board = await createBoard({ ...this.#prepared.board, flash: this.#flash });
  }

  async #live(): Promise<void> {
    while (!this.#isOver) {
      const life = this.#newLife();
      this.#life = life;
      const image = await this.#boot();
      if (image !== undefined && !life.isOver) {
        this.#runApplication(life, image).catch((error: unknown) => {
          if (!life.isOver)
            this.violations.push(`the application: ${error instanceof Error ? error.stack : String(error)}`);
        });
      }
      const how = await life.ended;
      this.#note(how);
      this.#restart(life, how);
      // The bootloader of a board takes a while.
      await this.#clock.sleep(100);
    }
  }

  #newLife(): Life {
    const life = { clock: createProcessClock(this.#clock), isOver: false, links: [] } as unknown as Life;
    life.ended = new Promise((resolve) => {
      life.end = (how) => {
        if (life.isOver) return;
        life.isOver = true;
        life.clock.kill();
        resolve(how);
      };
    });
    return life;
  }

  async #boot(): Promise<BoardImage | undefined> {
    this.#bootCount += 1;
    if (this.#bootCount > 60) {
      this.violations.push("the board boots for ever");
      this.#isOver = true;
      return undefined;
    }
    try {
      await this.#makeBoard();
      const { runs } = await (this.#board as Board).boot();
      if (runs === undefined) this.violations.push("the board boots no image");
      else this.#note(`boots ${runs.version}`);
      return runs;
    } catch (error) {
      if (this.#flash.isPowered) throw error;
      return undefined;
    }
  }

  #powerCut(): void {
    // A flash and a disk that are made anew take the power from what they were.
    if (this.#life?.isOver !== false) return;
    this.#isCut = true;
    this.#flash.cutPower();
    this.#disk.cutPower();
    this.#life?.end("powerCut");
  }

  #restart(life: Life, how: "reboot" | "powerCut"): void {
    for (const link of life.links) {
      if (how === "powerCut") link.vanish("client");
      else link.reset();
    }
    this.#counts.file += this.#disk.writeCount;
    this.#disk = how === "powerCut" ? this.#disk.restart() : this.#disk.restartProcess();
    this.#restartFlash();
    this.#planPowerCut();
  }

  #restartFlash(): void {
    if (this.#bootCount > 0) this.#counts.flash += this.#flash.operationCount;
    this.#flash = this.#flash.restart();
  }

  #planPowerCut(): void {
    const { cut } = this.#plan;
    if (cut === undefined || this.#isCut) return;
    const left = cut.at - this.#counts[cut.of];
    if (left < 1) return;
    const onPowerLoss = (): void => this.#powerCut();
    if (cut.of === "flash") {
      this.#flash = this.#flash.restart({ powerLoss: { atOperation: left, part: cut.part ?? 0 }, onPowerLoss });
    }
    if (cut.of === "file") this.#disk = this.#disk.restartProcess({ powerLossBeforeWrite: left, onPowerLoss });
  }

  // ---- the program of the board ----------------------------------------------------------------------------------

  async #runApplication(life: Life, image: BoardImage): Promise<void> {
    const { clock } = life;
    const { health } = image.program;
    if (health === "crash") {
      await clock.sleep(50);
      return life.end("reboot");
    }
    const random = this.#random.fork(`life ${this.#bootCount}`);
    const dialer = this.#dialerOf(life, { isDeaf: health === "deaf" });
    const address = { host: "localhost", port: mqttPort, dialer, clock, random };
    const reconnect = { firstAttempt: "retry", capMs: 20_000 } as const;
    const device = createDevice({ ...address, clientId: thingName, keepAliveSeconds: 30, reconnect });
    const target = (this.#board as Board).target();
    const updater = createFirmwareUpdater({
      files: this.#disk,
      journalPath: "/device/fota.json",
      clock,
      random,
      targets: [target],
      downloaders: [createHttpDownloader({ clock, dialer, rangeBytes: 2_048, receiveTimeoutMs: 20_000 })],
      connected: whenReady(device),
      reboot: () => {
        life.end("reboot");
        return new Promise(() => undefined);
      },
      healthCheck: () => health !== "ill",
      onEvent: (event) => this.#told(event),
      limits: { syncBytes: 2_048, retryMaxMs: 20_000, healthTimeoutMs: 1_800_000 },
    });
    await this.#runJobs(life, device, this.#watched(updater.handler));
    device.connect().catch(() => undefined);
  }

  async #runJobs(life: Life, device: Device, handler: JobHandler): Promise<JobRunner> {
    const { clock } = life;
    const mangled = this.#plan.manglesMessages ? mangle(device, clock, this.#random.fork("mangle")) : device;
    return runJobs(mangled, {
      handlers: { app_fw_update: handler },
      clock,
      random: this.#random.fork("jobs"),
      files: this.#disk,
      folder: "/device/jobs",
      attemptsMax: 1_000,
      on: { error: ({ error }: { error: Error }) => this.#note(`jobs: ${error.message}`) },
    });
  }

  #told(event: FotaEvent): void {
    const { type, ...facts } = event;
    if (type !== "progress") this.#note(`fota: ${type} ${JSON.stringify(facts)}`);
  }

  /** What a handler comes to has to be so in that moment. */
  #watched(handler: JobHandler): JobHandler {
    return async (job) => {
      const outcome = (await handler(job)) as JobOutcome;
      this.#note(`outcome: ${JSON.stringify(outcome)}`);
      if (outcome.status === "IN_PROGRESS" || !this.#flash.isPowered) return outcome;
      const { running, isScheduled } = await (this.#board as Board).target().state();
      const told = outcome.statusDetails?.["versionRunning"];
      if (told !== undefined && told !== running.version) {
        this.violations.push(`it says that ${told} runs, and ${running.version} does`);
      }
      if (outcome.status === "SUCCEEDED" && (running.trial === "onTrial" || running.version === `${oldVersion}+0`)) {
        this.violations.push(`it says SUCCEEDED, and ${running.version} is ${running.trial}`);
      }
      if (isScheduled) this.violations.push("an ended update is scheduled");
      return outcome;
    };
  }

  #dialerOf(life: Life, { isDeaf }: { isDeaf: boolean }): Dialer {
    return {
      dial: async (target, options) => {
        if (isDeaf) await life.clock.sleep(1e9);
        const connection = await this.#network.dial(target, options);
        const link = this.#network.links.find(({ client }) => client.port === connection.local.port);
        if (link !== undefined) life.links.push(link);
        if (life.isOver) {
          connection.destroy();
          await new Promise(() => undefined);
        }
        return this.#counted(connection, life);
      },
    };
  }

  /** Each packet that is sent is a place where the power may go. */
  #counted(connection: Connection, life: Life): Connection {
    const count = (): void => {
      if (life.isOver) return;
      this.#counts.packet += 1;
      const { cut } = this.#plan;
      if (cut?.of !== "packet" || this.#isCut || this.#counts.packet !== cut.at) return;
      for (const link of life.links) link.vanish("client");
      this.#powerCut();
    };
    return {
      get secure() {
        return connection.secure;
      },
      get local() {
        return connection.local;
      },
      get remote() {
        return connection.remote;
      },
      get bufferedBytes() {
        return connection.bufferedBytes;
      },
      get slab() {
        return connection.slab;
      },
      get closed() {
        return connection.closed;
      },
      start: (handlers) =>
        connection.start({
          data: (bytes) => void (life.isOver || handlers.data(bytes)),
          drained: () => void (life.isOver || handlers.drained?.()),
          closed: (error) => void (life.isOver || handlers.closed(error)),
        }),
      reserve: (lengthBytes) => {
        count();
        return connection.reserve(lengthBytes);
      },
      write: (head, body) => {
        count();
        return connection.write(head, body);
      },
      flush: () => connection.flush(),
      pause: () => connection.pause(),
      resume: () => connection.resume(),
      close: () => connection.close(),
      destroy: (error) => connection.destroy(error),
    };
  }

  // ---- the end ---------------------------------------------------------------------------------------------------

  #note(line: string): void {
    this.trace.push(`${Math.round(this.#clock.monotonicMs())} ${line}`);
  }

  get #versionRunning(): string {
    return this.trace.findLast((line) => line.includes(" boots "))?.split(" boots ")[1] ?? "";
  }

  /** Time passes until the job has ended and nothing is under way on the board. */
  async #settle(): Promise<void> {
    const clock = this.#clock;
    for (let restfulSteps = 0; restfulSteps < 3;) {
      await clock.advance(stepMs);
      if (this.#isOver) return;
      if (clock.monotonicMs() > worldLimitMs) return void this.violations.push("no end: the job is never over");
      const isRestful = (await clock.until(this.#isRestful())) && this.#cloud !== undefined;
      restfulSteps = isRestful ? restfulSteps + 1 : 0;
    }
  }

  async #isRestful(): Promise<boolean> {
    if (this.#cloud === undefined || this.#life?.isOver !== false || !this.#flash.isPowered) return false;
    await this.#readExecution();
    const status = this.#execution?.status ?? "";
    if (status === "QUEUED" || status === "IN_PROGRESS") return false;
    const { running } = await (this.#board as Board).target().state();
    return running.trial !== "onTrial";
  }

  async #check(): Promise<void> {
    if (this.violations.length > 0) return;
    const { running, isScheduled } = await (this.#board as Board).target().state();
    const { status = "none", statusDetails = {} } = this.#execution ?? {};
    const isNew = running.version !== `${oldVersion}+0`;
    this.#note(`end: ${status} ${JSON.stringify(statusDetails)}, ${running.version} ${running.trial}`);
    if (running.trial === "onTrial") this.violations.push("an image stays on trial");
    if (isScheduled) this.violations.push("an image stays scheduled");
    if (running.version !== this.#versionRunning) this.violations.push("the target says another version than the boot");
    const told = statusDetails["versionRunning"];
    if (status === "CANCELED") return;
    if (told !== running.version)
      this.violations.push(`the cloud is told that ${told} runs, and ${running.version} does`);
    if (status === "SUCCEEDED" && !isNew) this.violations.push("SUCCEEDED, and the old image runs");
    if (status !== "SUCCEEDED" && isNew) this.violations.push(`${status}, and the new image runs`);
    if (status !== "SUCCEEDED" && statusDetails["reason"] === undefined)
      this.violations.push(`${status} without a reason`);
    if (status === "SUCCEEDED" && !["good"].includes(this.#plan.image) && this.#files?.version === 1) {
      this.violations.push(`an image that is ${this.#plan.image} SUCCEEDED`);
    }
  }
}

/** Messages come twice, or later than those behind them. */
function mangle(device: Device, clock: Clock, random: ReturnType<typeof createVirtualRandom>): Device {
  return new Proxy(device, {
    get(inner, name) {
      const value: unknown = Reflect.get(inner, name, inner);
      if (typeof value !== "function") return value;
      if (name !== "subscribe") return value.bind(inner) as unknown;
      return (filters: string[], listener: (message: unknown) => void) =>
        inner.subscribe(filters, (message) => {
          const times = random.integer(5) === 0 ? 2 : 1;
          for (let time = 0; time < times; time++) {
            const delayMs = random.integer(4) === 0 ? random.integer(2_000) : 0;
            if (delayMs === 0) listener(message);
            else clock.setTimer(delayMs, () => listener(message));
          }
        });
    },
  });
}
