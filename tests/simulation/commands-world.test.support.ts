// A device with commands, a whole cloud and somebody who starts them, in memory and in virtual time. Links fail, processes are killed and
// power goes as a seed says; what must not happen is collected in `violations`.
import { type Cloud, createCloud, createMemoryStore, silentLog } from "@thingline/cloud";
import { createDevice, type Device } from "@thingline/device";
import { runCommands, type CommandOutcome, type RunningCommand } from "@thingline/device/commands";
import type { Clock } from "@thingline/transport";
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
  type VirtualNetwork,
  type VirtualRandom,
} from "@thingline/transport/virtual";

const folder = "/commands";
const thing = "pump";
const account = "arn:aws:iot:us-east-1:123456789012:";
const executionCount = 12;
/** Nothing fails any more from then on, and soon after all is told. */
const calmAtMs = 200_000;
const overAtMs = calmAtMs + 300_000;

interface Life {
  number: number;
  clock: ProcessClock;
  device: Device;
  isOver: boolean;
}

/** What is known of an execution that the cloud does not know. */
interface Known {
  /** Lives in which its handler was called, by their numbers. */
  calls: number[];
  /** What handlers said that it came to. */
  outcomes: string[];
  /** Its handler said that it goes on after a restart. */
  isParked: boolean;
}

export async function runCommandsWorld(seed: string): Promise<{ violations: string[]; ends: string[] }> {
  const random = createVirtualRandom(seed);
  const clock = createVirtualClock();
  const network = createVirtualNetwork({
    ...{ clock, random: random.fork("network") },
    faults: faultsOf(random.fork("faults"), clock),
  });
  const cloud = await clock.untilSettled(openCloud(clock, network));
  const world = new CommandsWorld(random.fork("world"), { clock, network, cloud });
  await world.run();
  await clock.untilSettled(cloud.close(), { stepMs: 1 });
  return world;
}

function openCloud(clock: Clock, network: VirtualNetwork): Promise<Cloud> {
  const random = createVirtualRandom("cloud");
  const at = (port: number) => ({ host: "localhost", port, optionName: "port" });
  return createCloud(
    {
      ...{ network, clock, random, files: createVirtualFiles(), keys: createVirtualKeys({ random }) },
      ...{ store: createMemoryStore(), log: silentLog },
    },
    { folder: "/cloud", mqtts: at(8883), https: at(8443), mqtt: at(1883) },
  );
}

/** Most links fail in some way until it is calm. */
function faultsOf(random: VirtualRandom, clock: VirtualClock): () => LinkFaults | undefined {
  return () => {
    if (clock.monotonicMs() >= calmAtMs) return undefined;
    const from = random.integer(2) === 0 ? "client" : "server";
    const at = { from, bytes: 50 + random.integer(2_500) } as const;
    const kinds: (LinkFaults | undefined)[] = [
      ...[undefined, { resetAfter: at }, { silentAfter: at }, { deadAfter: at }, { isRefused: true }],
      ...[{ delayAfter: { ...at, ms: random.integer(8_000) } }, { latencyMs: { from: 1, to: 800 } }],
    ];
    return kinds[random.integer(kinds.length)];
  };
}

class CommandsWorld {
  readonly violations: string[] = [];
  readonly ends: string[] = [];
  readonly #random: VirtualRandom;
  readonly #clock: VirtualClock;
  readonly #network: VirtualNetwork;
  readonly #cloud: Cloud;
  readonly #known = new Map<string, Known>();
  readonly #executions: string[] = [];
  #files: VirtualFiles;
  #life: Life | undefined;
  #lifeCount = 0;

