// A device with two security tags and its rotation, against a cloud of {@link openRotationHouse}. No tests here.
import type { TestContext } from "node:test";
import {
  createDevice,
  createNativeCredentialStore,
  createNativeTlsDialer,
  type Device,
  type DeviceSettings,
} from "@thingline/device";
import {
  openRotation,
  type Rotation,
  type RotationEventName,
  type RotationEvents,
  type RotationOptions,
} from "@thingline/device/rotation";
import type { CredentialStore } from "@thingline/transport";
import { createVirtualFiles, createVirtualRandom, type VirtualFiles } from "@thingline/transport/virtual";
import {
  host,
  overlapMs,
  policyName,
  type RotationHouse,
  rotationTemplate,
  tags,
  untilDone,
} from "./rotation-world.test.support.js";

interface Told {
  name: RotationEventName;
  event: RotationEvents[RotationEventName];
}

export interface RotatingDevice {
  store: CredentialStore;
  /** Puts a new certificate of the thing into the first tag. @returns its id */
  manufacture: () => Promise<string>;
  thingName: string;
  files: VirtualFiles;
  device: Device;
  rotation: Rotation;
  told: Told[];
  told1: <Name extends RotationEventName>(name: Name) => RotationEvents[Name][];
  run: <Result>(work: Promise<Result>) => Promise<Result>;
  statusOf: (certificateId: string) => Promise<string>;
}

let count = 0;

/** A thing with a certificate in the first tag, and its device, not connected. */
export async function openRotatingDevice(
  { clock, cloud, keys, network }: RotationHouse,
  t: TestContext,
  more: Partial<RotationOptions> = {},
  from: Partial<Pick<RotatingDevice, "files" | "thingName">> & { settings?: Partial<DeviceSettings> } = {},
): Promise<RotatingDevice> {
  const thingName = from.thingName ?? `valve-${++count}`;
  const files = from.files ?? createVirtualFiles();
  const store = createNativeCredentialStore({ keys, files, folder: "/credentials" });
  const manufacture = async (): Promise<string> => {
    const { keyPair, ...made } = await clock.untilSettled(
      cloud.run(cloud.registry.createKeysAndCertificate, { setAsActive: true }),
    );
    const { certificateArn = "", certificateId = "", certificatePem = "" } = made;
    await clock.untilSettled(cloud.run(cloud.registry.attachPolicy, { policyName, target: certificateArn }));
    const attachment = { thingName, principal: certificateArn };
    await clock.untilSettled(cloud.run(cloud.registry.attachThingPrincipal, attachment));
    await store.write(tags[0], "ca", cloud.caPem);
    await store.write(tags[0], "certificate", certificatePem);
    await store.write(tags[0], "privateKey", keyPair?.PrivateKey ?? "");
    return certificateId;
  };
  if (from.files === undefined) {
    await clock.untilSettled(cloud.run(cloud.registry.createThing, { thingName }));
    await manufacture();
  }
  const random = createVirtualRandom(thingName);
  const device = createDevice({
    ...{ host, port: 8883, clientId: thingName, clock, random, isCleanSession: false },
    ...{ secTagDialer: createNativeTlsDialer({ dialer: network, store }), secTag: tags[0] },
    reconnect: { capMs: 5_000 },
    ...from.settings,
  });
  const told: Told[] = [];
  const tell =
    <Name extends RotationEventName>(name: Name) =>
    (event: RotationEvents[Name]): void =>
      void told.push({ name, event });
  const rotation = await openRotation(device, {
    ...{
      tags,
      store,
      method: { kind: "fleet", template: rotationTemplate, keys: "csr" },
      files,
      folder: "/rotation",
      keys,
      clock,
      random,
      overlapMs,
    },
    on: {
      rotationStarted: tell("rotationStarted"),
      rotated: tell("rotated"),
      rotationFailed: tell("rotationFailed"),
      oldCredentialsDeleted: tell("oldCredentialsDeleted"),
      wentBack: tell("wentBack"),
      certificateEnding: tell("certificateEnding"),
      error: tell("error"),
    },
    ...more,
  });
  t.after(async () => {
    await clock.until(rotation.close());
    await clock.until(device.close());
  });
  return {
    ...{ store, thingName, files, device, rotation, told, manufacture },
    told1: (name) => told.filter((one) => one.name === name).map(({ event }) => event as never),
    run: (work) => untilDone(clock, work),
    async statusOf(certificateId) {
      const described = await cloud.run(cloud.registry.describeCertificate, { certificateId });
      return described.certificateDescription?.status ?? "";
    },
  };
}
