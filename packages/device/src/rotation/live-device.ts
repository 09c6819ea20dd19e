import { ThinglineError } from "@thingline/protocol";
import type { Clock, LinkControl } from "@thingline/transport";
import type { Device } from "../device.js";
import type { DeviceSubscription } from "../topics/subscription.js";

/** The longest that one attempt to connect may take. */
export const rotationConnectTimeoutMs = 60_000;

/**
 * The application's own device, as the provisioning flow borrows it: the same client with the same session, subscriptions and queues, which
 * only changes its security tag. So a rotation costs a reconnect, and nothing that waits is lost.
 */
export class LiveDevice {
  readonly #device: Device;
  readonly #clock: Clock;
  /** The tag of the current connection, or of the last one. */
  #secTag: number | undefined;
  #borrowed: BorrowedDevice | undefined;

  constructor(device: Device, clock: Clock) {
    this.#device = device;
    this.#clock = clock;
  }

  get isReady(): boolean {
    return this.#device.state === "ready";
  }

  /** What an application that had connected by itself used. */
  assumeTag(secTag: number): void {
    this.#secTag = secTag;
  }

  /** Connects with a tag, unless the device is connected with it. One attempt. @throws {ThinglineError} as {@link Device.connect} */
  async connect(secTag: number, signal?: AbortSignal): Promise<void> {
    if (this.isReady && this.#secTag === secTag) return;
    await this.disconnect();
    await this.#attempt(secTag, signal);
  }

  /** The same for the provisioning flow, which closes what it gets. */
  async borrow(secTag: number, signal?: AbortSignal): Promise<Device> {
    await this.#borrowed?.giveBack();
    await this.connect(secTag, signal);
    this.#borrowed = new BorrowedDevice(this.#device);
    return this.#borrowed.face;
  }

  /** The connection that was borrowed goes on as the application's. */
  async giveBack(): Promise<void> {
    await this.#borrowed?.giveBack();
    this.#borrowed = undefined;
  }

  /** Idle after this; the session stays at the cloud. */
  async disconnect(): Promise<void> {
    const { state } = this.#device;
    if (state !== "idle" && state !== "closed") await this.#device.disconnect();
  }

  /** A link that goes offline takes no connection with it that it was not told of. */
  over(link: LinkControl): LinkControl {
    return {
      connect: (options) => link.connect(options),
      normal: () => link.normal(),
      powerOff: () => link.powerOff(),
      offline: async () => {
        await this.disconnect();
        await link.offline();
      },
    };
  }

  /** A device that was told to go on after a failed attempt, without end: here the first one counts. */
  async #attempt(secTag: number, signal: AbortSignal | undefined): Promise<void> {
    const device = this.#device;
    const stop = new AbortController();
    let failure: ThinglineError | undefined;
    const fail = ({ error }: { error?: ThinglineError | undefined }): void => {
      if (error === undefined || failure !== undefined) return;
      failure = error;
      stop.abort();
    };
    const abort = (): void => stop.abort();
    const offs = [device.on("connecting", fail), device.on("disconnected", fail)];
    const timer = this.#clock.setTimer(rotationConnectTimeoutMs, () => {
      fail({
        error: new ThinglineError("TIMEOUT", `the device was not ready within ${rotationConnectTimeoutMs / 1000} s`),
      });
    });
    signal?.addEventListener("abort", abort, { once: true });
    try {
      if (signal?.aborted === true) throw new ThinglineError("ABORTED", "connecting was aborted");
      this.#secTag = secTag;
      await device.connect({ secTag, signal: stop.signal });
    } catch (error) {
      throw failure ?? error;
    } finally {
      timer.cancel();
      signal?.removeEventListener("abort", abort);
      for (const off of offs) off();
    }
  }
}

/** One connection of a device, as somebody sees it who was given it: its listeners and subscriptions end with it. */
class BorrowedDevice {
  readonly face: Device;
  readonly #offs: (() => void)[] = [];
  readonly #subscriptions: DeviceSubscription[] = [];

  constructor(device: Device) {
    const end = async (): Promise<void> => {
      await this.giveBack();
      if (device.state !== "idle" && device.state !== "closed") await device.disconnect();
    };
    // Whatever is not named here is the device's own, with the device as `this`.
    const own: Partial<Device> = {
      on: (name, listener) => {
        const off = device.on(name, listener);
        this.#offs.push(off);
        return off;
      },
      subscribe: async (...args: unknown[]) => {
        const subscribe = device.subscribe.bind(device) as (...all: unknown[]) => Promise<DeviceSubscription>;
        const subscription = await subscribe(...args);
        this.#subscriptions.push(subscription);
        return subscription;
      },
      disconnect: end,
      close: end,
      [Symbol.asyncDispose]: end,
    };
    this.face = new Proxy(device, {
      get(target, name) {
        const given: unknown = Reflect.get(own, name) ?? Reflect.get(target, name, target);
        return typeof given === "function" && !Object.hasOwn(own, name) ? (given.bind(target) as unknown) : given;
      },
    });
  }

  async giveBack(): Promise<void> {
    for (const off of this.#offs.splice(0)) off();
    // The session outlives the connection, and with it what was subscribed to.
    for (const subscription of this.#subscriptions.splice(0)) await subscription?.close().catch(() => undefined);
  }
}
