import { lookup } from "node:dns/promises";
import { isThinglineError, type ThinglineError } from "@thingline/protocol";
import type { AtTerminator } from "@thingline/protocol/at";
import {
  createSerialModemApplication,
  createSimulatedModem,
  type FirmwareName,
  type ModemBehaviour,
  type RadioConditions,
  type SerialModemApplication,
  type SerialModemDialect,
  type SimulatedModem,
} from "@thingline/modem/simulator";
import type { Connection, Endpoint } from "@thingline/transport";
import type { Adapters } from "../adapters.js";
import { type Door, type DoorEvents, type DoorPlace, PtyDoor, TcpDoor } from "./doors.js";
import { LineView, type ShownLine } from "./line-view.js";
import { bitsPerByte } from "./paced-flow.js";
import { PortJoint } from "./port-joint.js";

/** What runs on the simulated board's application core: what a host talks to. */
export type LineApplication = "at-host" | SerialModemDialect;

/** What ends a command there. */
function terminatorOf(options: Pick<SimulatedLineOptions, "application" | "terminator">): AtTerminator {
  const { application, terminator } = options;
  return terminator ?? (application === "slm-1.x" || application === "slm-2.x" ? "CR+LF" : "CR");
}

export interface SimulatedLineOptions {
  /** The modem's; held while the line is there. */
  folder: string;
  firmware?: FirmwareName;
  application: LineApplication;
  /** Default: the application's. */
  terminator?: AtTerminator;
  /** Paces the line. Default: as fast as it goes. */
  baudRate?: number;
  /** Applied once, at the start. */
  behaviour?: ModemBehaviour;
  pty?: { link?: string };
  tcp?: Endpoint;
  /** How long the board stays away after it was unplugged or lost its power. */
  backAfterMs: number;
  showsLines: boolean;
}

export interface SimulatedLineEvents extends DoorEvents {
  /** The board is away; with power it runs on, and forgets nothing. */
  wentAway(event: { hasPower: boolean; backAfterMs: number }): void;
  /** It is there again, a pseudo-terminal by a new name. */
  cameBack(place: DoorPlace): void;
  /** It cannot come back: nothing more happens on this line. */
  failed(error: unknown): void;
  line(door: Door["kind"], line: ShownLine): void;
  /** A host asked the serial modem for something that is not simulated, and got ERROR. */
  unsupported(what: string): void;
}

/** A simulated board with its modem, and its doors to hosts. Comes back by itself after it was unplugged or lost its power. */
export class SimulatedLine {
  readonly #adapters: Adapters;
  readonly #options: SimulatedLineOptions;
  readonly #events: SimulatedLineEvents;
  readonly #doors: Door[] = [];
  readonly #closing = new AbortController();
  #modem: SimulatedModem | undefined;
  #application: SerialModemApplication | undefined;
  #conditions: RadioConditions | undefined;
  #hasPower = false;
  #isUnplugged = false;
  #isAway = true;
  #coming: Promise<void> | undefined;
  #backAfterMs: number;

  private constructor(adapters: Adapters, options: SimulatedLineOptions, events: SimulatedLineEvents) {
    this.#adapters = adapters;
    this.#options = options;
    this.#events = events;
    this.#backAfterMs = options.backAfterMs;
  }

  /** @throws {ThinglineError} those of the modem and of its doors; then nothing is left open. */
  static async start(
    adapters: Adapters,
    options: SimulatedLineOptions,
    events: SimulatedLineEvents,
  ): Promise<SimulatedLine> {
    const line = new SimulatedLine(adapters, options, events);
    try {
      await line.#boot();
      if (options.behaviour !== undefined) line.modem.apply(options.behaviour);
      await line.#openDoors();
      await line.#plugIn();
    } catch (error) {
      await line.close();
      throw error;
    }
    return line;
  }

