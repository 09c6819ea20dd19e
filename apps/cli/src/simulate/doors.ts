import { ThinglineError } from "@thingline/protocol";
import type { Clock, Connection, Endpoint, Files, Listener, Network } from "@thingline/transport";
import { openPty, type Pty } from "../pty.js";
import { makePortLink, type PortLink } from "./port-link.js";
import type { PortJoint } from "./port-joint.js";

/** Of one TCP door: its host, and those that are being turned away. More are not let in at all. */
export const hostsAtOnceMax = 16;

/** How hosts get to one port of a simulated modem. Plugged in and pulled out any number of times; closed once. */
export interface Door {
  readonly kind: "pty" | "tcp";
  readonly joint: PortJoint;
  /** Where hosts find it now. */
  readonly place: DoorPlace;
  plugIn(): Promise<void>;
  /** A host that is there loses its port at once. */
  pullOut(): Promise<void>;
  close(): Promise<void>;
}

export interface DoorPlace {
  pty?: string;
  link?: string;
  tcp?: string;
}

/** Of hosts that come by TCP, by address and port. */
export interface DoorEvents {
  hostCame(remote: string): void;
  hostLeft(remote: string): void;
  /** There is a host already, or the board is away. */
  hostRefused(remote: string): void;
}

export interface PtyDoorOptions {
  clock: Clock;
  files: Files;
  joint: PortJoint;
  /** A name for it that stays. */
  link?: string | undefined;
  /** See `makePortLink`. */
  recordFile: string;
}

/** A pseudo-terminal, another one each time it is plugged in; the link leads to the newest. */
export class PtyDoor implements Door {
  readonly kind = "pty";
  readonly joint: PortJoint;
  readonly #options: PtyDoorOptions;
  #pty: Pty | undefined;
  #link: PortLink | undefined;

  constructor(options: PtyDoorOptions) {
    this.#options = options;
    this.joint = options.joint;
  }

  get place(): DoorPlace {
    const [pty, link] = [this.#pty, this.#link];
    return { ...(pty && { pty: pty.path }), ...(link && { link: link.path }) };
  }

  async plugIn(): Promise<void> {
    const { clock, files, link, recordFile } = this.#options;
    const pty = await openPty({ clock });
    try {
      if (link !== undefined) this.#link = await makePortLink({ path: link, target: pty.path, files, recordFile });
    } catch (error) {
      await pty.close();
      throw error;
    }
    this.#pty = pty;
    this.joint.attachHost(pty.connection, () => undefined);
  }

  async pullOut(): Promise<void> {
    const [pty, link] = [this.#pty, this.#link];
    this.#pty = undefined;
    this.#link = undefined;
    // The link first: a host that looks for the port again must not find a terminal that is going.
    await link?.remove();
    await pty?.close();
  }

  close(): Promise<void> {
    return this.pullOut();
  }
}

export interface TcpDoorOptions {
  network: Network;
  joint: PortJoint;
  host: string;
  /** 0: any. */
  port: number;
  events: DoorEvents;
}

/** A TCP port with one host at a time, as a serial line has it; others are turned away meanwhile. */
export class TcpDoor implements Door {
  readonly kind = "tcp";
  readonly joint: PortJoint;
  readonly #events: DoorEvents;
  #listener: Listener | undefined;
  #host: Connection | undefined;
  #isPluggedIn = false;

  private constructor({ joint, events }: TcpDoorOptions) {
    this.joint = joint;
    this.#events = events;
  }

  /** @throws {ThinglineError} PORT_IN_USE, OPTION_INVALID for an address that is not of this machine. */
  static async open(options: TcpDoorOptions): Promise<TcpDoor> {
    const door = new TcpDoor(options);
    const { network, host, port } = options;
    door.#listener = await network.listen({ host, port, connectionsMax: hostsAtOnceMax }, (connection) =>
      door.#accept(connection),
    );
    return door;
  }

  get place(): DoorPlace {
    if (this.#listener === undefined) return {};
    return { tcp: describeEndpoint(this.#listener.address) };
  }

  async plugIn(): Promise<void> {
    this.#isPluggedIn = true;
  }

  async pullOut(): Promise<void> {
    this.#isPluggedIn = false;
    const host = this.#host;
    host?.destroy(new ThinglineError("CONNECTION_LOST", "the simulated modem was unplugged"));
    await host?.closed;
  }

  async close(): Promise<void> {
    const listener = this.#listener;
    this.#listener = undefined;
    await this.pullOut();
    await listener?.close();
  }

  #accept(connection: Connection): void {
    const remote = describeEndpoint(connection.remote);
    if (!this.#isPluggedIn || this.joint.hasHost) {
      this.#events.hostRefused(remote);
      connection.start({ data: () => undefined, closed: () => undefined });
      // In order, and not by a reset, which a host may see as a port that nobody listens on.
      void connection.close();
      return;
    }
    this.#host = connection;
    this.#events.hostCame(remote);
    this.joint.attachHost(connection, () => {
      if (this.#host === connection) this.#host = undefined;
      this.#events.hostLeft(remote);
    });
  }
}

function describeEndpoint({ host, port }: Endpoint): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}
