import type { Clock, Connection, Random } from "@thingline/transport";
import type { SimulatedModem } from "../simulator/simulated-modem.js";
import type { SerialModemCommand, SerialModemInformation, SerialModemReply } from "./command.js";
import type { SerialModemTraits } from "./dialect.js";
import type { SerialModemOptions } from "./options.js";

/** Where a client of the application goes: TCP, or TLS inside the modem when a security tag is given. */
export interface SerialModemDialTarget {
  host: string;
  port: number;
  secTag?: number | undefined;
  /** For SNI and for the host name check. Default: `host`. */
  serverName?: string | undefined;
  family?: 4 | 6 | undefined;
  /** A TLS session of before may be resumed. Default false. */
  isResumable?: boolean | undefined;
}

/** What outlives a restart: short texts by name, on disk where the application was given a folder. */
export interface SerialModemStorage {
  get(name: string): string | undefined;
  /** Undefined forgets it. @throws {ThinglineError} LIMIT_EXCEEDED, and those of the files. */
  set(name: string, value: string | undefined): Promise<void>;
}

/** What a feature of the application works with. */
export interface SerialModemServices {
  readonly options: SerialModemOptions;
  readonly traits: SerialModemTraits;
  readonly modem: SimulatedModem;
  readonly clock: Clock;
  readonly random: Random;
  readonly storage: SerialModemStorage;
  readonly isInDataMode: boolean;
  /** Whether the line is in command mode and no command is executed or begun. */
  readonly isLineFree: boolean;
  /** Whether the host has taken nearly all of what was sent: what can wait should wait until then. `lineChanged` tells. */
  readonly hasLineRoom: boolean;
  /**
   * Sends a URC of the application, framed: SLM at once, the Serial Modem when the line is free. Bytes of an `{ head, data }` follow the line end of
   * the head as they are.
   */
  notify(information: SerialModemInformation): void;
  /** Repeat what the host sends, in command mode. */
  setEcho(echoes: boolean): void;
  /** Raw bytes without any framing: what came for a client while the line is in data mode. */
  sendRaw(bytes: Uint8Array): void;
  /** Leaves data mode from this side, when what the payload went to is gone: `#XDATAMODE: <result>`. */
  leaveDataMode(result: number): void;
  /** A connection of the modem, one of its sockets. @throws {ThinglineError} as the modem's dialers do; `errnoOf()` has its number. */
  dial(target: SerialModemDialTarget, options?: { signal?: AbortSignal }): Promise<Connection>;
  /** What the options' `onUnsupported` is told. @returns an ERROR. */
  refuse(what: string): SerialModemReply;
  /** The silence that ends a burst in data mode. */
  timeLimitMs: number | undefined;
  /** Of the line, as far as the application knows. */
  baudRate: number;
  /** As `AT#XRESET`: every feature stops, then boots again, and the banner is sent. */
  restart(): Promise<void>;
  /** As `AT#XSLEEP`: `idle` keeps the modem and all connections, `deep` stops all. Woken by the application's `wake()`. */
  sleep(depth: "idle" | "deep"): Promise<void>;
  /** The modem library starts again: `AT+CFUN=0`, and every feature's `modemLost`. */
  restartModem(): Promise<void>;
}

/** A start into something else than the application, such as the modem's bootloader. */
export interface SerialModemBootMode {
  /** Said in place of `Ready`, without its line end. */
  banner: string;
  /** The only commands that are taken, by their names; all others, the modem's included, are answered with ERROR. Features are not `booted`. */
  commands: readonly string[];
}

/** A part of the application: made once for each application, with its own state. */
export type SerialModemFeature = (services: SerialModemServices) => SerialModemFeatureParts;

export interface SerialModemFeatureParts {
  commands: readonly SerialModemCommand[];
  /**
   * The application starts, or starts again; the modem has started already, and nothing was said yet. What it answers takes the place of the
   * ordinary start.
   */
  starting?(): SerialModemBootMode | undefined | Promise<SerialModemBootMode | undefined>;
  /** A command was answered, data mode began or ended, or the host has read: what waited for the line may be sent. */
  lineChanged?(): void;
  /** The application has started, or started again, and said `Ready`: what waited for it is told now. */
  booted?(): void | Promise<void>;
  /** The modem restarted or died: sockets are gone. */
  modemLost?(): void;
  /** The modem alone was restarted by `AT#XMODEMRESET`, and has applied what its firmware area held: what is told of it comes before the answer. */
  modemRestarted?(): void | Promise<void>;
  /** The application restarts or ends: nothing may be left, connections and timers. Called before each `booted` but the first, and at the end. */
  stop?(): void | Promise<void>;
}
