import { ThinglineError } from "@thingline/protocol";
import type { Clock, Random, Timer } from "@thingline/transport";
import {
  busTimeoutMs,
  type Bus,
  type BusControl,
  type BusMessage,
  type BusPort,
  type BusReceiver,
} from "../bus/bus.js";
import { isForAll, wants } from "../bus/interest.js";

export interface VirtualBusOptions {
  clock: Clock;
  random: Random;
  /** Each letter takes up to so long, so that they overtake each other. Default 0: the next timer of the clock. */
  delayMsMax?: number;
  /** From 0 to 1: how many letters get lost. Default 0. */
  lossRate?: number;
  /** From 0 to 1: how many letters come twice. Default 0. */
  repeatRate?: number;
}

/** A bus that delays, reorders, loses and repeats as its seed says. */
export interface VirtualBus extends Bus {
  /** The bus as a process with its own clock has it: while that stands still, nothing arrives there. */
  of(ownClock: Clock): Bus;
  /** Changed at any time. */
  delayMsMax: number;
  lossRate: number;
  repeatRate: number;
  /** Nothing passes between these two until {@link heal}. */
  part(one: string, other: string): void;
  heal(): void;
  /** The process of that name is dead: it sends and hears nothing, and the others are not told. */
  kill(name: string): void;
}

type Letter =
  | { type: "hello"; interest: ReadonlyMap<string, Versioned>; isAnswer: boolean }
  | { type: "interest"; number: number; filter: string; wanted: Versioned }
  | { type: "message"; number: number; message: BusMessage }
  | { type: "control"; number: number; control: BusControl }
  | { type: "answer"; number: number; error: unknown };

/** A filter as its broker wanted it last: what comes late does not count. */
interface Versioned {
  version: number;
  isWanted: boolean;
}

interface Network {
  ports: Map<string, VirtualPort>;
  parted: Set<string>;
  rates: { delayMsMax: number; lossRate: number; repeatRate: number };
  /** What is under way, and timers that wait. */
  send(from: string, to: string, letter: Letter): void;
}

/** What one broker knows of another. */
class Peer {
  readonly filters = new Set<string>();
  readonly versions = new Map<string, number>();
  isKnown = false;
  isSilenced = false;
  /** How often it said that it wants something. */
  wishes = 0;
  greeting: Timer | undefined;

  learn(filter: string, { version, isWanted }: Versioned): void {
    // One that is over may not know it yet, and gives up what is not its own any more.
    if (this.isSilenced) return;
    if ((this.versions.get(filter) ?? 0) >= version) return;
    this.versions.set(filter, version);
    if (isWanted) {
      this.filters.add(filter);
      this.wishes++;
    } else this.filters.delete(filter);
  }
}

interface Question {
  waiting: Set<string>;
  isMessage: boolean;
  /** @returns whether there is somebody else to wait for, who is asked now */
  more: () => boolean;
  timer: Timer;
  resolve: () => void;
  reject: (error: unknown) => void;
}

class VirtualPort implements BusPort {
  isDead = false;
  readonly clock: Clock;
  readonly #network: Network;
  readonly #name: string;
  readonly #isNamed: boolean;
  readonly #receiver: BusReceiver;
  readonly #peers = new Map<string, Peer>();
  readonly #interest = new Map<string, Versioned>();
  readonly #questions = new Map<number, Question>();
  #lastNumber = 0;
  #version = 0;

  constructor(network: Network, clock: Clock, receiver: BusReceiver, name: string, isNamed: boolean) {
    this.#network = network;
    this.clock = clock;
    this.#receiver = receiver;
    this.#name = name;
    this.#isNamed = isNamed;
    for (const other of network.ports.keys()) this.#meet(other);
  }

  get isAlone(): boolean {
    return this.#peers.size === 0;
  }

