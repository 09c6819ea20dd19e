import type { Clock, Connection, Dialer, Files, Keys, ModemFirmware, Random, SecTagDialer } from "@thingline/transport";
import type { AtPortCounters, AtPortOptions } from "./at-port.js";
import type { ModemBehaviour } from "./behaviour/behaviour.js";
import type { FirmwareName } from "./firmware.js";
import type { ModemIdentity } from "./identity.js";
import type { LteTiming, RadioChanges, RadioConditions } from "./lte-link.js";
import type { ModemTraffic } from "./traffic.js";

export interface SimulatedModemOptions {
  /** What the modem's sockets go out through. */
  network: Dialer;
  clock: Clock;
  random: Random;
  keys: Keys;
  /** Where credentials, identity and settings are kept. Both or none: without them the modem forgets all. */
  files?: Files;
  folder?: string;
  /** What to be instead of what the folder says or is made up. */
  identity?: Partial<ModemIdentity>;
  /** Short for `identity.firmware`. */
  firmware?: FirmwareName;
  /** Delays, and what surrounds the modem when it boots. */
  lte?: Partial<LteTiming> & { conditions?: RadioChanges };
  /** Of the SIM card, for `conditions.sim: "pinRequired"`. Default {@link defaultPin}. */
  pin?: string;
  /** What unlocks the SIM card after {@link pinAttemptsMax} wrong PINs. Default {@link defaultPuk}. */
  puk?: string;
  /**
   * What a vendor or an earlier owner put into the modem: the types that applications do not write, such as an ownership key (9). Listed, never
   * on disk, and takes no room.
   */
  factoryCredentials?: readonly { secTag: number; type: number; content: string }[];
  /** Default 64 KiB. */
  storageBytesMax?: number;
  /** The supply is too low to write firmware when the modem starts: an update that is scheduled is put off. Default false. */
  isVoltageLow?: boolean;
  /** Count what the sockets carry and how long the radio is in which state: {@link SimulatedModem.traffic}. Default false. */
  countsTraffic?: boolean;
  /** What happens to the modem from its boot on; `modemBehaviourPresets` has some. */
  behaviour?: ModemBehaviour;
}

export const defaultPin = "1234";
export const defaultPuk = "12345678";

/** Faults that can be put into a running modem. */
export interface ModemFaults {
  /**
   * The power goes away at the Nth write of the credential storage from now on (1 is the next one), `before` it reached
   * the disk or `after`. The command never answers; {@link SimulatedModem.closed} resolves.
   */
  cutPowerAtWrite(count: number, phase: "before" | "after"): void;
  /** The next writes, `%CMNG=0` and `=3`, are refused with this code. */
  refuseWrites(options: { cme: 513 | 514 | 515 | 518 | 519 | 527 | 528; count: number }): void;
  /** A low supply voltage: writes are refused with 528, `%XPOFWARN` is sent when subscribed. */
  setPowerFailing(isFailing: boolean): void;
}

/** What takes the modem's firmware: delta images, and whole ones by the bootloader. */
export interface SimulatedModemFirmware extends ModemFirmware {
  /**
   * The whole firmware, as Nordic's tools and the modem's bootloader program it: it runs from the next start on.
   *
   * @param revision as `AT+CGMR` tells it: `mfw_nrf9160_1.3.7`; up to 128 printable characters without blanks.
   * @throws {ThinglineError} OPTION_INVALID, CLOSED, and those of the files.
   */
  program(revision: string): Promise<void>;
}

/** A simulated nRF91: an AT interface, secure storage, an LTE link, sockets. */
export interface SimulatedModem {
  readonly identity: ModemIdentity;
  /** What it does its cryptography with. */
  readonly keys: Keys;
  /** TLS inside the modem with the credentials of a security tag. */
  readonly secTagDialer: SecTagDialer;
  /** Plain sockets of the modem, for TLS outside of it. */
  readonly dialer: Dialer;
  readonly faults: ModemFaults;
  /**
   * Takes delta images of `makeSimulatedModemDelta()`, applied when the modem starts the next time: by {@link restart}, or when it is made
   * again on its folder. `AT+CGMR` tells the new version then.
   */
  readonly firmware: SimulatedModemFirmware;
  /** What went past the ports. */
  readonly counters: Readonly<AtPortCounters>;
  /** What went over the air; undefined unless the modem was made with `countsTraffic`. */
  readonly traffic: ModemTraffic | undefined;
  /** What surrounds the modem at this moment. */
  readonly conditions: RadioConditions;
  /** Coverage, denial, SIM, cell: takes effect at once, with the URCs that a real modem sends. */
  setConditions(conditions: RadioChanges): void;
  /**
   * A behaviour from now on, in place of the one before: its steps are counted from this moment, the steps of the one before are
   * dropped, and what that one had set stays as it is until something else is set.
   *
   * @throws {ThinglineError} OPTION_INVALID with the member that is wrong: `steps[2].onCommand`. Then nothing is changed.
   */
  apply(behaviour: ModemBehaviour): void;
  /** Called when a behaviour pulls the cable: whoever stands between the modem and a host ends its own side too. @returns what ends the subscription. */
  onUnplug(listener: () => void): () => void;
  /** Called with the bytes that nobody sent, as text, which a behaviour puts on every port. @returns what ends the subscription. */
  onNoise(listener: (noise: string) => void): () => void;
  /** Called when a behaviour has let the modem start again, as after a fault. @returns what ends the subscription. */
  onReset(listener: () => void): () => void;
  /** The host's end of a serial port with the line discipline of Nordic's AT host library. */
  openPort(options?: AtPortOptions): Connection;
  /**
   * One command, without terminator, as `nrf_modem_at_cmd` takes it. Answers the exact response: information lines and
   * the final result code, each ended by CR LF.
   *
   * @throws {ThinglineError} LIMIT_EXCEEDED for more than 4096 bytes, CLOSED, CONNECTION_LOST when the power went away, TIMEOUT when a
   * behaviour lost the command or its answer: on a port nothing comes then.
   */
  at(command: string): Promise<string>;
  /** URCs, without line end. @returns what ends the subscription. */
  onNotification(listener: (line: string) => void): () => void;
  /**
   * Stops and starts the modem, as its library does when it is initialised again: what is scheduled in its firmware area is applied, functional
   * mode 0, sockets are gone, and nothing is left that was not stored. Ports stay open.
   *
   * @throws {ThinglineError} CLOSED, CONNECTION_LOST when the power went away, and those of the files.
   */
  restart(): Promise<void>;
  /** The power goes away now: nothing is saved, nobody is told. */
  cutPower(): void;
  /** Switches off and gives the folder back: a command under way ends first, but waits for no simulated time any more. Safe to call twice. */
  close(): Promise<void>;
  readonly closed: Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}
