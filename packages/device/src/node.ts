import { copyOptions, unreadableOption } from "@thingline/protocol";
import type { Clock, Dialer, Random } from "@thingline/transport";
import { createNodeClock, createNodeNetwork, createNodeRandom } from "@thingline/transport/node";
import { connectDeviceOptionTypes } from "./client/option-types.js";
import {
  connectDevice as connectDeviceWith,
  createDevice as createDeviceWith,
  type ConnectDeviceOptions,
  type Device,
  type DeviceEndpoint,
  type DeviceOptions,
  type DeviceSettings,
} from "./index.js";

/** How to reach the cloud, as in {@link DeviceOptions}: without a `secTagDialer` the dialer is Node's own network unless one is given. */
export type NodeDeviceCredentials =
  | Omit<Extract<DeviceOptions, { secTag: number }>, keyof DeviceSettings | "endpoint" | "host" | "port">
  | (Omit<
      Extract<DeviceOptions, { dialer: Dialer }>,
      keyof DeviceSettings | "endpoint" | "host" | "port" | "dialer"
    > & {
      dialer?: Dialer;
    });

/** {@link DeviceOptions} with the adapters of Node.js as defaults. */
export type NodeDeviceOptions = Omit<DeviceSettings, "clock" | "random"> & {
  /** Default: the system's. */
  clock?: Clock;
  /** Default: `node:crypto`. */
  random?: Random;
} & DeviceEndpoint &
  NodeDeviceCredentials;

export type NodeConnectDeviceOptions = NodeDeviceOptions & Pick<ConnectDeviceOptions, "signal">;

/** One set for all devices of a process, so that they share TLS contexts and buffers; made when it is first needed. */
let shared: { clock: Clock; random: Random; dialer: Dialer } | undefined;

function adapters(): { clock: Clock; random: Random; dialer: Dialer } {
  if (shared === undefined) {
    const clock = createNodeClock();
    shared = { clock, random: createNodeRandom(), dialer: createNodeNetwork({ clock }) };
  }
  return shared;
}

/** As `connectDevice()` of `@thingline/device`, with clock, randomness and network of Node.js unless others are given. */
export async function connectDevice(options: NodeConnectDeviceOptions): Promise<Device> {
  return connectDeviceWith(withDefaults(options) as ConnectDeviceOptions);
}

/** As `createDevice()` of `@thingline/device`, with clock, randomness and network of Node.js unless others are given. */
export function createDevice(options: NodeDeviceOptions): Device {
  return createDeviceWith(withDefaults(options) as DeviceOptions);
}

function withDefaults(options: NodeDeviceOptions): unknown {
  // What is no object is told by the check of all options.
  if (typeof options !== "object" || (options as unknown) === null || Array.isArray(options)) return options;
  const { clock, random, dialer } = adapters();
  try {
    const given: { secTagDialer?: unknown; clock?: unknown; random?: unknown; dialer?: unknown } = copyOptions(
      options as object,
      connectDeviceOptionTypes,
    );
    // A null was written by somebody who meant something else: it is told, and not replaced.
    if (given.clock === undefined) given.clock = clock;
    if (given.random === undefined) given.random = random;
    if (given.secTagDialer === undefined && given.dialer === undefined) given.dialer = dialer;
    return given;
  } catch (thrown) {
    throw unreadableOption(options, connectDeviceOptionTypes, thrown);
  }
}
