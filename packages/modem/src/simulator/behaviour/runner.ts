import type { AtCommand } from "@thingline/protocol/at";
import { integerAt } from "@thingline/protocol/at";
import type { Clock, Timer } from "@thingline/transport";
import type { CommandStep, ModemBehaviour, ModemEvent, ModemSurroundings, TimedStep, WriteStep } from "./behaviour.js";
import { makeNoise, SeededChance } from "./noise.js";

/** What a behaviour works on. */
export interface BehaviourTarget {
  surround(surroundings: ModemSurroundings): void;
  happen(event: Exclude<ModemEvent, "garbage">): void;
  /** Bytes that nobody sent, as text, for every port. */
  sendNoise(noise: string): void;
}

/** Counts one step down: how many pass, how many are hit. */
class Countdown<Step> {
  readonly step: Step;
  #passing: number;
  #hits: number;

  constructor(step: Step, passing: number, hits: number) {
    this.step = step;
    this.#passing = passing;
    this.#hits = hits;
  }

  isHit(): boolean {
    if (this.#passing > 0) this.#passing--;
    else if (this.#hits > 0) {
      this.#hits--;
      return true;
    }
    return false;
  }
}

/** Runs one behaviour at a time: timers for its timed steps, counters for those at commands and writes. */
export class BehaviourRunner {
  readonly #clock: Clock;
  readonly #target: BehaviourTarget;
  #chance = new SeededChance(1);
  #timers = new Set<Timer>();
  #commands: Countdown<CommandStep>[] = [];
  #writes: Countdown<WriteStep>[] = [];

  constructor(clock: Clock, target: BehaviourTarget) {
    this.#clock = clock;
    this.#target = target;
  }

  /** The steps of the behaviour before are dropped; what it has set stays. */
  apply({ seed = 1, set, steps = [] }: ModemBehaviour): void {
    this.close();
    this.#chance = new SeededChance(seed);
    if (set !== undefined) this.#target.surround(set);
    for (const step of steps) {
      if ("onCommand" in step) this.#commands.push(new Countdown(step, step.skip ?? 0, step.count ?? 1));
      else if ("onWrite" in step) this.#writes.push(new Countdown(step, step.onWrite - 1, step.count ?? 1));
      else this.#plan(step, step.atMs, step.count ?? (step.everyMs === undefined ? 1 : Number.POSITIVE_INFINITY));
    }
  }

  /** What befalls a command; of several steps that fit, each counts it and the first that hits wins. */
  fateOf(command: AtCommand): CommandStep | undefined {
    let fate: CommandStep | undefined;
    for (const countdown of this.#commands) {
      if (fits(countdown.step, command) && countdown.isHit()) fate ??= countdown.step;
    }
    return fate;
  }

  fateOfWrite(): WriteStep | undefined {
    let fate: WriteStep | undefined;
    for (const countdown of this.#writes) if (countdown.isHit()) fate ??= countdown.step;
    return fate;
  }

  /** The answer as it comes over a disturbed line: pieces lost, characters changed. */
  damage(answer: string): string {
    return this.#chance.damage(answer);
  }

  /** Whether a write that the power left halfway had reached the memory. */
  isWritten(): boolean {
    return this.#chance.fraction() < 0.5;
  }

  close(): void {
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
    this.#commands = [];
    this.#writes = [];
  }

  /** Counted from the time that the step is due without jitter, so that delays do not add up. */
  #plan(step: TimedStep, delayMs: number, left: number): void {
    const jitterMs = Math.floor(this.#chance.fraction() * (step.jitterMs ?? 0));
    const timer = this.#clock.setTimer(delayMs + jitterMs, () => {
      this.#timers.delete(timer);
      // Planned first: the step may end the modem, and with it all steps.
      if (step.everyMs !== undefined && left > 1) {
        this.#plan(step, Math.max(0, step.everyMs - jitterMs), left - 1);
      }
      this.#run(step);
    });
    this.#timers.add(timer);
  }

  #run({ set, do: event }: TimedStep): void {
    if (set !== undefined) this.#target.surround(set);
    if (event === "garbage") this.#target.sendNoise(makeNoise(this.#chance));
    else if (event !== undefined) this.#target.happen(event);
  }
}

function fits({ onCommand, form, operation }: CommandStep, command: AtCommand): boolean {
  const name = command.name === "" ? "AT" : command.name;
  if (onCommand !== "*" && onCommand !== name) return false;
  if (form !== undefined && form !== command.form) return false;
  return operation === undefined || integerAt(command.parameters, 0) === operation;
}