  hasInterest(topic: string): boolean {
    for (const { filters } of this.#peers.values()) if (wants(filters, topic)) return true;
    return false;
  }

  knows(name: string): boolean {
    return this.#peers.get(name)?.isKnown ?? false;
  }

  publish(message: BusMessage): Promise<void> | undefined {
    const toAll = isForAll(message);
    const wanting = () =>
      [...this.#peers.keys()].filter((name) => {
        const { filters, isSilenced } = this.#peers.get(name)!;
        const mayHold = message.onlyToClientId !== undefined || (message.isRetained && !isSilenced);
        return (toAll && mayHold) || wants(filters, message.topic);
      });
    return this.#ask(wanting, (number) => ({ type: "message", number, message }));
  }

  control(control: BusControl): Promise<void> | undefined {
    return this.#ask(this.#listening(), (number) => ({ type: "control", number, control }));
  }

  setInterest(filter: string, isWanted: boolean): Promise<void> | undefined {
    const before = this.#interest.get(filter);
    const wanted = before?.isWanted === isWanted && !isWanted ? before : { version: ++this.#version, isWanted };
    this.#interest.set(filter, wanted);
    return this.#ask(this.#listening(), (number) => ({ type: "interest", number, filter, wanted }));
  }

  #listening(): () => string[] {
    const names = [...this.#peers].flatMap(([name, { isSilenced }]) => (isSilenced ? [] : [name]));
    return () => names;
  }

  /** @param asked asked again when all have answered: there may be more of them by then */
  #ask(asked: () => string[], letter: (number: number) => Letter): Promise<void> | undefined {
    if (this.isDead) return Promise.reject(new ThinglineError("CLOSED", "the bus was used after close()"));
    if (asked().length === 0) return undefined;
    const waiting = new Set<string>();
    const number = ++this.#lastNumber;
    const isMessage = letter(number).type === "message";
    /** Who was asked, and how much each had wished for by then. */
    const wishes = new Map<string, number>();
    const more = (): boolean => {
      for (const name of asked()) {
        const peer = this.#peers.get(name);
        const before = wishes.get(name);
        if (peer === undefined || (before !== undefined && !(isMessage && before !== peer.wishes))) continue;
        wishes.set(name, peer.wishes);
        waiting.add(name);
      }
      for (const name of waiting) this.#network.send(this.#name, name, letter(number));
      return waiting.size > 0;
    };
    return new Promise<void>((resolve, reject) => {
      const timer = this.clock.setTimer(busTimeoutMs, () => {
        this.#questions.delete(number);
        reject(new ThinglineError("TIMEOUT", `no confirmation of ${[...waiting].join(", ")} in ${busTimeoutMs} ms`));
      });
      this.#questions.set(number, { waiting, isMessage, more, timer, resolve, reject });
      more();
    });
  }

