import {
  checkOptionTypes,
  isThinglineError,
  optionInvalid,
  type OptionTypes,
  ThinglineError,
} from "@thingline/protocol";
import type { Connection } from "@thingline/transport";
import { noiseBytes } from "../simulator/at-port.js";
import type { SimulatedModem } from "../simulator/simulated-modem.js";
import { frameForwarded } from "./answer.js";
import type { SerialModemApplication } from "./application.js";
import type { SerialModemInformation, SerialModemReply } from "./command.js";
import { failed } from "./command.js";
import { type CommandForms, commandsOf, parseCommand, perform } from "./command-table.js";
import type { SerialModemDialect, SerialModemTraits } from "./dialect.js";
import type {
  SerialModemBootMode,
  SerialModemDialTarget,
  SerialModemFeatureParts,
  SerialModemServices,
  SerialModemStorage,
} from "./feature.js";
import { serialModemFeatures } from "./features.js";
import { makeGeneralCommands } from "./general.js";
import { type Outcome, SerialHost } from "./host.js";
import { timeLimitMsMin } from "./line-time.js";
import { dialNativeTls } from "./native-tls.js";
import {
  defaultBaudRate,
  type SerialModemCounters,
  type SerialModemOptions,
  type SerialModemPortOptions,
} from "./options.js";
import { SerialLine } from "./serial-line.js";

const portTypes = { bytesPerSecond: "number" } as const satisfies OptionTypes<SerialModemPortOptions>;

/** Slowest and fastest pace of a line. */
const paceRange = { lowest: 10, highest: 100_000_000 };

/** Said at every start. */
export const banner = "Ready";
/** One application in its life: starts, restarts, sleep, end. */
export class RunningApplication implements SerialModemApplication {
  readonly modem: SimulatedModem;
  readonly counters: SerialModemCounters = { lostBytes: 0, droppedNotifications: 0 };
  readonly closed: Promise<void>;
  readonly #traits: SerialModemTraits;
  readonly #options: SerialModemOptions;
  readonly #line: SerialLine;
  readonly #host: SerialHost;
  readonly #services: SerialModemServices;
  readonly #features: SerialModemFeatureParts[];
  readonly #commands: CommandForms;
  readonly #unsubscribe: (() => void)[];
  #life: "on" | "starting" | "idle" | "asleep" | "closed" = "starting";
  /** What was started in place of the application. */
  #bootMode: SerialModemBootMode | undefined;
  /** Nobody was on the line when the application started. */
  #isBannerDue = false;
  #isEnding = false;
  #end: ThinglineError | undefined;
  #resolveClosed: () => void = () => undefined;

