// Whole updates in memory and in virtual time: a cloud with jobs and objects, and a board with flash, bootloader and an application that does
// jobs. Power goes where a plan says; what must not happen is collected in `violations`.
import { type Cloud, createCloud, createMemoryStore, silentLog } from "@thingline/cloud";
import { createDevice, type Device } from "@thingline/device";
import {
  createFirmwareUpdater,
  createHttpDownloader,
  createMcubootTarget,
  type FirmwareTarget,
  type FirmwareUpdater,
  firmwareUpdateOperation,
  whenReady,
} from "@thingline/device/fota";
import { type JobRunner, runJobs, type JobsDevice } from "@thingline/device/jobs";
import { isRecord, isThinglineError } from "@thingline/protocol";
import {
  flagMark,
  type ImagePublicKey,
  magicMark,
  type SwapMode,
  type TrailerLayout,
  trailerLayout,
} from "@thingline/protocol/image";
import { type BoardReport, type BoardLayout, boardLayout, createBoard, makeSimulatedFirmware } from "@thingline/sim";
import type { Connection, Dialer, FlashRange } from "@thingline/transport";
import { createNodeImageCrypto } from "@thingline/transport/node";
import {
  createProcessClock,
  createVirtualClock,
  createVirtualFiles,
  createVirtualFlash,
  createVirtualKeys,
  createVirtualNetwork,
  createVirtualRandom,
  type ProcessClock,
  type VirtualClock,
  type VirtualFiles,
  type VirtualFlash,
  type VirtualLink,
  type VirtualNetwork,
} from "@thingline/transport/virtual";
import { serveHttp } from "./http-front.test.support.js";

const host = "localhost";
const mqttPort = 1883;
const objectsPort = 8081;
const bucket = "firmware";
const pageBytes = 512;
const slotPages = 16;
const sectorsMax = 20;
const imageBytes = 4_000;
/** Whatever goes wrong is over by then. */
const worldLimitMs = 6 * 3_600_000;

export const crypto = createNodeImageCrypto();

/** What is updated to, and what should become of it. */
export interface UpdateScenario {
  name: string;
  mode: SwapMode;
  image: Uint8Array;
  /** `fwversion` of the job document. */
  versionWanted: string;
  /** The image that runs when the update succeeded. Undefined: it never does. */
  newVersion: string | undefined;
  /** Whether the device knows the bootloader's keys. */
  deviceHasKeys: boolean;
}

/** A point at which power goes: the nth write or page erasure of the flash, before it or within; the nth write to a file; the nth packet. */
export type CutPoint = { of: "flash"; index: number; part: number } | { of: "files" | "packets"; index: number };

/** How often each thing happened. */
export type PointCounts = Record<CutPoint["of"], number>;

export interface UpdateRun {
  violations: string[];
  trace: string[];
  counts: PointCounts;
  /** What the cloud calls the execution at the end. */
  status: string;
  reason: string;
  isCut: boolean;
  bootCount: number;
}

/** The cloud of all worlds: each has a thing and a job of its own. */
export interface UpdateHouse {
  clock: VirtualClock;
  network: VirtualNetwork;
  cloud: Cloud;
  factoryImage: Uint8Array;
  keys: readonly ImagePublicKey[];
  scenarios: readonly UpdateScenario[];
  close(): Promise<void>;
}

