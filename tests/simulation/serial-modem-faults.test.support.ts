// A device behind a serial modem to which a seed does everything that happens on a bench: bytes lost and made up on the line, a modem that
// crashes, a link that goes, a server that closes, power that is cut, a cable that is pulled. What must not happen is collected in `violations`.
import { createDevice, type Device } from "@thingline/device";
import {
  createLinkControl,
  createModemCredentialStore,
  keepLinkAfterRestarts,
  type LteLinkControl,
  type ModemSession,
  openModemSession,
  openSerialModemSockets,
  type SerialModemDialect,
  type SerialModemSockets,
} from "@thingline/modem";
import {
  createSerialModemApplication,
  createSimulatedModem,
  type SerialModemApplication,
  type SimulatedModem,
} from "@thingline/modem/simulator";
import { isThinglineError, ThinglineError } from "@thingline/protocol";
import type { Random, SecTagDialer } from "@thingline/transport";
import { createVirtualFiles, createVirtualRandom, type VirtualFiles } from "@thingline/transport/virtual";
import type { ProvisioningHouse } from "./provisioning-world.test.support.js";
import { untilDone } from "./rotation-world.test.support.js";
import { DisturbedLine } from "./serial-line-faults.test.support.js";
import { deviceTag } from "./serial-modem-world.test.support.js";

const messagesMax = 24;
const betweenMessagesMs = 400;
const faultsMax = 4;
/** Whatever went wrong is over by then. */
const recoveryLimitMs = 15 * 60_000;
const dialects = ["slm-1.x", "slm-2.x", "serialModem"] as const satisfies readonly SerialModemDialect[];
const bytesPerSecond = 100_000;
const lte = { searchMs: 200, attachMs: 100, detachMs: 50 };

export interface SerialWorldRun {
  violations: string[];
  trace: string[];
  acknowledged: number;
}

/** Credentials for all worlds: what they do is told apart by topic. */
export interface SerialFaultHouse extends ProvisioningHouse {
  credentials: { ca: string; certificate: string; privateKey: string };
}

export async function prepareSerialHouse(house: ProvisioningHouse): Promise<SerialFaultHouse> {
  const { cloud, clock } = house;
  const { registry } = cloud;
  const make = async () => {
    const made = await cloud.run(registry.createKeysAndCertificate, { setAsActive: true });
    const everything = { Effect: "Allow", Action: "iot:*", Resource: "*" };
    const policyDocument = JSON.stringify({ Version: "2012-10-17", Statement: [everything] });
    await cloud.run(registry.createPolicy, { policyName: "everything", policyDocument });
    await cloud.run(registry.attachPolicy, { policyName: "everything", target: made.certificateArn ?? "" });
    return { ca: cloud.caPem, certificate: made.certificatePem ?? "", privateKey: made.keyPair?.PrivateKey ?? "" };
  };
  return { ...house, credentials: await untilDone(clock, make()) };
}

export async function runSerialWorld(house: SerialFaultHouse, seed: string): Promise<SerialWorldRun> {
  return new SerialWorld(house, seed).run();
}

interface Host {
  line: DisturbedLine;
  session: ModemSession;
  sockets: SerialModemSockets;
  link: LteLinkControl;
}

class SerialWorld {
  readonly #house: SerialFaultHouse;
  readonly #seed: string;
  readonly #random: Random;
  readonly #dialect: SerialModemDialect;
  readonly #violations: string[] = [];
  readonly #trace: string[] = [];
  readonly #received = new Set<string>();
  readonly #acknowledged = new Set<string>();
  readonly #startMs: number;
  #files: VirtualFiles;
  #modem: SimulatedModem | undefined;
  #application: SerialModemApplication | undefined;
  #host: Host | undefined;
  #isOver = false;
  readonly #ended = new AbortController();

  constructor(house: SerialFaultHouse, seed: string) {
    this.#house = house;
    this.#seed = seed;
    this.#random = createVirtualRandom(seed);
    this.#dialect = dialects[this.#random.integer(dialects.length)] ?? "serialModem";
    this.#startMs = house.clock.monotonicMs();
    this.#files = createVirtualFiles({ random: createVirtualRandom(`${seed} files`) });
  }

