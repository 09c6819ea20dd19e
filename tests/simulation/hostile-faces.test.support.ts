// The other faces of the device library, each called against a server that does something wrong: what must settle.
import { createDevice, type DeviceOptions } from "@thingline/device";
import { createAwsIot } from "@thingline/device/aws-iot";
import { createMqttBackend } from "@thingline/device/backends";
import { provisionDevice } from "@thingline/device/provisioning";
import { isThinglineError } from "@thingline/protocol";
import { awsIotSettings, loadKconfig } from "@thingline/protocol/kconfig";
import type { CredentialStore, LinkControl, SecTagDialer } from "@thingline/transport";
import { createVirtualFiles, createVirtualKeys } from "@thingline/transport/virtual";

export interface Face {
  /** Whether the server behaves until {@link Ready} says so; else it is hostile from the first byte. */
  startsWell: boolean;
  /** Resolves with how each promise ended, and closes what it opened. `ready` makes the server hostile. */
  run: (options: DeviceOptions, ready: () => void) => Promise<string[]>;
}

const ended = async (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "done",
    (error: unknown) => {
      if (isThinglineError(error)) return error.code;
      throw error;
    },
  );

/** Where a security tag is asked for, the network of this world answers, whatever the tag. */
function secTagDialerOf(options: DeviceOptions): SecTagDialer {
  if (!("dialer" in options)) throw new Error("the world has a dialer");
  const { dialer } = options;
  return { name: "virtual TLS", dial: ({ host }, more) => dialer.dial({ host, port: 1883 }, more) };
}

/** An application that runs the connection itself, as the original's poll loop does. */
async function driven(options: DeviceOptions, ready: () => void): Promise<string[]> {
  const device = createDevice({ ...options, driver: "application", reconnect: false });
  const outcomes: Promise<string>[] = [ended(device.connect())];
  await outcomes[0];
  let isAsked = false;
  const connected = new Promise<void>((resolve) => device.on("ready", () => resolve()));
  void connected.then(() => {
    ready();
    isAsked = true;
    outcomes.push(ended(device.publish("a/b", "x")), ended(device.subscribe("c/d")), ended(device.unsubscribe("e/f")));
  });
  for (let turn = 0; turn < 1_000; turn++) {
    const timeoutMs = Math.min(device.keepAliveTimeLeftMs(), 60_000);
    const seen = await device.poll({ timeoutMs });
    if (seen === "invalid") break;
    try {
      if (seen === "timeout") device.ping();
      else device.input();
    } catch (error) {
      if (!isThinglineError(error, "CONNECTION_LOST")) throw error;
    }
    if (isAsked && device.state === "ready" && turn > 50) break;
  }
  outcomes.push(ended(device.disconnect()));
  const all = await Promise.all(outcomes);
  await device.close();
  return all;
}

async function awsIot(options: DeviceOptions, ready: () => void): Promise<string[]> {
  const text = 'CONFIG_AWS_IOT=y\nCONFIG_AWS_IOT_BROKER_HOST_NAME="localhost"\nCONFIG_AWS_IOT_SEC_TAG=43\n';
  const settings = awsIotSettings(loadKconfig([{ file: "prj.conf", text }]).config);
  const { clock, random } = options;
  const secTagDialer = secTagDialerOf(options);
  const library = createAwsIot(settings, { clock, random, secTagDialer }, { reconnect: {} });
  library.init({ clientId: "pump-7" }, () => undefined);
  const all = [await ended(library.connect())];
  ready();
  const send = (qos: 0 | 1) => ended(library.send({ topic: "a/b", payload: "x", qos }));
  all.push(
    ...(await Promise.all([send(1), send(0), ended(library.subscribe("c/d")), ended(library.unsubscribe("e"))])),
  );
  all.push(await ended(library.disconnect()), await ended(library.close()));
  return all;
}

