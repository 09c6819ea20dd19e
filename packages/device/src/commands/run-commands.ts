import { isThinglineError, optionInvalid, ThinglineError } from "@thingline/protocol";
import {
  commandRequestFilters,
  commandTopic,
  type CommandTarget,
  decodeCommandAnswer,
  encodeCommandUpdate,
  isCommandExecutionId,
  parseCommandTopic,
} from "@thingline/protocol/commands";
import type { Clock, Timer } from "@thingline/transport";
import { brokenError, fractionOf } from "../errors.js";
import { retryDelayMs } from "../retry.js";
import type { DeviceMessage } from "../topics/message.js";
import type { DeviceSubscription } from "../topics/subscription.js";
import { callHandler, type CommandCall, planCommand } from "./call.js";
import { CommandsMachine } from "./machine.js";
import {
  type CheckedCommands,
  checkRunCommands,
  type CommandListener,
  type CommandsDevice,
  type RunCommandsOptions,
} from "./options.js";
import { CommandsFile } from "./record.js";
import type { CommandEventName, CommandsEffect, CommandsInput, Told } from "./types.js";

/** Timers of Node.js count 2^31 ms at most. */
const timerMsMax = 24 * 3_600_000;

const eventNames: readonly CommandEventName[] = [
  ...(["commandStarted", "commandEnded", "commandLost", "commandAbandoned", "error"] as const),
];

/** Something told, until the cloud has answered it. */
interface Sent {
  send: () => void;
  settle: (answer: { code: string | undefined; message: string } | { error: ThinglineError }) => void;
  isAcknowledged: boolean;
  clientToken: string;
}

/**
 * Does the commands of a device, from now on, over all its connections, until `close()` of the client or of the device.
 *
 * A handler is called once for each execution, however often its message comes, after it is written down that it is; what it came to is
 * written down as well, and told until the cloud has taken it or says that it takes nothing more. The cloud tells a device nothing of a
 * command but its payload: handlers are found by what that says.
 *
 * The device's policy has to allow `iot:Subscribe` on `topicfilter/$aws/commands/things/<thing>/executions/*`, and `iot:Publish` and
 * `iot:Receive` on `topic/$aws/commands/things/<thing>/executions/*`; for a client id `clients` in place of `things`.
 *
 * @throws {ThinglineError} OPTION_INVALID; LOCKED, FILE_UNREADABLE and STORE_VERSION_UNKNOWN of the folder.
 * @see AWS IoT developer guide, "High-level commands workflow"
 */
export async function runCommands(device: CommandsDevice, options: RunCommandsOptions): Promise<CommandRunner> {
  const checked = checkRunCommands(device, options);
  const { storage, target } = checked;
  const opened = storage === undefined ? undefined : await CommandsFile.open(storage.files, storage.folder, target);
  return new CommandRunner(device, checked, opened);
}

/** A command client at work. */
export class CommandRunner {
  readonly target: CommandTarget;
  /** Resolves after {@link close}. */
  readonly closed: Promise<void>;
  readonly #device: CommandsDevice;
  readonly #checked: CheckedCommands;
  readonly #clock: Clock;
  readonly #file: CommandsFile | undefined;
  readonly #machine: CommandsMachine;
  readonly #listeners = new Map<CommandEventName, readonly CommandListener<never>[]>();
  readonly #calls = new Map<string, CommandCall>();
  readonly #sent = new Map<string, Sent>();
  /** Messages whose execution is being written down: they are acknowledged after that. */
  readonly #held = new Map<number, (() => void)[]>();
  readonly #offs: (() => void)[];
  readonly #inputs: CommandsInput[] = [];
  #isRunning = false;
  #isOver = false;
  #timer: Timer | undefined;
  #subscription: DeviceSubscription | undefined;
  #isSubscribing = false;
  #subscribeFailures = 0;
  #subscribeTimer: Timer | undefined;
  #lastSequence = 0;
  #closing: Promise<void> | undefined;
  #drained: (() => void) | undefined;
  #resolveClosed: () => void = () => undefined;