  async run(): Promise<SerialWorldRun> {
    const { clock } = this.#house;
    await untilDone(clock, this.#powerOn());
    await untilDone(clock, this.#writeCredentials());
    const listener = this.#createListener();
    await untilDone(clock, listener.connect());
    await untilDone(clock, this.#listen(listener));
    const device = this.#createDevice();
    const operating = this.#operate();
    const isDone = this.#work(device);
    await untilDone(clock, Promise.race([isDone, this.#tooLate()]), { limitMs: 2 * recoveryLimitMs, stepMs: 20 });
    this.#isOver = true;
    this.#ended.abort();
    await untilDone(clock, Promise.all([device.close(), listener.close()]), { stepMs: 20 });
    await untilDone(clock, this.#switchOff(), { stepMs: 20 });
    await untilDone(clock, operating, { stepMs: 20 });
    for (const id of this.#acknowledged) {
      if (!this.#received.has(id)) this.#violations.push(`message ${id} was acknowledged and never came`);
    }
    return { violations: this.#violations, trace: this.#trace, acknowledged: this.#acknowledged.size };
  }

  // ---- the board and its host --------------------------------------------------------------------------------------

  async #powerOn(): Promise<void> {
    const { clock, network, keys } = this.#house;
    const random = createVirtualRandom(`${this.#seed} board`);
    const options = { network, clock, keys, random, lte, files: this.#files, folder: "/modem" };
    this.#modem = await createSimulatedModem(options);
    const baudRate = 1_000_000;
    this.#application = await createSerialModemApplication(this.#modem, {
      clock,
      random,
      dialect: this.#dialect,
      baudRate,
    });
  }

  async #writeCredentials(): Promise<void> {
    const { clock, keys, credentials } = this.#house;
    const session = openModemSession(this.#requireApplication().openPort(), { clock });
    await session.probe();
    const store = createModemCredentialStore(session, { keys });
    await store.write(deviceTag, "ca", credentials.ca);
    await store.write(deviceTag, "certificate", credentials.certificate);
    await store.write(deviceTag, "privateKey", credentials.privateKey);
    await session.close();
  }

  #requireApplication(): SerialModemApplication {
    if (this.#application === undefined) throw new ThinglineError("CLOSED", "the board has no power");
    return this.#application;
  }

  /** What a gateway does: opens the port, and opens it again when it went away. */
  async #operate(): Promise<void> {
    const { clock } = this.#house;
    while (!this.#isOver) {
      const host = await this.#openHost().catch((error: unknown) => {
        if (!isThinglineError(error)) throw error;
        this.#note(`no host: ${error.code} ${error.message}`);
      });
      if (host === undefined) {
        await clock.sleep(1_000);
        continue;
      }
      this.#host = host;
      await host.session.closed;
      this.#host = undefined;
      await host.sockets.close();
      host.link.close();
      await clock.sleep(500);
    }
  }

  async #openHost(): Promise<Host> {
    const { clock } = this.#house;
    const line = new DisturbedLine(this.#requireApplication().openPort({ bytesPerSecond }), this.#random);
    const session = openModemSession(line.connection, { clock });
    try {
      const sockets = await openSerialModemSockets(session, { clock });
      const control = createLinkControl(session, { clock, networkTimeoutMs: 30_000 });
      const link = keepLinkAfterRestarts(session, control, { clock });
      // Whoever dials before it is registered is told so, and tries again.
      void this.#connectLink(link, session);
      return { line, session, sockets, link };
    } catch (error) {
      await session.close();
      throw error;
    }
  }

  async #connectLink(link: LteLinkControl, session: ModemSession): Promise<void> {
    let isOpen = true;
    void session.closed.then(() => (isOpen = false));
    while (isOpen && !this.#isOver) {
      const isConnected = await link.connect().then(
        () => true,
        () => false,
      );
      if (isConnected) return;
      await this.#house.clock.sleep(1_000);
    }
  }

  async #switchOff(): Promise<void> {
    await this.#host?.sockets.close();
    this.#host?.link.close();
    await this.#host?.session.close();
    await this.#application?.close();
    await this.#modem?.close();
  }

  // ---- what it is for ----------------------------------------------------------------------------------------------

  #createDevice(): Device {
    const { clock } = this.#house;
    const secTagDialer: SecTagDialer = {
      name: "modem TLS",
      receivedRecordBytesMax: 2_048,
      dial: async (target, options) => {
        const host = this.#host;
        if (host === undefined) throw new ThinglineError("CONNECTION_LOST", "no port is open");
        return host.sockets.secTagDialer.dial(target, options);
      },
    };
    return createDevice({
      ...{ host: "localhost", port: 8883, clientId: `serial-${this.#seed}`, clock, secTagDialer, secTag: deviceTag },
      random: createVirtualRandom(`${this.#seed} device`),
      keepAliveSeconds: 30,
      offlineQueue: {},
      reconnect: { baseMs: 200, capMs: 5_000 },
      on: {
        disconnected: ({ reason, error }) => this.#note(`disconnected ${reason} ${error?.message ?? ""}`),
        connecting: ({ error }) => error && this.#note(`connecting ${error.code} ${error.message}`),
        connected: () => this.#note("connected"),
      },
    });
  }

  /** Sees what arrives at the cloud, over a network without faults. */
  #createListener(): Device {
    const { clock, network, credentials } = this.#house;
    const { ca, certificate, privateKey } = credentials;
    return createDevice({
      ...{ host: "localhost", port: 8883, clientId: `listener-${this.#seed}`, clock, dialer: network },
      random: createVirtualRandom(`${this.#seed} listener`),
      tls: { ca, certificate, privateKey },
    });
  }