async function backend(options: DeviceOptions, ready: () => void): Promise<string[]> {
  const { on, ...rest } = options;
  void on;
  const cloud = createMqttBackend(rest as Parameters<typeof createMqttBackend>[0]);
  await cloud.init(() => undefined);
  const all = [await ended(cloud.connect())];
  ready();
  const endpoint = { type: "message", topic: "a/b" } as const;
  const asked = [cloud.send({ endpoint, payload: "x", qos: 1 }), cloud.subscriptionsAdd([endpoint])];
  all.push(...(await Promise.all(asked.map(ended))));
  all.push(await ended(cloud.disconnect()), await ended(cloud.uninit()));
  return all;
}

/** What went into an offline queue settles with its expiry at the latest. */
async function offline(options: DeviceOptions, ready: () => void): Promise<string[]> {
  const device = createDevice({ ...options, offlineQueue: { expiresAfterMs: 600_000 } });
  const connecting = ended(device.connect());
  await connecting;
  ready();
  const published = [1, 2, 3].map((count) => ended(device.publish(`a/${count}`, "x")));
  const stored = ended(device.publish("a/4", "x", { until: "stored" }));
  const all = await Promise.all([connecting, ...published, stored]);
  all.push(await ended(device.close()));
  return all;
}

/** Messages that waited before the first connection go alone, and are given up by cuts or by their expiry. */
async function filled(options: DeviceOptions): Promise<string[]> {
  const reconnect = { firstAttempt: "retry" as const };
  const device = createDevice({ ...options, reconnect, offlineQueue: { expiresAfterMs: 1_200_000 } });
  const published = [1, 2].map((count) => ended(device.publish(`a/${count}`, "x")));
  const all = await Promise.all([ended(device.connect()), ...published]);
  all.push(await ended(device.close()));
  return all;
}

async function provisioned(options: DeviceOptions): Promise<string[]> {
  const { clock, random } = options;
  const contents = new Map<string, string>([
    ["43 ca", "x"],
    ["43 certificate", "x"],
    ["43 privateKey", "x"],
  ]);
  const store: CredentialStore = {
    write: async (tag, type, content) => void contents.set(`${tag} ${type}`, content),
    digest: async (tag, type) => (contents.has(`${tag} ${type}`) ? "00" : undefined),
    read: async (tag, type) => contents.get(`${tag} ${type}`),
    compare: async (tag, type, content) => contents.get(`${tag} ${type}`) === content,
    delete: async (tag, type) => void contents.delete(`${tag} ${type}`),
    exists: async (tag, type) => contents.has(`${tag} ${type}`),
    list: async () =>
      [...contents.keys()].map((key) => {
        const [tag, type] = key.split(" ");
        return { secTag: Number(tag), type: type as "ca", sha256: "00" };
      }),
  };
  const nothing = async (): Promise<void> => undefined;
  const link: LinkControl = { connect: nothing, offline: nothing, normal: nothing, powerOff: nothing };
  const flow = provisionDevice({
    ...{ host: "localhost", clientId: "pump-7", claimTag: 43, store, link, clock, random },
    dialer: secTagDialerOf(options),
    files: createVirtualFiles(),
    progressPath: "/progress.json",
    keys: createVirtualKeys({ random }),
    settings: { version: options.version ?? 4 },
  });
  return [await ended(flow)];
}

export const faces: Readonly<Record<string, Face>> = {
  "driver: application": { startsWell: true, run: driven },
  "driver: application, from the start": { startsWell: false, run: driven },
  "createAwsIot()": { startsWell: true, run: awsIot },
  "createAwsIot(), from the start": { startsWell: false, run: awsIot },
  "createMqttBackend()": { startsWell: true, run: backend },
  "createMqttBackend(), from the start": { startsWell: false, run: backend },
  "an offline queue": { startsWell: true, run: offline },
  "an offline queue, filled before": { startsWell: false, run: filled },
  "provisionDevice()": { startsWell: false, run: provisioned },
};