export async function openUpdateHouse(): Promise<UpdateHouse> {
  const clock = createVirtualClock();
  const random = createVirtualRandom("house");
  const network = createVirtualNetwork({ clock, random: random.fork("network"), latencyMs: 5 });
  const at = (port: number) => ({ host, port, optionName: "port" });
  const dependencies = { network, clock, random, files: createVirtualFiles(), keys: createVirtualKeys({ random }) };
  const cloud = await clock.untilSettled(
    createCloud(
      { ...dependencies, store: createMemoryStore(), log: silentLog },
      {
        ...{ folder: "/cloud", mqtts: at(8883), https: at(8443), mqtt: at(mqttPort), limits: "none" },
        objectsEndpoint: () => ({ scheme: "http", host, port: objectsPort }),
      },
    ),
  );
  await clock.untilSettled(serveHttp(network, { host, port: objectsPort }, (request) => cloud.handleRest(request)));
  await clock.untilSettled(cloud.run(cloud.objects.createBucket, { bucket }));
  const { factoryImage, keys, scenarios } = await makeScenarios();
  for (const { name, image } of scenarios) {
    await clock.untilSettled(cloud.run(cloud.objects.putObject, { bucket, key: name, chunks: [image] }));
  }
  // What is loaded with the first request for an object is loaded now: virtual time does not wait for a module.
  await cloud.handleRest({ method: "GET", url: `http://${host}:${objectsPort}/${bucket}/none`, headers: {} });
  return { clock, network, cloud, factoryImage, keys, scenarios, close: () => clock.until(cloud.close()) };
}

async function makeScenarios(): Promise<Pick<UpdateHouse, "factoryImage" | "keys" | "scenarios">> {
  const { privateKeyPem, publicKeyPem } = await crypto.generateKey("ed25519");
  const stranger = await crypto.generateKey("ed25519");
  const make = (version: string, isHealthy: boolean, key = privateKeyPem): Promise<Uint8Array> =>
    makeSimulatedFirmware({ crypto, privateKeyPem: key, version, sizeBytes: imageBytes, program: { isHealthy } });
  const factoryImage = await make("1.0.0", true);
  const good = await make("2.0.0", true);
  const ill = await make("2.0.0", false);
  const foreign = await make("2.0.0", true, stranger.privateKeyPem);
  const base = { versionWanted: "2.0.0", deviceHasKeys: true };
  const succeeds = { ...base, image: good, newVersion: "2.0.0+0" };
  const fails = { ...base, mode: "move" as const, newVersion: undefined };
  const modes: readonly SwapMode[] = ["move", "scratch", "offset"];
  return {
    factoryImage,
    keys: [crypto.publicKeyOf(publicKeyPem)],
    scenarios: [
      ...modes.map((mode) => ({ ...succeeds, name: `good-${mode}`, mode })),
      ...modes.map((mode) => ({ ...fails, name: `unhealthy-${mode}`, mode, image: ill })),
      { ...fails, name: "signature", image: foreign },
      { ...fails, name: "signature-bootloader", image: foreign, deviceHasKeys: false },
      { ...fails, name: "truncated", image: good.subarray(0, 3_000) },
      { ...fails, name: "version", image: await make("1.9.0", true) },
    ],
  };
}

/** One life of the device's program, from a boot to the next. */
interface Life {
  clock: ProcessClock;
  report: BoardReport;
  device: Device;
  updater: FirmwareUpdater;
  jobs: JobRunner | undefined;
  isOver: boolean;
}

let runCount = 0;

/** One update with at most one power cut. @param cut undefined: none */
export async function runUpdate(house: UpdateHouse, scenario: UpdateScenario, cut?: CutPoint): Promise<UpdateRun> {
  runCount += 1;
  const world = new UpdateWorld(house, scenario, { cut, thingName: `thing-${runCount}` });
  return world.run();
}

class UpdateWorld {
  readonly #house: UpdateHouse;
  readonly #scenario: UpdateScenario;
  readonly #cut: CutPoint | undefined;
  readonly #thingName: string;
  readonly #layout: BoardLayout;
  readonly #violations: string[] = [];
  readonly #trace: string[] = [];
  readonly #counts: PointCounts = { flash: 0, files: 0, packets: 0 };
  readonly #random = createVirtualRandom("device");
  readonly #startMs: number;
  #flash: VirtualFlash;
  #files: VirtualFiles;
  #links: VirtualLink[] = [];
  #life: Life | undefined;
  #endLife: (how: "reboot" | "powerCut" | "over") => void = () => undefined;
  #isCut = false;
  #isPowerless = false;
  #isSwitchedOff = false;
  #bootCount = 0;
  #oldImageId = "";
  #newImageId = "";