  constructor(
    modem: SimulatedModem,
    options: SerialModemOptions,
    traits: SerialModemTraits,
    storage: SerialModemStorage,
  ) {
    const { clock } = options;
    const { counters } = this;
    this.modem = modem;
    this.#options = options;
    this.#traits = traits;
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve));
    this.#line = new SerialLine({
      clock,
      counters,
      onData: (bytes) => this.#host.receive(bytes),
      onRoom: () => this.#lineChanged(),
    });
    this.#host = new SerialHost({
      clock,
      traits,
      options,
      counters,
      line: this.#line,
      execute: (text) => this.#execute(text),
      timeLimitMs: () => this.#services.timeLimitMs ?? timeLimitMsMin(this.#services.baudRate),
      onFree: () => this.#lineChanged(),
      onFault: (error) => this.#onFault(error),
    });
    this.#services = this.#makeServices(storage);
    const general: SerialModemFeatureParts = {
      commands: makeGeneralCommands(this.#services, () => this.#commandNames()),
    };
    this.#features = [general, ...serialModemFeatures.map((make) => make(this.#services))];
    this.#commands = commandsOf(
      this.#features.flatMap(({ commands }) => commands),
      traits.dialect,
    );
    this.#unsubscribe = [
      modem.onNotification((line) => this.#host.notify(line, { isOfModem: true })),
      modem.onUnplug(() => {
        this.#line.destroy(new ThinglineError("SERIAL_PORT_UNPLUGGED", "the simulated serial modem was unplugged"));
      }),
      modem.onNoise((noise) => this.#line.send(noiseBytes(noise))),
      modem.onReset(() => {
        if (this.#life !== "on") return;
        this.#tellFault(0x1, 0);
        this.#tellRecovery();
      }),
    ];
    void modem.closed.then(() => this.#finish());
  }

  get dialect(): SerialModemDialect {
    return this.#traits.dialect;
  }

  openPort(options: SerialModemPortOptions = {}): Connection {
    checkOptionTypes(options, portTypes, { of: "openPort()" });
    const { bytesPerSecond } = options;
    if (bytesPerSecond !== undefined && !(bytesPerSecond >= paceRange.lowest && bytesPerSecond <= paceRange.highest)) {
      throw optionInvalid(
        "bytesPerSecond",
        `a number from ${paceRange.lowest} to ${paceRange.highest}`,
        bytesPerSecond,
      );
    }
    if (this.#end !== undefined) throw this.#end;
    const port = this.#line.open(options);
    if (this.#isBannerDue) {
      this.#sayBanner();
      void this.#tellBooted().catch((error: unknown) => this.#onFault(error));
    }
    return port;
  }

  crashModem({ reason = 0x1, programCounter = 0 }: { reason?: number; programCounter?: number } = {}): void {
    if (this.#life !== "on") return;
    this.#tellFault(reason, programCounter);
    void this.#startModem()
      .then(() => this.#tellRecovery())
      .catch((error: unknown) => this.#onFault(error));
  }

  async wake(): Promise<void> {
    if (this.#life === "asleep") await this.boot();
    // Everything but the line went on meanwhile.
    else if (this.#life === "idle") await this.#goOn();
  }

  async close(): Promise<void> {
    await this.#finish(new ThinglineError("CLOSED", "the simulated serial modem was closed"));
    await this.closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Starts, or starts again: features are told, and the banner is sent. */
  async boot(): Promise<void> {
    this.#life = "starting";
    this.#bootMode = undefined;
    for (const feature of this.#features) this.#bootMode ??= await feature.starting?.();
    if (!this.#isEnding) await this.#goOn();
  }

  async #goOn(): Promise<void> {
    this.#life = "on";
    this.#host.start();
    if (this.#line.portCount === 0) this.#isBannerDue = true;
    else {
      this.#sayBanner();
      await this.#tellBooted();
    }
  }

  #sayBanner(): void {
    this.#isBannerDue = false;
    this.#line.send(new TextEncoder().encode(`${this.#bootMode?.banner ?? banner}\r\n`));
  }

  /** What features have to say of the time before, behind the banner: when somebody is there to hear it. */
  async #tellBooted(): Promise<void> {
    if (this.#bootMode !== undefined) return;
    for (const feature of this.#features) await feature.booted?.();
  }

  async #stopFeatures(): Promise<void> {
    this.#life = "starting";
    this.#host.stop();
    for (const feature of this.#features) await feature.stop?.();
  }

  async #restart(): Promise<void> {
    if (this.#life !== "on") return;
    await this.#stopFeatures();
    await this.#switchModemOff();
    await this.#startModem();
    this.#services.timeLimitMs = undefined;
    if (!this.#isEnding) await this.boot();
  }

  async #sleep(depth: "idle" | "deep"): Promise<void> {
    if (this.#life !== "on") return;
    if (depth === "idle") this.#host.stop();
    else {
      await this.#stopFeatures();
      await this.#switchModemOff();
    }
    if (!this.#isEnding) this.#life = depth === "idle" ? "idle" : "asleep";
  }

  #tellFault(reason: number, programCounter: number): void {
    this.#host.notify(`#XMODEM: FAULT,0x${reason.toString(16)},0x${programCounter.toString(16)}`);
    for (const feature of this.#features) feature.modemLost?.();
  }

  #tellRecovery(): void {
    for (const event of ["SHUTDOWN", "INIT"]) this.#host.notify(`#XMODEM: ${event},0`);
  }

  /** The modem's library is initialised again. */
  async #restartModem(): Promise<void> {
    for (const feature of this.#features) feature.modemLost?.();
    await this.#switchModemOff();
    await this.#startModem();
  }

  async #startModem(): Promise<void> {
    try {
      await this.modem.restart();
    } catch (error) {
      // It may have ended meanwhile, and the application with it.
      if (!isThinglineError(error, "CLOSED") && !isThinglineError(error, "CONNECTION_LOST")) throw error;
    }
  }

  async #switchModemOff(): Promise<void> {
    try {
      await this.modem.at("AT+CFUN=0");
    } catch (error) {
      // A modem that lost its power, or an answer that a behaviour lost.
      if (!isThinglineError(error)) throw error;
    }
  }

  async #execute(text: string): Promise<Outcome> {
    const command = parseCommand(text);
    if (command === undefined) return failed();
    if (this.#bootMode?.commands.includes(command.name) === false) return failed();
    const forms = this.#commands.get(command.name);
    if (forms !== undefined) return perform(forms, command);
    return command.name.startsWith("#") ? failed() : this.#forward(text);
  }

  /** To the modem, whose answer gets the application's framing. */
  async #forward(text: string): Promise<Outcome> {
    try {
      return { type: "forwarded", bytes: frameForwarded(await this.modem.at(text)) };
    } catch (error) {
      // A behaviour of the modem lost the answer: nothing comes.
      if (isThinglineError(error, "TIMEOUT")) return { type: "silent" };
      throw error;
    }
  }

  #commandNames(): string[] {
    return [...this.#commands.keys()];
  }

  #makeServices(storage: SerialModemStorage): SerialModemServices {
    const [host, line, options] = [this.#host, this.#line, this.#options];
    return {
      options,
      traits: this.#traits,
      modem: this.modem,
      clock: options.clock,
      random: options.random,
      storage,
      get isInDataMode() {
        return host.isInDataMode;
      },
      get isLineFree() {
        return host.isFree;
      },
      get hasLineRoom() {
        return line.hasRoom;
      },
      timeLimitMs: undefined,
      baudRate: options.baudRate ?? defaultBaudRate,
      notify: (information: SerialModemInformation) => host.notify(information),
      sendRaw: (bytes) => host.sendRaw(bytes),
      setEcho: (echoes) => host.setEcho(echoes),
      leaveDataMode: (result) => host.leaveDataMode(result),
      dial: (target, { signal } = {}) => this.#dial(target, signal),
      refuse: (what: string): SerialModemReply => {
        options.onUnsupported?.(what);
        return failed();
      },
      restart: () => this.#restart(),
      sleep: (depth) => this.#sleep(depth),
      restartModem: async () => {
        await this.#restartModem();
        for (const feature of this.#features) await feature.modemRestarted?.();
      },
    };
  }

  #dial(target: SerialModemDialTarget, signal: AbortSignal | undefined): Promise<Connection> {
    const { host, port, secTag, serverName, family, isResumable = false } = target;
    const options = signal === undefined ? {} : { signal };
    const place = { host, port, ...(family !== undefined && { family }) };
    if (secTag === undefined) return this.modem.dialer.dial(place, options);
    if (this.#options.hasNativeTls === true) return dialNativeTls(this.modem, target, options);
    const handshake = isResumable ? "resume" : "full";
    const secure = { ...place, secTag, handshake, ...(serverName !== undefined && { serverName }) } as const;
    return this.modem.secTagDialer.dial(secure, options);
  }

  #lineChanged(): void {
    if (this.#life !== "on") return;
    for (const feature of this.#features) feature.lineChanged?.();
  }

  #onFault(error: unknown): void {
    // A disk that cannot be written is told to the host; anything else is a bug and must not be hidden.
    if (!isThinglineError(error)) throw error;
    this.#line.destroy(error);
  }

  /** @param reason Undefined: the modem ended. */
  async #finish(reason?: ThinglineError): Promise<void> {
    if (this.#isEnding) return;
    this.#isEnding = true;
    this.#end = reason ?? (await this.#endOfModem());
    await this.#stopFeatures();
    this.#life = "closed";
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#line.destroy(reason === undefined ? this.#end : undefined);
    this.#resolveClosed();
  }

  /** Why it ended: it was closed, or its power went away. */
  async #endOfModem(): Promise<ThinglineError> {
    const error = await this.modem.at("AT").then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    return isThinglineError(error) ? error : new ThinglineError("CLOSED", "the simulated modem was closed");
  }
}