  async #listen(listener: Device): Promise<void> {
    const messages = await listener.subscribe(`serial/${this.#seed}`);
    void (async () => {
      for await (const { payload } of messages) {
        const text = new TextDecoder().decode(payload);
        this.#received.add(text.slice(0, text.indexOf(":")));
      }
    })();
  }

  async #work(device: Device): Promise<void> {
    const { clock } = this.#house;
    void this.#connect(device);
    const publishing: Promise<void>[] = [];
    const faultAt = this.#drawFaults();
    for (let index = 0; index < messagesMax; index++) {
      for (const fault of faultAt.get(index) ?? []) await fault();
      publishing.push(this.#publish(device, String(index)));
      await clock.sleep(this.#random.integer(2 * betweenMessagesMs));
    }
    this.#host?.line.calm();
    await Promise.all(publishing);
    // Nothing disturbs it any more: it works, if not at the first try.
    while (!this.#acknowledged.has("last") && !this.#isOver) await this.#publish(device, "last");
    await clock.sleep(1_000);
  }

  /** Until it has worked once; from then on the device connects again by itself. */
  async #connect(device: Device): Promise<void> {
    while (!this.#isOver) {
      const isConnected = await device.connect().then(
        () => true,
        () => false,
      );
      if (isConnected) return;
      await this.#house.clock.sleep(500);
    }
  }

  async #publish(device: Device, id: string): Promise<void> {
    const length = [10, 100, 1_500, 3_000][this.#random.integer(4)] ?? 10;
    const filler = this.#random.integer(2) === 0 ? "+" : "x";
    try {
      await device.publish(`serial/${this.#seed}`, `${id}:${filler.repeat(length)}`, { qos: 1 });
      this.#acknowledged.add(id);
    } catch (error) {
      if (!isThinglineError(error)) throw error;
      this.#note(`message ${id}: ${error.code} ${error.message}`);
      // Not acknowledged in time, and said so: nothing else may become of a message.
      if (error.code !== "TIMEOUT") this.#violations.push(`message ${id} failed: ${error.code}`);
    }
  }

  async #tooLate(): Promise<void> {
    await this.#house.clock.sleep(recoveryLimitMs, { signal: this.#ended.signal }).catch(() => undefined);
    if (!this.#isOver) this.#violations.push("no end");
  }

  // ---- faults ------------------------------------------------------------------------------------------------------

  #drawFaults(): Map<number, (() => Promise<void> | void)[]> {
    const faults = new Map<number, (() => Promise<void> | void)[]>();
    const count = 1 + this.#random.integer(faultsMax);
    for (let drawn = 0; drawn < count; drawn++) {
      const at = 2 + this.#random.integer(messagesMax - 4);
      faults.set(at, [...(faults.get(at) ?? []), this.#drawFault()]);
    }
    return faults;
  }

  #drawFault(): () => Promise<void> | void {
    const bytes = 1 + this.#random.integer(60);
    const kinds: [name: string, act: () => Promise<void> | void][] = [
      ["lose to host", () => this.#host?.line.disturb({ on: "toHost", do: "lose", bytes })],
      ["lose to modem", () => this.#host?.line.disturb({ on: "toModem", do: "lose", bytes })],
      ["noise to host", () => this.#host?.line.disturb({ on: "toHost", do: "noise", bytes })],
      ["noise to modem", () => this.#host?.line.disturb({ on: "toModem", do: "noise", bytes })],
      ["modem crash", () => this.#application?.crashModem()],
      ["no coverage", () => this.#loseCoverage(500 * bytes)],
      ["link off", () => this.#linkOff()],
      ["unplugged", () => this.#host?.line.connection.destroy()],
      ["power cut", () => this.#cutPower(100 * bytes)],
    ];
    const [name, act] = kinds[this.#random.integer(kinds.length)] ?? kinds[0]!;
    return () => {
      this.#note(`fault: ${name} ${bytes}`);
      return act();
    };
  }

  #loseCoverage(forMs: number): void {
    const modem = this.#modem;
    if (modem === undefined) return;
    modem.apply({ set: { hasCoverage: false } });
    const sleeping = this.#house.clock.sleep(forMs, { signal: this.#ended.signal }).catch(() => undefined);
    void sleeping.then(() => {
      if (this.#modem === modem && !this.#isOver) modem.apply({ set: { hasCoverage: true } });
    });
  }

  /** Somebody takes the modem offline and online again, as for writing credentials. */
  async #linkOff(): Promise<void> {
    const host = this.#host;
    await host?.link.offline().catch(() => undefined);
    if (host !== undefined) void this.#connectLink(host.link, host.session);
  }

  async #cutPower(forMs: number): Promise<void> {
    this.#files.cutPower();
    this.#modem?.cutPower();
    [this.#modem, this.#application] = [undefined, undefined];
    await this.#house.clock.sleep(forMs);
    this.#files = this.#files.restart();
    await this.#powerOn();
  }

  #note(line: string): void {
    this.#trace.push(`${Math.round(this.#house.clock.monotonicMs() - this.#startMs)} ${line}`);
  }
}