  constructor(
    house: UpdateHouse,
    scenario: UpdateScenario,
    { cut, thingName }: { cut: CutPoint | undefined; thingName: string },
  ) {
    this.#house = house;
    this.#scenario = scenario;
    this.#cut = cut;
    this.#thingName = thingName;
    this.#startMs = house.clock.monotonicMs();
    const pages = 2 * slotPages + 1;
    this.#flash = createVirtualFlash({ sizeBytes: pages * pageBytes, pageBytes, random: this.#random.fork("flash") });
    this.#layout = boardLayout(this.#flash, { mode: scenario.mode });
    this.#files = createVirtualFiles({ random: this.#random.fork("files") });
  }

  async run(): Promise<UpdateRun> {
    const { clock } = this.#house;
    await this.#programFactoryImage();
    await this.#createJob();
    const end = this.#untilTerminal();
    await clock.until(Promise.race([this.#live(), end]), { limitMs: 2 * worldLimitMs });
    const { status, reason } = await clock.until(end, { limitMs: 2 * worldLimitMs });
    // Whatever the device still has in hand.
    await clock.advance(3_000);
    this.#kill("vanish");
    this.#endLife("over");
    this.#countOperations();
    this.#isSwitchedOff = true;
    await this.#checkEnd(status);
    const { violations, trace, counts } = { violations: this.#violations, trace: this.#trace, counts: this.#counts };
    return { violations, trace, counts, status, reason, isCut: this.#isCut, bootCount: this.#bootCount };
  }

  // ---- before and after --------------------------------------------------------------------------------------

  async #programFactoryImage(): Promise<void> {
    const { runs } = await (await this.#board()).boot();
    this.#oldImageId = runs?.imageId ?? "";
    this.#flash = this.#flash.restart(this.#flashStart());
    this.#files = this.#files.restartProcess(this.#filesStart());
  }

  #board(): ReturnType<typeof createBoard> {
    const { factoryImage, keys } = this.#house;
    const { mode } = this.#scenario;
    return createBoard({ flash: this.#flash, layout: this.#layout, mode, sectorsMax, crypto, keys, factoryImage });
  }

  async #createJob(): Promise<void> {
    const { clock, cloud } = this.#house;
    const { name, versionWanted } = this.#scenario;
    const thingName = this.#thingName;
    const placeholder = `\${aws:iot:s3-presigned-url:https://s3.us-east-1.amazonaws.com/${bucket}/${name}}`;
    const location = { url: placeholder };
    const document = JSON.stringify({ operation: firmwareUpdateOperation, fwversion: versionWanted, location });
    const targets = [`arn:aws:iot:us-east-1:123456789012:thing/${thingName}`];
    const presignedUrlConfig = { roleArn: "arn:aws:iam::123456789012:role/firmware", expiresInSec: 3_600 };
    await clock.untilSettled(cloud.run(cloud.registry.createThing, { thingName }));
    const job = { jobId: thingName, targets, document, presignedUrlConfig };
    await clock.untilSettled(cloud.run(cloud.jobs.createJob, job));
  }

  /** Resolves when the cloud calls the execution ended, or when there is no end. */
  async #untilTerminal(): Promise<{ status: string; reason: string }> {
    const { clock, cloud } = this.#house;
    const input = { jobId: this.#thingName, thingName: this.#thingName };
    for (let waitMs = 500; ; waitMs = Math.min(waitMs * 1.05, 60_000)) {
      const { execution } = await cloud.run(cloud.jobs.describeJobExecution, input);
      const { status = "", statusDetails } = execution ?? {};
      const reason = statusDetails?.detailsMap?.["reason"] ?? "";
      if (!["QUEUED", "IN_PROGRESS"].includes(status)) return { status, reason };
      if (clock.monotonicMs() - this.#startMs > worldLimitMs) {
        this.#violations.push(`no end: the execution is still ${status}`);
        return { status, reason };
      }
      await clock.sleep(waitMs);
    }
  }

  async #checkEnd(status: string): Promise<void> {
    const { newVersion } = this.#scenario;
    const first = await this.#bootAgain();
    const second = await this.#bootAgain();
    if (first?.imageId !== second?.imageId) this.#violations.push("what runs at the end is not what stays");
    if (second?.isOnTrial === true) this.#violations.push("what stays is on trial");
    const isNew = second?.imageId === this.#newImageId && this.#newImageId !== "";
    if (isNew !== (status === "SUCCEEDED")) this.#violations.push(`${status}, and ${second?.version} runs`);
    if (isNew && newVersion === undefined) this.#violations.push("an image runs that must not");
    if (!isNew && second?.imageId !== this.#oldImageId) this.#violations.push("neither image runs");
    if (this.#isScheduled()) this.#violations.push("an image is scheduled after the end");
  }

  async #bootAgain(): Promise<BoardReport["runs"]> {
    this.#flash = this.#flash.restart();
    const { runs } = await (await this.#board()).boot();
    if (runs === undefined) this.#violations.push("nothing boots after the end");
    return runs;
  }

  // ---- lives -----------------------------------------------------------------------------------------------------

  /** From boot to boot, until the world is over. */
  async #live(): Promise<void> {
    for (;;) {
      const ended = new Promise<"reboot" | "powerCut" | "over">((resolve) => (this.#endLife = resolve));
      const report = await this.#boot();
      if (report !== undefined) this.#start(report);
      const how = report === undefined ? "powerCut" : await ended;
      if (how === "over") return;
      await this.#house.clock.sleep(how === "reboot" ? 100 : 1_000);
      this.#restart();
    }
  }

  async #boot(): Promise<BoardReport | undefined> {
    try {
      const report = await (await this.#board()).boot();
      this.#bootCount += 1;
      const { runs } = report;
      this.#note(`boots ${runs?.version} ${report.swapType}`);
      if (runs === undefined) this.#violations.push(`nothing boots: ${JSON.stringify(report)}`);
      else if (runs.imageId !== this.#oldImageId) {
        this.#newImageId = runs.imageId;
        if (runs.version !== "2.0.0+0") this.#violations.push(`${runs.version} boots, which nobody asked for`);
      }
      return report;
    } catch (error) {
      if (!isThinglineError(error, "FLASH_FAILED") || !this.#isPowerless) throw error;
      return undefined;
    }
  }

  #start(report: BoardReport): void {
    const clock = createProcessClock(this.#house.clock);
    const random = this.#random.fork(`life ${this.#bootCount}`);
    const dialer = this.#dialer();
    const device = createDevice({
      ...{ host, port: mqttPort, dialer, clock, random, clientId: this.#thingName, keepAliveSeconds: 60 },
      reconnect: { firstAttempt: "retry", capMs: 20_000 },
    });
    const updater = createFirmwareUpdater({
      ...{ files: this.#files, journalPath: "/state/update.json", clock, random },
      targets: [this.#target()],
      downloaders: [createHttpDownloader({ clock, dialer, connections: 1, rangeBytes: 1_024 })],
      limits: { syncBytes: 1_024, healthTimeoutMs: 60_000 },
      reboot: () => this.#reboot(life),
      connected: whenReady(device),
      healthCheck: () => report.runs?.program["isHealthy"] !== false,
      onEvent: (event) =>
        life.isOver || this.#note(`event ${event.type}${"reason" in event ? ` ${event.reason}` : ""}`),
    });
    const life: Life = { clock, report, device, updater, jobs: undefined, isOver: false };
    this.#life = life;
    device.connect().catch((error: unknown) => {
      if (!life.isOver) this.#violations.push(`connect() rejected: ${String(error)}`);
    });
    void this.#runJobs(life, random);
  }

  async #runJobs(life: Life, random: ReturnType<typeof createVirtualRandom>): Promise<void> {
    const { device, updater, clock } = life;
    try {
      life.jobs = await runJobs(this.#watched(life, device), {
        handlers: { [firmwareUpdateOperation]: updater.handler },
        ...{ clock, random, files: this.#files, folder: "/state/jobs" },
      });
    } catch (error) {
      if (!life.isOver) this.#violations.push(`the job client ended: ${String(error)}`);
    }
  }

  #target(): FirmwareTarget {
    const { mode, deviceHasKeys } = this.#scenario;
    const { primary, secondary } = this.#layout;
    const keys = deviceHasKeys ? { keys: this.#house.keys } : {};
    return createMcubootTarget({ flash: this.#flash, primary, secondary, mode, sectorsMax, crypto, ...keys });
  }

  #reboot(life: Life): void {
    if (life.isOver) return;
    this.#note("reboots");
    this.#kill("reset");
    this.#endLife("reboot");
  }

  /** Power goes, here and now. */
  #cutPower(): void {
    if (this.#isPowerless || this.#isCut || this.#isSwitchedOff) return;
    this.#isCut = true;
    this.#isPowerless = true;
    this.#note("power cut");
    this.#kill("vanish");
    this.#flash.cutPower();
    this.#files.cutPower();
    this.#endLife("powerCut");
  }

  #kill(how: "reset" | "vanish"): void {
    const life = this.#life;
    if (life !== undefined) {
      life.isOver = true;
      life.clock.kill();
    }
    for (const link of this.#links) {
      if (how === "reset") link.reset();
      else link.vanish("client");
    }
    this.#links = [];
  }

  #countOperations(): void {
    this.#counts.flash += this.#flash.operationCount;
    this.#counts.files += this.#files.writeCount;
  }

  #restart(): void {
    this.#countOperations();
    // The old flash and the old disk are switched off with it, which is no cut.
    this.#isSwitchedOff = true;
    this.#flash = this.#flash.restart(this.#flashStart());
    this.#files = this.#isPowerless
      ? this.#files.restart(this.#filesStart())
      : this.#files.restartProcess(this.#filesStart());
    this.#isSwitchedOff = false;
    this.#isPowerless = false;
  }

  // ---- cuts --------------------------------------------------------------------------------------------------

  #flashStart(): Parameters<VirtualFlash["restart"]>[0] {
    const cut = this.#cut;
    if (this.#isCut || cut?.of !== "flash" || cut.index <= this.#counts.flash) return {};
    const powerLoss = { atOperation: cut.index - this.#counts.flash, part: cut.part };
    return { powerLoss, onPowerLoss: () => this.#cutPower() };
  }

  #filesStart(): Parameters<VirtualFiles["restart"]>[0] {
    const cut = this.#cut;
    if (this.#isCut || cut?.of !== "files" || cut.index <= this.#counts.files) return {};
    return { powerLossBeforeWrite: cut.index - this.#counts.files, onPowerLoss: () => this.#cutPower() };
  }

  #packet(): void {
    this.#counts.packets += 1;
    if (this.#cut?.of === "packets" && this.#cut.index === this.#counts.packets) this.#cutPower();
  }

  #dialer(): Dialer {
    return {
      dial: async (target, options) => {
        const life = this.#life;
        const connection = await this.#house.network.dial(target, options);
        if (life?.isOver === true) {
          // The process died while it was dialing: nobody is there to use the connection.
          connection.destroy();
          return new Promise<never>(() => undefined);
        }
        const link = this.#house.network.links.find(({ client }) => client.port === connection.local.port);
        if (link !== undefined) this.#links.push(link);
        return counted(connection, () => this.#packet());
      },
    };
  }

  // ---- what is said of the update, and what is so ----------------------------------------------------------------

  #watched(life: Life, device: Device): JobsDevice {
    return {
      clientId: device.clientId,
      get state() {
        return device.state;
      },
      closed: device.closed,
      on: device.on.bind(device),
      subscribe: device.subscribe.bind(device),
      publish: (topic, payload, options) => {
        if (topic.endsWith("/update")) this.#checkClaim(life, payload);
        return device.publish(topic, payload, options);
      },
    };
  }

  #checkClaim({ report, isOver }: Life, payload: Uint8Array | string): void {
    if (isOver) return;
    const said: unknown = JSON.parse(typeof payload === "string" ? payload : new TextDecoder().decode(payload));
    if (!isRecord(said)) return;
    const details = isRecord(said["statusDetails"]) ? said["statusDetails"] : {};
    const { phase, versionRunning, reason } = details;
    const status = String(said["status"]);
    this.#note(
      `says ${status} ${typeof phase === "string" ? phase : ""} ${typeof reason === "string" ? reason : ""} of ${String(versionRunning)}`,
    );
    const { runs } = report;
    const isNew = runs?.imageId !== this.#oldImageId;
    const wrong = (what: string): void =>
      void this.#violations.push(`says ${status}, ${JSON.stringify(details)}: ${what}`);
    if (versionRunning !== undefined && versionRunning !== runs?.version) wrong(`${runs?.version} runs`);
    if (status === "SUCCEEDED" && !isNew) wrong("the old image runs");
    if ((status === "SUCCEEDED" || phase === "confirmed") && !this.#isConfirmed()) wrong("it is not confirmed");
    if (status === "FAILED" && isNew) wrong("the new image runs");
    if ((status === "FAILED" || status === "REJECTED") && this.#isScheduled()) wrong("an image is scheduled");
    if (status === "FAILED" && reason === undefined) wrong("it has no reason");
    // With a status that is final, the phase is how far it came.
    if (status !== "IN_PROGRESS" || isNew) return;
    if (phase === "booted" || phase === "healthy") wrong("the old image runs");
    if ((phase === "downloaded" || phase === "verified") && !this.#isDownloaded()) wrong("it is not on flash");
    if (phase === "installed" && !this.#isScheduled()) wrong("it is not scheduled");
  }

  #isDownloaded(): boolean {
    const { image, mode } = this.#scenario;
    const start = this.#layout.secondary.offsetBytes + (mode === "offset" ? pageBytes : 0);
    const bytes = this.#flash.snapshot();
    return image.every((byte, at) => byte === bytes[start + at]);
  }

  #trailer({ offsetBytes, sizeBytes }: FlashRange): { bytes: Uint8Array; layout: TrailerLayout } {
    const { mode } = this.#scenario;
    const layout = trailerLayout({ areaBytes: sizeBytes, mode, writeBytes: this.#flash.writeBytes, sectorsMax });
    return { bytes: this.#flash.snapshot().subarray(offsetBytes, offsetBytes + sizeBytes), layout };
  }

  #isConfirmed(): boolean {
    const { bytes, layout } = this.#trailer(this.#layout.primary);
    return flagMark(bytes[layout.imageOk] ?? 0) === "good";
  }

  #isScheduled(): boolean {
    const { bytes, layout } = this.#trailer(this.#layout.secondary);
    return magicMark(bytes.subarray(layout.magic, layout.magic + 16), layout.alignBytes) === "good";
  }

  #note(line: string): void {
    this.#trace.push(`${Math.round(this.#house.clock.monotonicMs() - this.#startMs)} ${line}`);
  }
}

/** A connection that says when a packet is about to be handed to it. */
function counted(connection: Connection, onPacket: () => void): Connection {
  return new Proxy(connection, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property, target);
      if (typeof value !== "function") return value;
      const call = value as (...args: unknown[]) => unknown;
      if (property !== "write" && property !== "reserve") return call.bind(target);
      return (...args: unknown[]) => {
        onPacket();
        return call.apply(target, args);
      };
    },
  });
}
