// A device in front of the commands of one thing: a cloud as AWS IoT is, and a network that may lose and repeat what we say.
import type { ThinglineError } from "@thingline/protocol";
import {
  commandTopic,
  decodeCommandUpdate,
  encodeCommandAccepted,
  encodeCommandRejected,
  parseCommandTopic,
  refusedCommandTransition,
  type CommandRejectionCode,
  type CommandState,
  type CommandUpdate,
} from "@thingline/protocol/commands";
import { createVirtualClock, createVirtualRandom, type VirtualClock } from "@thingline/transport/virtual";
import { FakeJobsDevice, thingName } from "../jobs/jobs-world.test.support.js";
import {
  runCommands,
  type CommandEventName,
  type CommandListeners,
  type CommandRunner,
  type RunCommandsOptions,
} from "./index.js";

export const target = { kind: "things", id: thingName } as const;
const encoder = new TextEncoder();

export class CommandsWorld {
  readonly clock: VirtualClock = createVirtualClock();
  readonly random = createVirtualRandom(1);
  device = new FakeJobsDevice(this);
  readonly states = new Map<string, CommandState>();
  /** What the device told, of each execution. */
  readonly told: [executionId: string, update: CommandUpdate][] = [];
  /** Takes the place of the answer: a code, or none at all. */
  rule: (update: CommandUpdate) => CommandRejectionCode | "silence" | undefined = () => undefined;
  /** When each copy of an answer arrives. */
  fate: () => readonly number[] = () => [0];
  #count = 0;

  toCloud(topic: string, payload: Uint8Array): void {
    const { executionId = "", format = "json" } = parseCommandTopic(topic) ?? {};
    const read = decodeCommandUpdate(payload, format);
    if ("rejection" in read) throw new Error(read.rejection.errorMessage);
    const { update } = read;
    this.told.push([executionId, update]);
    const state = this.states.get(executionId);
    const ruled = this.rule(update);
    if (ruled === "silence") return;
    const error = ruled ?? (state === undefined ? "ResourceNotFound" : refusedCommandTransition(state, update.status));
    if (error === undefined) this.states.set(executionId, { status: update.status, by: "device" });
    const outcome = error === undefined ? "accepted" : "rejected";
    const { clientToken } = update;
    const answer =
      error === undefined
        ? encodeCommandAccepted({ executionId, clientToken }, format)
        : encodeCommandRejected({ executionId, error, errorMessage: "why", clientToken }, format);
    const { device } = this;
    const { connectionCount } = device;
    for (const delayMs of this.fate()) {
      this.clock.setTimer(delayMs, () => {
        if (device !== this.device || device.connectionCount !== connectionCount) return;
        device.receive(commandTopic({ target, executionId, type: "response", outcome, format }), answer);
      });
    }
  }

  /** @returns the id of the execution */
  start(
    document: unknown,
    {
      expirySeconds,
      tail = "/json",
      id = `e${++this.#count}`,
    }: { expirySeconds?: number; tail?: string; id?: string } = {},
  ): string {
    if (!this.states.has(id)) this.states.set(id, { status: "CREATED", by: "cloud" });
    const payload = document instanceof Uint8Array ? document : encoder.encode(JSON.stringify(document));
    const topic = commandTopic({ target, executionId: id, type: "request" }) + tail;
    const properties = {
      contentType: "a/b",
      ...(expirySeconds !== undefined && { messageExpirySeconds: expirySeconds }),
    };
    this.device.receive(topic, payload, { properties });
    return id;
  }

  async settle(ms = 0): Promise<void> {
    await this.clock.advance(ms);
    await this.clock.settle();
  }

  async run(
    handlers: RunCommandsOptions["handlers"],
    more: Partial<RunCommandsOptions> = {},
  ): Promise<{ runner: CommandRunner; events: string[]; errors: ThinglineError[] }> {
    const events: string[] = [];
    const errors: ThinglineError[] = [];
    const { clock, random } = this;
    const note =
      (name: CommandEventName) =>
      (event: object): void =>
        void events.push([name, ...Object.values(event).map(String)].join(" "));
    const on: CommandListeners = {
      commandStarted: note("commandStarted"),
      commandEnded: note("commandEnded"),
      commandLost: note("commandLost"),
      commandAbandoned: note("commandAbandoned"),
      error: ({ error }) => void errors.push(error),
    };
    const runner = await runCommands(this.device, { handlers, clock, random, on, ...more });
    await this.settle();
    return { runner, events, errors };
  }

  /** The process ends, and another begins. */
  die(): void {
    this.device.die();
    this.device = new FakeJobsDevice(this);
  }

  /** `e1 IN_PROGRESS, e1 FAILED CODE` */
  get history(): string {
    return this.told
      .map(([id, { status, statusReason }]) => [id, status, statusReason?.reasonCode].filter(Boolean).join(" "))
      .join(", ");
  }
}