  get modem(): SimulatedModem {
    if (this.#modem === undefined) throw new Error("a line has a modem once it has started");
    return this.#modem;
  }

  get folder(): string {
    return this.#options.folder;
  }

  get terminator(): AtTerminator {
    return terminatorOf(this.#options);
  }

  get isAway(): boolean {
    return this.#isAway;
  }

  get place(): DoorPlace {
    return Object.assign({}, ...this.#doors.map(({ place }) => place)) as DoorPlace;
  }

  /** Bytes of the modem that no host was there for. */
  get unheardBytes(): number {
    return this.#doors.reduce((sum, { joint }) => sum + joint.unheardBytes, 0);
  }

  /**
   * `backAfterMs`: how long the board stays away, should this make it go.
   *
   * @throws {ThinglineError} OPTION_INVALID, CLOSED while it has no power.
   */
  apply(behaviour: ModemBehaviour, { backAfterMs }: { backAfterMs?: number | undefined } = {}): void {
    this.#backAfterMs = backAfterMs ?? this.#options.backAfterMs;
    this.modem.apply(behaviour);
  }

  /** Safe to call twice. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#coming;
    for (const { joint } of this.#doors) joint.close();
    await Promise.all(this.#doors.map((door) => door.close()));
    await this.#application?.close();
    await this.#modem?.close();
  }

  async #boot(): Promise<void> {
    const { network, clock, random, keys, files } = this.#adapters;
    const { folder, firmware, application, terminator, baudRate } = this.#options;
    const modem = await createSimulatedModem({
      ...{ network, clock, random, files, keys, folder },
      ...(firmware !== undefined && { firmware }),
      ...(this.#conditions !== undefined && { lte: { conditions: this.#conditions } }),
    });
    this.#modem = modem;
    this.#hasPower = true;
    modem.onUnplug(() => (this.#isUnplugged = true));
    if (application === "at-host") return;
    this.#application = await createSerialModemApplication(modem, {
      ...{ clock, random, files, folder, dialect: application },
      ...(terminator !== undefined && { terminator }),
      ...(baudRate !== undefined && { baudRate }),
      resolve: lookUpHost,
      onUnsupported: (what) => this.#events.unsupported(what),
    });
  }

  async #openDoors(): Promise<void> {
    const { clock, network, files } = this.#adapters;
    const { pty, tcp, folder } = this.#options;
    if (pty !== undefined) {
      const recordFile = `${folder}/link.json`;
      this.#doors.push(new PtyDoor({ clock, files, joint: this.#joint("pty"), link: pty.link, recordFile }));
    }
    if (tcp === undefined) return;
    const joint = this.#joint("tcp");
    this.#doors.push(await TcpDoor.open({ network, joint, ...tcp, events: this.#events }));
  }

  #joint(kind: Door["kind"]): PortJoint {
    const { baudRate, application, showsLines } = this.#options;
    const terminator = terminatorOf(this.#options);
    const show = (line: ShownLine) => this.#events.line(kind, line);
    return new PortJoint({
      clock: this.#adapters.clock,
      bytesPerSecond: baudRate === undefined ? undefined : baudRate / bitsPerByte,
      view: showsLines ? new LineView({ terminator, carriesData: application !== "at-host", show }) : undefined,
    });
  }

  /** Ports of the modem, or ends of its application's one line. */
  #openPort(): Connection {
    const { terminator } = this.#options;
    return this.#application === undefined
      ? this.modem.openPort(terminator === undefined ? {} : { terminator })
      : this.#application.openPort();
  }

  async #plugIn(): Promise<void> {
    for (const { joint } of this.#doors) joint.attachPort(this.#openPort(), (error) => this.#portEnded(error));
    for (const door of this.#doors) await door.plugIn();
    this.#isAway = false;
  }

  #portEnded(error: ThinglineError | undefined): void {
    if (this.#isAway || this.#closing.signal.aborted) return;
    this.#isAway = true;
    // Whoever pulls the cable leaves the power on; ports end with the power otherwise.
    this.#hasPower = this.#isUnplugged || isThinglineError(error, "SERIAL_PORT_UNPLUGGED");
    this.#isUnplugged = false;
    this.#coming = this.#comeBack().catch((failure: unknown) => {
      if (!this.#closing.signal.aborted) this.#events.failed(failure);
    });
  }

  async #comeBack(): Promise<void> {
    const [hasPower, backAfterMs] = [this.#hasPower, this.#backAfterMs];
    const { signal } = this.#closing;
    for (const { joint } of this.#doors) joint.close();
    await Promise.all(this.#doors.map((door) => door.pullOut()));
    this.#events.wentAway({ hasPower, backAfterMs });
    await this.#adapters.clock.sleep(backAfterMs, { signal });
    if (!hasPower) await this.#bootAgain();
    signal.throwIfAborted();
    await this.#plugIn();
    this.#backAfterMs = this.#options.backAfterMs;
    this.#events.cameBack(this.place);
  }

  async #bootAgain(): Promise<void> {
    this.#conditions = this.modem.conditions;
    await this.#application?.close();
    await this.modem.closed;
    for (;;) {
      try {
        return await this.#boot();
      } catch (error) {
        // Without power the folder is free, and another command may have it for a moment.
        if (!isThinglineError(error, "LOCKED")) throw error;
        await this.#adapters.clock.sleep(lockedRetryMs, { signal: this.#closing.signal });
      }
    }
  }
}

const lockedRetryMs = 500;

/** None for a name that is not known. */
async function lookUpHost(host: string, { family }: { family: 4 | 6 | undefined }): Promise<string[]> {
  try {
    return (await lookup(host, { all: true, family: family ?? 0 })).map(({ address }) => address);
  } catch {
    return [];
  }
}
