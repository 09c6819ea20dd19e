import { join } from "node:path";
import type { Device } from "@thingline/device";
import type { JobHandler } from "@thingline/device/jobs";
import type { ProvisioningMethod } from "@thingline/device/provisioning";
import type { Rotation, RotationListeners } from "@thingline/device/rotation";
import { ThinglineError } from "@thingline/protocol";
import { rotateCertificateOperation } from "@thingline/protocol/jobs";
import type { CredentialStore, Files, KeyMaker, LinkControl, SecTagDialer } from "@thingline/transport";
import type { Adapters } from "./adapters.js";
import { jobsFolderName } from "./firmware-application.js";

export interface DeviceRotationOptions {
  rotationTemplate?: string;
  rotationTag?: number;
}

/** Where a device keeps its two sets of credentials, and how they are changed. */
export interface RotationStore {
  store: CredentialStore;
  /** Of a modem. */
  link?: LinkControl;
  keyMaker?: KeyMaker;
}

const folderName = "rotation";

// Most devices never rotate, and what it takes is not loaded for them.
const loadRotation = () => import("@thingline/device/rotation");

/** The tag that a device has rotated to, else the one that it was made with. */
export async function tagInUse(files: Files, folder: string, clientId: string, secTag: number): Promise<number> {
  if ((await files.list(join(folder, folderName))).length === 0) return secTag;
  const { readRotatedTag } = await loadRotation();
  return (await readRotatedTag({ files, folder: join(folder, folderName), clientId })) ?? secTag;
}

/** The security tag in use, which a rotation changes while others go on with it. */
export class UsedTag {
  readonly #first: number;
  secTag: number;

  constructor(secTag: number) {
    this.#first = secTag;
    this.secTag = secTag;
  }

  /** For what goes on by the tag that it was given first. */
  follow(dialer: SecTagDialer): SecTagDialer {
    return {
      name: dialer.name,
      ...(dialer.receivedRecordBytesMax !== undefined && { receivedRecordBytesMax: dialer.receivedRecordBytesMax }),
      dial: (target, options) =>
        dialer.dial(target.secTag === this.#first ? { ...target, secTag: this.secTag } : target, options),
    };
  }
}

/** A device that rotates its certificate when a job says so. */
export interface DeviceRotation extends AsyncDisposable {
  connect(options: { signal: AbortSignal }): Promise<void>;
  /** It is idle for a moment, which is no end. */
  readonly isBusy: boolean;
}

/** For jobs that come before the device of this boot is there. */
export class RotationJobs {
  current: Rotation | undefined;
  readonly handlers: Readonly<Record<string, JobHandler>> = {
    [rotateCertificateOperation]: async (job) => {
      if (this.current === undefined) throw new ThinglineError("CLOSED", "the device has ended");
      return this.current.jobHandler(job);
    },
  };
}

export async function openDeviceRotation(
  { files, keys, clock, random }: Pick<Adapters, "files" | "keys" | "clock" | "random">,
  device: Device,
  options: DeviceRotationOptions & {
    credentials: RotationStore;
    /** The tag that the configuration names. */
    secTag: number;
    folder: string;
    used: UsedTag;
    jobs: RotationJobs;
    /** Nobody else works on the jobs of the device. */
    runsJobs: boolean;
    on: RotationListeners;
  },
): Promise<DeviceRotation> {
  const { credentials, secTag, folder, used, jobs, on } = options;
  const { rotationTemplate: template = "", rotationTag = secTag + 1 } = options;
  const { keyMaker } = credentials;
  const [{ openRotation }, { runJobs }] = await Promise.all([loadRotation(), import("@thingline/device/jobs")]);
  const method: ProvisioningMethod = { kind: "fleet", template, keys: keyMaker === undefined ? "csr" : "modem" };
  const rotation = await openRotation(device, {
    ...{ tags: [secTag, rotationTag], ...credentials, method, files, folder: join(folder, folderName) },
    ...{ keys, clock, random, on },
  });
  const follow = () => void (used.secTag = rotation.secTag);
  follow();
  rotation.on("rotated", follow);
  rotation.on("wentBack", follow);
  jobs.current = rotation;
  const runner = options.runsJobs
    ? await runJobs(device, {
        ...{ handlers: jobs.handlers, clock, random, files, folder: join(folder, jobsFolderName) },
        on: { error: ({ error }) => on.error?.({ error }) },
      })
    : undefined;
  return {
    connect: ({ signal }) => rotation.connect({ signal }),
    get isBusy() {
      return rotation.isBusy;
    },
    async [Symbol.asyncDispose]() {
      jobs.current = undefined;
      await rotation.close();
      await runner?.close();
    },
  };
}
