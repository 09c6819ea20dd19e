import { isThinglineError, ThinglineError } from "@thingline/protocol";
import type { AtCommand, FinalResult } from "@thingline/protocol/at";
import { formatResponse, parseAtCommand } from "@thingline/protocol/at";
import { type CommandStep, defaultSlowMs } from "./behaviour/behaviour.js";
import type { BehaviourRunner } from "./behaviour/runner.js";
import { authenticate } from "./commands/authentication.js";
import { type ModemState, perform, refused, type Reply } from "./commands/command.js";
import { commandTable } from "./commands/table.js";
import { RefusedWrite } from "./refusal.js";

/** Commands that may wait for the one under way; more are refused. */
export const queuedCommandsMax = 64;
/** URCs that wait for the end of a command; the oldest of more are dropped. */
export const heldNotificationsMax = 256;

/** Characters of a damaged answer are bytes. */
export type AnswerListener = (answer: string, isDamaged: boolean) => void;

/** What a command is answered with. */
interface Answer {
  text: string;
  isDamaged: boolean;
}

export interface CommandExecutorOptions {
  /** What befalls commands. */
  happenings: BehaviourRunner;
  /** A command brought it about. */
  onEvent: (event: "cutPower" | "unplug" | "reset") => void;
  /** A URC, without line end. */
  onNotification: (line: string) => void;
  /** A URC that nobody gets. */
  onDropped: () => void;
  /** A command has ended that a reset came over: what it did meanwhile is to be taken back. */
  onOvertaken: () => void;
}

/** One command at a time, each answer before the URCs that it caused. */
export class CommandExecutor {
  readonly #modem: ModemState;
  readonly #options: CommandExecutorOptions;
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #isExecuting = false;
  #held: string[] = [];
  /** How often a reset came: a command that began before the last one ends in nothing. */
  #resets = 0;

  constructor(modem: ModemState, options: CommandExecutorOptions) {
    this.#modem = modem;
    this.#options = options;
  }

  /**
   * Executes one command line, after those before it, and hands over the answer before any URC that it caused.
   *
   * @param line Undefined for bytes that were no text: answered with ERROR.
   * @param onAnswer Called with the exact answer, unless it was lost; what it throws goes to the caller.
   * @throws {ThinglineError} LIMIT_EXCEEDED when {@link queuedCommandsMax} wait already; what a handler throws.
   */
  async execute(line: string | undefined, onAnswer: AnswerListener): Promise<void> {
    if (this.#waiting >= queuedCommandsMax) {
      throw new ThinglineError("LIMIT_EXCEEDED", `more than ${queuedCommandsMax} AT commands wait for the modem`);
    }
    this.#waiting++;
    const turn = this.#last.then(async () => {
      this.#isExecuting = true;
      try {
        const resets = this.#resets;
        const answer = await this.#answer(line);
        if (resets !== this.#resets) this.#options.onOvertaken();
        else if (answer !== undefined) onAnswer(answer.text, answer.isDamaged);
      } finally {
        this.#isExecuting = false;
        this.#waiting--;
        this.#releaseHeld();
      }
    });
    this.#last = turn.catch(() => undefined);
    await turn;
  }

  notify(line: string): void {
    if (!this.#isExecuting) return this.#options.onNotification(line);
    this.#held.push(line);
    if (this.#held.length <= heldNotificationsMax) return;
    this.#held.shift();
    this.#options.onDropped();
  }

  /** Resolves when no command is under way or waits. */
  async idle(): Promise<void> {
    await this.#last;
  }

  /** The modem starts anew: a command under way is not answered, and its URCs are not sent. */
  overtake(): void {
    this.#resets++;
    this.#held = [];
  }

  close(): void {
    this.#held = [];
  }

  #releaseHeld(): void {
    const held = this.#held;
    this.#held = [];
    for (const line of held) this.#options.onNotification(line);
  }

  /** @returns undefined when the command or its answer was lost. */
  async #answer(line: string | undefined): Promise<Answer | undefined> {
    if (line === undefined) return this.#format(refused("error"));
    const parsed = parse(line);
    if (parsed === undefined) return this.#format(refused("error"));
    const command = parsed.authenticated === undefined ? parsed : authenticate(this.#modem, parsed);
    if ("type" in command) return this.#format(command);
    const fate = this.#options.happenings.fateOf(command);
    return fate === undefined ? this.#format(await this.#reply(command)) : this.#meet(fate, command);
  }

  /** A command that a behaviour has an eye on. */
  async #meet({ do: fault, phase = "before", ...fate }: CommandStep, command: AtCommand): Promise<Answer | undefined> {
    switch (fault) {
      case "refuse":
        return this.#format(refused(fate.cme ?? "error"));
      case "loseCommand":
        return undefined;
      case "loseAnswer":
        await this.#reply(command);
        return undefined;
      case "garbage":
        return {
          text: this.#options.happenings.damage(this.#format(await this.#reply(command)).text),
          isDamaged: true,
        };
      case "slow": {
        const answer = this.#format(await this.#reply(command));
        await this.#modem.pauses.pass(fate.delayMs ?? defaultSlowMs);
        return answer;
      }
      case "cutPower":
      case "unplug":
      case "reset":
        if (phase === "after") await this.#reply(command);
        this.#options.onEvent(fault);
        return undefined;
    }
  }

  #format(reply: Reply): Answer {
    if (reply.type === "ok") return { text: formatResponse(reply.lines, { type: "ok" }), isDamaged: false };
    const { refusal } = reply;
    const isPlain = refusal === "error" || this.#modem.cmee === 0;
    const result: FinalResult = isPlain ? { type: "error" } : { type: "cmeError", code: refusal };
    return { text: formatResponse([], result), isDamaged: false };
  }

  async #reply(command: AtCommand): Promise<Reply> {
    try {
      return await perform(this.#modem, commandTable.get(command.name), command);
    } catch (error) {
      if (error instanceof RefusedWrite) return refused(error.refusal);
      throw error;
    }
  }
}

/** @returns undefined for a text that is no command. */
function parse(line: string): AtCommand | undefined {
  try {
    return parseAtCommand(line);
  } catch (error) {
    if (isThinglineError(error, "AT_MALFORMED")) return undefined;
    throw error;
  }
}