  /** @param error undefined: it was confirmed */
  #answered(name: string, number: number, error: unknown): void {
    const question = this.#questions.get(number);
    if (question === undefined || !question.waiting.delete(name)) return;
    if (error === undefined && (question.waiting.size > 0 || question.more())) return;
    this.#questions.delete(number);
    question.timer.cancel();
    if (error === undefined) question.resolve();
    else question.reject(error);
  }

  /** Asks for what the other wants, again and again until it has answered. */
  #meet(name: string): Peer {
    const peer = new Peer();
    this.#peers.set(name, peer);
    const greet = (): void => {
      if (this.isDead || peer.isKnown || this.#peers.get(name) !== peer) return;
      this.#network.send(this.#name, name, { type: "hello", interest: new Map(this.#interest), isAnswer: false });
      peer.greeting = this.clock.setTimer(busTimeoutMs, greet);
    };
    // The one that came later begins, when its receiver is ready.
    peer.greeting = this.clock.setTimer(0, greet);
    return peer;
  }

  hear(from: string, letter: Letter): void {
    if (this.isDead) return;
    switch (letter.type) {
      case "hello": {
        const peer = this.#peers.get(from) ?? this.#meet(from);
        // What it says may not be what it had when it was over: who did not know it before waits until it is gone.
        if (peer.isSilenced) return;
        for (const [filter, wanted] of letter.interest) peer.learn(filter, wanted);
        peer.isKnown = true;
        peer.greeting?.cancel();
        if (!letter.isAnswer) {
          const interest = new Map(this.#interest);
          this.#network.send(this.#name, from, { type: "hello", interest, isAnswer: true });
        }
        return;
      }
      case "interest":
        this.#peers.get(from)?.learn(letter.filter, letter.wanted);
        return this.#answer(from, letter.number, undefined);
      case "message":
        return this.#answer(from, letter.number, this.#receiver.onMessage(letter.message));
      case "control":
        return this.#answer(from, letter.number, this.#receiver.onControl(letter.control));
      case "answer":
        return this.#answered(from, letter.number, letter.error);
    }
  }

  #answer(to: string, number: number, done: Promise<void> | undefined): void {
    const send = (error: unknown) => this.#network.send(this.#name, to, { type: "answer", number, error });
    if (done === undefined) send(undefined);
    else done.then(() => send(undefined), send);
  }

  silence(name: string): void {
    const peer = this.#peers.get(name);
    if (peer === undefined) return;
    peer.isSilenced = true;
    for (const [number, { isMessage }] of [...this.#questions]) if (!isMessage) this.#answered(name, number, undefined);
  }

  forget(name: string): void {
    const peer = this.#peers.get(name);
    peer?.greeting?.cancel();
    this.#peers.delete(name);
    for (const number of [...this.#questions.keys()]) this.#answered(name, number, undefined);
    // It may still be there, and not know that it is over: from here on it reaches nobody.
    this.#network.ports.delete(name);
  }

  close(): void {
    if (this.isDead) return;
    for (const { reject } of this.die()) reject(new ThinglineError("CLOSED", "the bus was used after close()"));
    if (this.#isNamed) return;
    this.#network.ports.delete(this.#name);
    for (const port of this.#network.ports.values()) port.forget(this.#name);
  }

  /** @returns what waits for an answer */
  die(): Question[] {
    this.isDead = true;
    for (const { greeting } of this.#peers.values()) greeting?.cancel();
    const left = [...this.#questions.values()];
    this.#questions.clear();
    for (const { timer } of left) timer.cancel();
    return left;
  }
}

export function createVirtualBus(options: VirtualBusOptions): VirtualBus {
  const { clock, random } = options;
  const { delayMsMax = 0, lossRate = 0, repeatRate = 0 } = options;
  const rates = { delayMsMax, lossRate, repeatRate };
  const parted = new Set<string>();
  const ports = new Map<string, VirtualPort>();
  const pair = (one: string, other: string) => [one, other].sort().join(" ");
  let unnamed = 0;

  const send = (from: string, to: string, letter: Letter): void => {
    const target = ports.get(to);
    if (target === undefined || ports.get(from)?.isDead !== false) return;
    const times = random.fraction() < rates.repeatRate ? 2 : 1;
    for (let time = 0; time < times; time++) {
      if (random.fraction() < rates.lossRate) continue;
      const delayMs = rates.delayMsMax === 0 ? 0 : random.integer(rates.delayMsMax);
      target.clock.setTimer(delayMs, () => {
        const isUnderWay = ports.get(to) === target && ports.has(from) && !parted.has(pair(from, to));
        if (isUnderWay) target.hear(from, letter);
      });
    }
  };
  const network: Network = { ports, parted, rates, send };

  const of = (ownClock: Clock): Bus => ({
    attach(receiver, name) {
      const own = name ?? `port ${++unnamed}`;
      const port = new VirtualPort(network, ownClock, receiver, own, name !== undefined);
      ports.set(own, port);
      return port;
    },
  });
  return Object.assign(rates, {
    ...of(clock),
    of,
    part: (one: string, other: string) => void parted.add(pair(one, other)),
    heal: () => parted.clear(),
    kill: (name: string) => void ports.get(name)?.die(),
  });
}