  constructor(
    random: VirtualRandom,
    { clock, network, cloud }: { clock: VirtualClock; network: VirtualNetwork; cloud: Cloud },
  ) {
    this.#random = random;
    [this.#clock, this.#network, this.#cloud] = [clock, network, cloud];
    this.#files = createVirtualFiles({ random: random.fork("disk") });
  }

  async run(): Promise<void> {
    const { registry, commands } = this.#cloud;
    await this.#wait(this.#cloud.run(registry.createThing, { thingName: thing }));
    const payload = { content: new TextEncoder().encode('{"operation":"work"}'), contentType: "application/json" };
    await this.#wait(this.#cloud.run(commands.createCommand, { commandId: "work", payload }));
    await this.#begin();
    while (this.#clock.monotonicMs() < calmAtMs) {
      await this.#clock.advance(1 + this.#random.integer(15_000));
      const what = this.#random.integer(4);
      if (what === 0) await this.#end(this.#random.integer(2) === 0);
      else if (this.#executions.length < executionCount) await this.#start();
    }
    await this.#clock.advance(overAtMs - this.#clock.monotonicMs());
    for (const executionId of this.#executions) await this.#judge(executionId);
    await this.#close();
  }

  #wait<T>(promise: Promise<T>): Promise<T> {
    return this.#clock.untilSettled(promise, { stepMs: 1 });
  }

  async #start(): Promise<void> {
    const input = {
      ...{ commandArn: `${account}command/work`, targetArn: `${account}thing/${thing}` },
      executionTimeoutSeconds: 2 + this.#random.integer(60),
    };
    const started = this.#cloud.run(this.#cloud.commands.startCommandExecution, input);
    this.#executions.push((await this.#wait(started)).executionId ?? "");
  }

  /** A process of the device, on the disk as it was left. */
  async #begin(): Promise<void> {
    const clock = createProcessClock(this.#clock);
    const number = ++this.#lifeCount;
    const device = createDevice({
      ...{ host: "localhost", port: 1883, dialer: this.#network, clientId: thing, clock },
      random: this.#random.fork(`device ${number}`),
      version: number % 2 === 0 ? 4 : 5,
      isCleanSession: false,
      keepAliveSeconds: 30,
      reconnect: { firstAttempt: "retry", capMs: 5_000 },
    });
    const life: Life = { number, clock, device, isOver: false };
    this.#life = life;
    device.connect().catch(() => undefined);
    await this.#wait(
      runCommands(device, {
        ...{ clock, random: this.#random.fork(`commands ${number}`), files: this.#files, folder, parallelMax: 3 },
        handlers: { work: (command) => this.#work(life, command) },
        timeoutSeconds: 60,
      }),
    );
  }

  async #work(life: Life, { executionId, isResumed, signal }: RunningCommand): Promise<CommandOutcome> {
    const known = this.#known.get(executionId) ?? { calls: [], outcomes: [], isParked: false };
    this.#known.set(executionId, known);
    if (known.calls.includes(life.number)) this.violations.push(`${executionId} was called twice in one life`);
    if (known.calls.length > 0 && !(isResumed && known.isParked)) {
      this.violations.push(`${executionId} was called again, and had not said so`);
    }
    known.calls.push(life.number);
    const { clock } = life;
    await new Promise<void>((resolve) => {
      clock.setTimer(this.#random.integer(20_000), resolve);
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
    const kind = this.#random.integer(8);
    if (kind === 0 && !isResumed) {
      known.isParked = true;
      return { status: "IN_PROGRESS" };
    }
    const status = kind <= 4 ? "SUCCEEDED" : kind === 5 ? "REJECTED" : "FAILED";
    known.outcomes.push(status);
    return { status, reasonCode: "SAID" };
  }

  /** The process is killed, or the machine's power goes; and comes back. */
  async #end(isPowerCut: boolean): Promise<void> {
    const life = this.#life;
    if (life === undefined) return;
    life.isOver = true;
    life.clock.kill();
    for (const link of [...this.#network.links]) {
      if (isPowerCut) link.vanish("client");
      else link.reset();
    }
    if (isPowerCut) this.#files.cutPower();
    this.#files = isPowerCut ? this.#files.restart() : this.#files.restartProcess();
    await this.#clock.advance(1 + this.#random.integer(10_000));
    await this.#begin();
  }

  async #judge(executionId: string): Promise<void> {
    const input = { executionId, targetArn: `${account}thing/${thing}` };
    const {
      status = "",
      statusReason,
      completedAt,
    } = await this.#wait(this.#cloud.run(this.#cloud.commands.getCommandExecution, input));
    const code = statusReason?.reasonCode ?? "";
    const { calls = [], outcomes = [], isParked = false } = this.#known.get(executionId) ?? {};
    this.ends.push(`${status} ${code}`);
    const isByTime = status === "TIMED_OUT" && code === "$NO_RESPONSE_FROM_DEVICE" && completedAt === undefined;
    const isSaid = code === "SAID" && outcomes.includes(status);
    const isInterrupted = status === "FAILED" && code === "INTERRUPTED" && calls.length > 0;
    const isLate = status === "TIMED_OUT" && ["TIMEOUT", "DEVICE_TOO_BUSY"].includes(code);
    const wasBegun = calls.length > 0 || code === "INTERRUPTED";
    if (!(isByTime || isSaid || isInterrupted || isLate || (code === "INTERRUPTED" && wasBegun && !isParked))) {
      this.violations.push(`${executionId} is ${status} ${code}, its handlers said ${outcomes.join(", ")}`);
    }
    if (outcomes.length > 1) this.violations.push(`${executionId} came to ${outcomes.join(" and ")}`);
  }

  async #close(): Promise<void> {
    const { device } = this.#life ?? {};
    if (device !== undefined) await this.#wait(device.close());
  }
}