  /** @internal */
  constructor(
    device: CommandsDevice,
    checked: CheckedCommands,
    opened: Awaited<ReturnType<typeof CommandsFile.open>> | undefined,
  ) {
    this.target = checked.target;
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve));
    this.#device = device;
    this.#checked = checked;
    this.#clock = checked.clock;
    this.#file = opened?.file;
    this.#machine = new CommandsMachine({
      ...checked.config,
      refuse(command) {
        const plan = planCommand(command, checked);
        return "told" in plan ? plan.told : undefined;
      },
    });
    for (const name of Object.keys(checked.on) as CommandEventName[]) {
      const listener = checked.on[name];
      if (listener !== undefined) this.on(name, listener as CommandListener<CommandEventName>);
    }
    this.#offs = [
      device.on("ready", () => this.#ready()),
      device.on("disconnected", () => this.#subscribeTimer?.cancel()),
    ];
    void device.closed.then(() => this.close());
    if (opened?.problem !== undefined) this.#report(opened.problem);
    if (opened !== undefined) this.#input({ type: "loaded", remembered: opened.remembered });
    if (device.state === "ready") this.#ready();
  }

  /** Executions that are under way in this process, those included that the cloud has still to be told of. */
  get executionCount(): number {
    return this.#machine.executionCount;
  }

  /** @returns a function that takes the listener off again. @throws {ThinglineError} OPTION_INVALID */
  on<Name extends CommandEventName>(name: Name, listener: CommandListener<Name>): () => void {
    if (!eventNames.includes(name)) throw optionInvalid("on", `one of ${eventNames.join(", ")}`, String(name));
    if (typeof listener !== "function") throw optionInvalid(`on.${name}`, "a function", typeof listener);
    this.#listeners.set(name, [...(this.#listeners.get(name) ?? []), listener]);
    return () => {
      this.#listeners.set(
        name,
        (this.#listeners.get(name) ?? []).filter((one) => one !== listener),
      );
    };
  }

  /**
   * Takes nothing more, tells the handlers by their signals, and waits for them, and for the cloud to take what they came to, for
   * `closeTimeoutMs` at most. What was not taken is told by the next process. Safe to call twice.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#subscribeTimer?.cancel();
    this.#input({ type: "closing" });
    await this.#waitUntilDrained();
    this.#isOver = true;
    for (const off of this.#offs) off();
    this.#timer?.cancel();
    const error = new ThinglineError("CLOSED", "the command client was closed");
    for (const sent of [...this.#sent.values()]) sent.settle({ error });
    for (const release of [...this.#held.values()].flat()) release();
    await this.#subscription?.close().catch(() => undefined);
    await this.#file?.close().catch((thrown: unknown) => this.#report(asError(thrown)));
    this.#resolveClosed();
  }

  async #waitUntilDrained(): Promise<void> {
    if (this.#isDrained) return;
    await new Promise<void>((resolve) => {
      const timer = this.#clock.setTimer(this.#checked.closeTimeoutMs, resolve);
      this.#drained = () => {
        timer.cancel();
        resolve();
      };
    });
    this.#drained = undefined;
  }

  get #isDrained(): boolean {
    return this.#machine.isDrained && this.#inputs.length === 0;
  }

  // ---- the machine ---------------------------------------------------------------------------------------------

  /** One after the other: what an effect brings at once waits for the effects before it. */
  #input(input: CommandsInput): void {
    if (this.#isOver) return;
    this.#inputs.push(input);
    if (this.#isRunning) return;
    this.#isRunning = true;
    try {
      for (let next = this.#inputs.shift(); next !== undefined; next = this.#inputs.shift()) {
        const turn = { monotonicMs: this.#clock.monotonicMs(), chance: fractionOf(this.#checked.random) };
        this.#timer?.cancel();
        for (const effect of this.#machine.input(next, turn)) this.#perform(effect);
      }
    } finally {
      this.#isRunning = false;
    }
    if (this.#drained !== undefined && this.#isDrained) this.#drained();
  }

  #perform(effect: CommandsEffect): void {
    switch (effect.type) {
      case "save":
        this.#lastSequence = effect.sequence;
        return void this.#save(effect);
      case "call":
        return this.#call(effect);
      case "abort":
        return this.#calls.get(effect.executionId)?.abort(effect.reason);
      case "send":
        return this.#send(effect.executionId, effect.told);
      case "event":
        return this.#emit(effect.event.name, effect.event.event);
      case "wakeAt": {
        const delayMs = Math.min(timerMsMax, Math.max(0, effect.atMs - this.#clock.monotonicMs()));
        this.#timer = this.#clock.setTimer(delayMs, () => this.#input({ type: "tick" }));
        return;
      }
    }
  }

  async #save({ sequence, remembered }: CommandsEffect & { type: "save" }): Promise<void> {
    try {
      await this.#file?.save(remembered);
    } catch (error) {
      // The command may be the one that makes room on a full disk.
      this.#report(asError(error));
    }
    for (const release of this.#held.get(sequence) ?? []) release();
    this.#held.delete(sequence);
    this.#input({ type: "saved", sequence });
  }

  #call({ command, isResumed }: CommandsEffect & { type: "call" }): void {
    const { executionId } = command;
    const plan = planCommand(command, this.#checked);
    const ended = (told: Told | "parked" | undefined): void => {
      this.#calls.delete(executionId);
      this.#input({ type: "handlerEnded", executionId, told });
    };
    if ("told" in plan) return ended(plan.told);
    this.#emit("commandStarted", { executionId, operation: plan.operation, isResumed });
    const call = callHandler({ command, isResumed }, plan, (told) =>
      this.#input({ type: "reported", executionId, told }),
    );
    this.#calls.set(executionId, call);
    void call.ended.then(ended);
  }

  /** The answer is known by its execution: one thing at a time is told of each. */
  #send(executionId: string, { status, statusReason, result }: Told): void {
    const { clock, random, answerTimeoutMs, target, format } = this.#checked;
    const clientToken = random.uuid();
    const topic = commandTopic({ target, executionId, type: "response", format });
    const update = { status, statusReason, result: result && new Map(Object.entries(result)), clientToken };
    const payload = encodeCommandUpdate(update, format);
    const stop = new AbortController();
    let timer: Timer | undefined;
    const sent: Sent = {
      ...{ clientToken, isAcknowledged: false },
      settle: (answer) => {
        timer?.cancel();
        if (this.#sent.get(executionId) !== sent) return;
        this.#sent.delete(executionId);
        stop.abort();
        this.#input({
          ...("error" in answer ? ({ type: "unanswered" } as const) : ({ type: "answered" } as const)),
          executionId,
          ...answer,
        } as CommandsInput);
      },
      send: () => {
        timer?.cancel();
        sent.isAcknowledged = false;
        this.#device.publish(topic, payload, { signal: stop.signal }).then(
          () => {
            if (this.#sent.get(executionId) !== sent) return;
            sent.isAcknowledged = true;
            timer = clock.setTimer(answerTimeoutMs, () => {
              const message = `the cloud did not answer on "${topic}" within ${answerTimeoutMs} ms`;
              sent.settle({ error: new ThinglineError("TIMEOUT", message, { details: { topic } }) });
            });
          },
          (error: unknown) => sent.settle({ error: asError(error) }),
        );
      },
    };
    this.#sent.set(executionId, sent);
    sent.send();
  }

  // ---- the device ----------------------------------------------------------------------------------------------

  #ready(): void {
    if (this.#isOver) return;
    this.#subscribeFailures = 0;
    this.#subscribeTimer?.cancel();
    // Answers may have been lost with the last connection. What was not acknowledged the device repeats itself.
    for (const sent of this.#sent.values()) if (sent.isAcknowledged) sent.send();
    if (this.#subscription === undefined) void this.#subscribe();
  }

  async #subscribe(): Promise<void> {
    if (this.#isSubscribing || this.#closing !== undefined) return;
    this.#isSubscribing = true;
    const { target, format } = this.#checked;
    const answers = (["accepted", "rejected"] as const).map((outcome) =>
      commandTopic({ target, executionId: "+", type: "response", outcome, format }),
    );
    try {
      const filters = [...commandRequestFilters(target), ...answers];
      const subscription = await this.#device.subscribe(filters, (message) => this.#received(message));
      if (this.#closing !== undefined) return void subscription.close().catch(() => undefined);
      this.#subscription = subscription;
      subscription.whenEnded((error) => {
        this.#subscription = undefined;
        this.#subscribeFailed(
          error ?? new ThinglineError("MQTT_SUBSCRIPTION_REFUSED", "the topics of commands were unsubscribed"),
        );
      });
    } catch (error) {
      this.#subscribeFailed(asError(error));
    } finally {
      this.#isSubscribing = false;
    }
  }

  /** A policy may be attached at any time. */
  #subscribeFailed(error: ThinglineError): void {
    if (this.#closing !== undefined || error.code === "CLOSED") return;
    if (error.code !== "CONNECTION_LOST") this.#report(withPolicyHint(error, this.target));
    if (this.#device.state !== "ready") return;
    this.#subscribeFailures += 1;
    const delayMs = retryDelayMs(this.#subscribeFailures, fractionOf(this.#checked.random));
    this.#subscribeTimer = this.#clock.setTimer(delayMs, () => void this.#subscribe());
  }

  /** Nothing that comes from the network may throw into the session. */
  #received({ topic: name, payload, properties, isRetained }: DeviceMessage): void | Promise<void> {
    const topic = parseCommandTopic(name);
    const isOurs = topic?.target.kind === this.target.kind && topic.target.id === this.target.id;
    // A retained message would come again and again; the service sends none.
    if (!isOurs || !isCommandExecutionId(topic.executionId) || isRetained) return this.#malformed(name);
    const { executionId, format } = topic;
    if (topic.type === "request") {
      const command = { executionId, payload: payload.slice(), format, contentType: properties?.contentType };
      const before = this.#lastSequence;
      this.#input({ type: "received", command, expirySeconds: properties?.messageExpirySeconds });
      const isSaved = this.#file === undefined || this.#lastSequence === before;
      return isSaved ? undefined : this.#whenSaved(this.#lastSequence);
    }
    const answer = decodeCommandAnswer(payload, { format: format ?? "json", isRejected: topic.outcome === "rejected" });
    if (answer === undefined || topic.outcome === undefined) return this.#malformed(name);
    const sent = this.#sent.get(executionId);
    // AWS does not say that it echoes the token of what it takes.
    if (sent === undefined || (answer.clientToken ?? sent.clientToken) !== sent.clientToken) return;
    sent.settle({ code: answer.rejected?.error, message: answer.rejected?.errorMessage ?? "" });
  }

  #whenSaved(sequence: number): Promise<void> {
    return new Promise((resolve) => {
      this.#held.set(sequence, [...(this.#held.get(sequence) ?? []), resolve]);
    });
  }

  #malformed(topic: string): void {
    const message = `a message on "${topic.slice(0, 512)}" is not one of AWS IoT Commands`;
    this.#report(new ThinglineError("COMMAND_MESSAGE_INVALID", message, { details: { topic: topic.slice(0, 512) } }));
  }

  #emit(name: CommandEventName, event: object): void {
    for (const listener of this.#listeners.get(name) ?? []) {
      try {
        listener(event as never);
      } catch (thrown) {
        // An unhandled rejection shows the application its own mistake.
        void Promise.reject(asError(thrown));
      }
    }
  }

  #report(error: ThinglineError): void {
    // The device tells of its connection itself.
    if (error.code !== "CONNECTION_LOST") this.#emit("error", { error });
  }
}

const asError = (error: unknown): ThinglineError => (isThinglineError(error) ? error : brokenError(error, ""));

function withPolicyHint(error: ThinglineError, { kind, id }: CommandTarget): ThinglineError {
  if (!isThinglineError(error, "MQTT_SUBSCRIPTION_REFUSED")) return error;
  const topics = `$aws/commands/${kind}/${id}/executions/*`;
  const message =
    `${error.message}. For commands, the device's policy has to allow iot:Subscribe on topicfilter/${topics}, and iot:Publish and iot:Receive ` +
    `on topic/${topics}`;
  return new ThinglineError(error.code, message, { details: error.details, cause: error });
}
