// Whole updates in memory and in virtual time: a cloud with jobs and objects, and a board with flash, bootloader and an application that does
// jobs. Power goes where a plan says; what must not happen is collected in `violations`.
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
import { isThinglineError } from "@thingline/protocol";
import { type BoardReport, type BoardLayout, boardLayout, createBoard } from "@thingline/sim";
import type { Connection, Dialer } from "@thingline/transport";
import {
  createProcessClock,
  createVirtualFiles,
  createVirtualFlash,
  createVirtualRandom,
  type ProcessClock,
  type VirtualFiles,
  type VirtualFlash,
  type VirtualLink,
} from "@thingline/transport/virtual";
import { faultsOf, isScheduled, readClaim, type SlotFacts } from "./power-cut-claims.test.support.js";
import {
  bucket,
  crypto,
  host,
  mqttPort,
  type UpdateHouse,
  type UpdateScenario,
} from "./power-cut-house.test.support.js";

const pageBytes = 512;
const slotPages = 16;
const sectorsMax = 20;
/** Whatever goes wrong is over by then. */
const worldLimitMs = 6 * 3_600_000;

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
  cutCount: number;
  bootCount: number;
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

/** One update. @param cuts one after the other, each counted from the one before it */
export async function runUpdate(
  house: UpdateHouse,
  scenario: UpdateScenario,
  cuts: readonly CutPoint[] = [],
): Promise<UpdateRun> {
  runCount += 1;
  const world = new UpdateWorld(house, scenario, { cuts, thingName: `thing-${runCount}` });
  return world.run();
}

class UpdateWorld {
  readonly #house: UpdateHouse;
  readonly #scenario: UpdateScenario;
  /** Those that are still to come. */
  readonly #cuts: CutPoint[];
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
  #cutCount = 0;
  /** What there was before the last cut. */
  #before: PointCounts = { flash: 0, files: 0, packets: 0 };
  #isPowerless = false;
  #isSwitchedOff = false;
  #bootCount = 0;
  #oldImageId = "";
  #newImageId = "";

  constructor(
    house: UpdateHouse,
    scenario: UpdateScenario,
    { cuts, thingName }: { cuts: readonly CutPoint[]; thingName: string },
  ) {
    this.#house = house;
    this.#scenario = scenario;
    this.#cuts = [...cuts];
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
    return { violations, trace, counts, status, reason, cutCount: this.#cutCount, bootCount: this.#bootCount };
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
    if (isScheduled(this.#slots, this.#flash.snapshot())) this.#violations.push("an image is scheduled after the end");
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
    if (this.#isPowerless || this.#isSwitchedOff) return;
    this.#cuts.shift();
    this.#cutCount += 1;
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
    if (this.#isPowerless) this.#before = { ...this.#counts };
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

  /** How many of a kind are left until the next cut; undefined when it is of another kind. */
  #left(of: CutPoint["of"]): number | undefined {
    const [cut] = this.#cuts;
    if (cut?.of !== of) return undefined;
    const left = this.#before[of] + cut.index - this.#counts[of];
    return left > 0 ? left : undefined;
  }

  #flashStart(): Parameters<VirtualFlash["restart"]>[0] {
    const atOperation = this.#left("flash");
    const [cut] = this.#cuts;
    if (atOperation === undefined || cut?.of !== "flash") return {};
    return { powerLoss: { atOperation, part: cut.part }, onPowerLoss: () => this.#cutPower() };
  }

  #filesStart(): Parameters<VirtualFiles["restart"]>[0] {
    const powerLossBeforeWrite = this.#left("files");
    if (powerLossBeforeWrite === undefined) return {};
    return { powerLossBeforeWrite, onPowerLoss: () => this.#cutPower() };
  }

  #packet(): void {
    if (this.#left("packets") === 1) this.#cutPower();
    this.#counts.packets += 1;
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
    const said = readClaim(payload);
    this.#note(`says ${said.status} ${said.phase ?? ""} ${said.reason ?? ""} of ${said.versionRunning ?? ""}`);
    const { image } = this.#scenario;
    const isNew = report.runs?.imageId !== this.#oldImageId;
    const truth = { ...this.#slots, image, isNew, versionRunning: report.runs?.version };
    this.#violations.push(...faultsOf(said, truth, this.#flash.snapshot()));
  }

  get #slots(): SlotFacts {
    const { mode } = this.#scenario;
    const { writeBytes } = this.#flash;
    return { mode, layout: this.#layout, writeBytes, pageBytes, sectorsMax };
  }

  #note(line: string): void {
    this.#trace.push(`${Math.round(this.#house.clock.monotonicMs() - this.#startMs)} ${line}`);
  }
}

/** A connection that says when a packet is about to be handed to it. */
export function counted(connection: Connection, onPacket: () => void): Connection {
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
