import { join } from "node:path";
import {
  createDevice,
  createNativeCredentialStore,
  createNativeTlsDialer,
  deviceOptionsOf,
  loadNativeTlsCredentials,
  nativeTlsFiles,
  type Device,
  type DeviceCredentials,
  type KconfigDeviceOptions,
  type ShadowTopic,
} from "@thingline/device";
import { isThinglineError, ThinglineError } from "@thingline/protocol";
import type { AwsIotSettings, FotaSettings, Kconfig } from "@thingline/protocol/kconfig";
import type { ModemFirmware } from "@thingline/transport";
import { nodeAdapters, type Adapters } from "../adapters.js";
import type { CommandContext } from "../command.js";
import { readConfiguration, receivedPayloadBytesMax } from "../configuration.js";
import { requireUsable, warnOfDoubts } from "../credential-checks.js";
import { findCerts, readCredentialFiles } from "../credentials-folder.js";
import { CurrentDevice } from "../current-device.js";
import { type FileAccess, nativeDownloadAccess, openDeviceFirmware } from "../device-firmware.js";
import {
  type DeviceRotation,
  type DeviceRotationOptions,
  openDeviceRotation,
  RotationJobs,
  type RotationStore,
  tagInUse,
  UsedTag,
} from "../device-rotation.js";
import { createDeviceView, type DeviceView } from "../device-view.js";
import { exitCodes, UsageError } from "../failure.js";
import { type DoorOptions, usesBoard } from "../door-options.js";
import { openModemDevice } from "../open-modem-device.js";
import type { Output } from "../output.js";
import { publishLines } from "../publish-lines.js";

interface RunOptions extends DeviceRotationOptions, DoorOptions {
  conf: string[];
  modemDir: string;
  nativeTls?: boolean;
  certs?: string;
  stateDir?: string;
  secTag?: number;
  clientId?: string;
  topic?: string[];
  shadow?: boolean;
  publish?: string;
  boardDir?: string;
  firmware?: string;
  firmwareKey?: string;
  verbose?: boolean;
}

const shadowTopicsShown: readonly ShadowTopic[] = [
  "get/accepted",
  "get/rejected",
  "update/accepted",
  "update/rejected",
  "update/delta",
  "delete/accepted",
];

/** `thingline device run --conf prj.conf [--conf overlay.conf]` */
export async function deviceRun({ output, signal }: CommandContext, options: RunOptions): Promise<number> {
  const adapters = nodeAdapters();
  const { config, settings } = await readConfiguration(output, { files: adapters.files, signal }, options);
  const applicationTopics = options.topic ?? [];
  adviseOn(output, { config, settings, topicCount: applicationTopics.length });
  const deviceOptions = optionsOf(config, settings, options);
  await using sources = new Sources(() => openCredentials(output, adapters, { settings, options, signal }));
  const source = await sources.start();
  const view = createDeviceView(output, {
    clientId: deviceOptions.clientId,
    address: `${deviceOptions.host}:${deviceOptions.port}`,
    credentials: source.description,
    showsShadow: options.shadow === true,
  });
  const { clock, random } = adapters;
  const shadowTopics = new Set([...deviceOptions.shadowTopics, ...(options.shadow === true ? shadowTopicsShown : [])]);
  const requestsShadow = deviceOptions.requestsShadow || options.shadow === true;
  const create = () =>
    createDevice({
      ...deviceOptions,
      ...sources.current.credentials,
      ...{ clock, random, applicationTopics, shadowTopics, requestsShadow, on: view.listeners },
      // The options of the last run may have been others.
      trustsSession: false,
    });
  const rotationJobs = new RotationJobs();
  const openRotation = async (device: Device): Promise<DeviceRotation | undefined> => {
    const { rotation: credentials, used } = sources.current;
    if (credentials === undefined || options.rotationTemplate === undefined) return undefined;
    return openDeviceRotation(adapters, device, {
      ...{ ...options, credentials, used, jobs: rotationJobs, on: view.rotation },
      ...{ secTag: options.secTag ?? settings.secTag, folder: nativeFolder(options) },
      runsJobs: settings.fota === undefined,
    });
  };
  let isGood = false;
  const ended = new AbortController();
  const current = new CurrentDevice();
  let publishing: Promise<boolean> | undefined;
  const run = async (device: Device, until: AbortSignal): Promise<void> => {
    view.watch(device);
    await using rotation = await openRotation(device);
    await (rotation ?? device).connect({ signal: until }).catch((error: unknown) => {
      throw withSource(error, source.details);
    });
    current.set(device, until);
    const { publish: topic } = options;
    if (topic !== undefined) {
      const stop = AbortSignal.any([signal, ended.signal]);
      const published = () => view.published();
      // Over all boots: standard input is read once.
      publishing ??= publishLines({
        device: current,
        clock,
        topic,
        input: process.stdin,
        output,
        signal: stop,
        published,
      });
      // Between two boots nobody waits for it.
      publishing.catch(() => undefined);
    }
    try {
      isGood = await runUntilEnd(device, { signal: until, publishing, rotation, lost: sources.current.lost });
    } finally {
      const isRebooting = until.aborted && !signal.aborted;
      if (!isRebooting) ended.abort(new ThinglineError("ABORTED", "the device stops"));
    }
  };
  try {
    if (settings.fota === undefined) {
      await using device = create();
      await run(device, signal);
    } else {
      await runOnBoard({
        ...{ output, adapters, settings: settings.fota, options, sources, view, create, run, signal },
        handlers: options.rotationTemplate === undefined ? {} : rotationJobs.handlers,
      });
    }
    if (signal.aborted) output.event({ event: "stopped" });
    return isGood ? exitCodes.done : exitCodes.failed;
  } finally {
    view.end();
  }
}

/** With jobs and firmware updates: whatever image the board boots runs the device, until it ends other than by a reboot. */
async function runOnBoard(given: {
  output: Output;
  adapters: Adapters;
  settings: FotaSettings;
  options: RunOptions;
  sources: Sources;
  view: DeviceView;
  create: () => Device;
  run: (device: Device, until: AbortSignal) => Promise<void>;
  handlers: RotationJobs["handlers"];
  signal: AbortSignal;
}): Promise<void> {
  const { output, adapters, settings, options, sources, view, create, run, handlers, signal } = given;
  const { modemDir, boardDir: folder = join(modemDir, "board"), firmware: imageFile, firmwareKey: keyFile } = options;
  await using board = await openDeviceFirmware(adapters, { settings, folder, keyFile, imageFile, signal });
  const { keyType } = board;
  const by =
    keyType === undefined ? "hashes alone: give --firmware-key for signatures" : `signatures of its ${keyType} key`;
  output.event(
    { event: "board", folder, keyType: keyType ?? null },
    output.paint.dim(output.wrap(`the board in ${folder} goes by ${by}`, 0)),
  );
  const ended = new AbortController();
  let isFirstBoot = true;
  await board.runUntilEnd({
    async start() {
      // A board that is reset resets its modem, which then applies what it was given.
      const { filesOver, modem } = isFirstBoot ? sources.current : await sources.start();
      isFirstBoot = false;
      return { access: filesOver(settings), modem, createDevice: create };
    },
    on: view.board,
    handlers,
    run: async (device, until) => {
      await run(device, until);
      // A reboot ends the device and not the program.
      if (!until.aborted) ended.abort();
    },
    signal: AbortSignal.any([signal, ended.signal]),
  });
}

/** Until the user or the input ends it, the device gives up, or reboots. @returns whether all input was published. */
async function runUntilEnd(
  device: Device,
  {
    signal,
    publishing,
    rotation,
    lost,
  }: {
    signal: AbortSignal;
    publishing: Promise<boolean> | undefined;
    rotation: DeviceRotation | undefined;
    lost: Promise<ThinglineError> | undefined;
  },
): Promise<boolean> {
  const offs: (() => void)[] = [];
  const gaveUp = new Promise<never>((_, reject) => {
    const check = ({ error, retryInMs }: { error?: ThinglineError; retryInMs?: number }) => {
      if (retryInMs === undefined && device.state === "idle" && !signal.aborted && rotation?.isBusy !== true) {
        reject(error ?? new ThinglineError("CONNECTION_LOST", "the device gave up"));
      }
    };
    offs.push(device.on("connecting", check), device.on("disconnected", check));
    // Nothing can be tried again through a port that is gone.
    void lost?.then(reject);
  });
  const stopped = new Promise<boolean>((resolve) => {
    if (signal.aborted) resolve(true);
    signal.addEventListener("abort", () => resolve(true), { once: true });
  });
  try {
    return await Promise.race([gaveUp, stopped, ...(publishing === undefined ? [] : [publishing])]);
  } finally {
    for (const off of offs) off();
  }
}

function optionsOf(
  config: Kconfig,
  settings: AwsIotSettings,
  { clientId, nativeTls }: RunOptions,
): KconfigDeviceOptions {
  if (settings.clientId === undefined && clientId === undefined) {
    throw new UsageError("CONFIG_AWS_IOT_CLIENT_ID_APP=y leaves the client id to the application: say --client-id");
  }
  // The program has no loop of its own, whatever the firmware does.
  const options = deviceOptionsOf(settings, clientId === undefined ? {} : { clientId });
  const takesAll = nativeTls === true || settings.usesNativeTls;
  const payloadBytesMax = receivedPayloadBytesMax(config, settings, takesAll);
  return { ...options, payloadBytesMax, driver: "library" };
}

/** What firmware of this configuration would do and this program does not. */
function adviseOn(
  output: Output,
  { config, settings, topicCount }: { config: Kconfig; settings: AwsIotSettings; topicCount: number },
): void {
  const advise = (name: string, message: string) => {
    output.event({ event: "warning", ...config.origin(name), name, message });
    output.complain({ kind: "warning", message });
  };
  if (!settings.usesPollThread) {
    const message =
      "CONFIG_AWS_IOT_CONNECTION_POLL_THREAD=n has no effect: this program leaves the polling to the library";
    advise("AWS_IOT_CONNECTION_POLL_THREAD", message);
  }
  if (settings.cloudBackend !== undefined && settings.cloudBackend !== "AWS_IOT") {
    advise("CLOUD_BACKEND", `CONFIG_CLOUD_BACKEND="${settings.cloudBackend}" has no effect: this program uses AWS_IOT`);
  }
  const name = "AWS_IOT_APP_SUBSCRIPTION_LIST_COUNT";
  if (config.origin(name) && topicCount > 0 && topicCount !== settings.appSubscriptionCount) {
    const count = settings.appSubscriptionCount;
    advise(name, `firmware with CONFIG_${name}=${count} would refuse a list of ${topicCount} --topic`);
  }
}

interface CredentialSource extends AsyncDisposable {
  credentials: DeviceCredentials;
  description: string;
  /** For errors about the credentials: where to look. */
  details: Record<string, string | number>;
  /** How files are fetched. */
  filesOver: (settings: FotaSettings) => FileAccess;
  /** Undefined: without a modem. */
  modem: ModemFirmware | undefined;
  /** Which of them is in use. */
  used: UsedTag;
  /** Undefined: they are no more than files. */
  rotation: RotationStore | undefined;
  /** What ended the way to the modem. Undefined: there is none. */
  lost: Promise<ThinglineError> | undefined;
}

/** What the device connects with, which can be started anew. */
class Sources implements AsyncDisposable {
  readonly #open: () => Promise<CredentialSource>;
  #current: CredentialSource | undefined;

  constructor(open: () => Promise<CredentialSource>) {
    this.#open = open;
  }

  get current(): CredentialSource {
    if (this.#current === undefined) throw new ThinglineError("CLOSED", "the modem is switched off");
    return this.#current;
  }

  async start(): Promise<CredentialSource> {
    await this[Symbol.asyncDispose]();
    this.#current = await this.#open();
    return this.#current;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const current = this.#current;
    this.#current = undefined;
    await current?.[Symbol.asyncDispose]();
  }
}

/** The modem with its security tags, switched on and registered; or files, and this machine's own network. */
async function openCredentials(
  output: Output,
  adapters: Adapters,
  { settings, options, signal }: { settings: AwsIotSettings; options: RunOptions; signal: AbortSignal },
): Promise<CredentialSource> {
  const clientId = options.clientId ?? settings.clientId ?? "";
  const ownTag = options.secTag ?? settings.secTag;
  const secTag = await tagInUse(adapters.files, nativeFolder(options), clientId, ownTag);
  const used = new UsedTag(secTag);
  const handshake = settings.resumesTlsSession ? "resume" : "full";
  const isNativeTls = options.nativeTls === true || settings.usesNativeTls;
  if (isNativeTls && !usesBoard(options, isNativeTls)) {
    const native = await openNativeTls(output, adapters, { settings, options, secTag, used });
    return {
      ...native,
      credentials: { ...native.credentials, handshake },
      filesOver: () => ({ dialer: adapters.network, ...native.access }),
      ...{ modem: undefined, used, lost: undefined },
      [Symbol.asyncDispose]: async () => undefined,
    };
  }
  const device = await openModemDevice(adapters, options, {
    networkTimeoutMs: settings.linkTimeoutMs,
    ...{ signal, output },
  });
  try {
    using _step = output.begin("the modem registers with the network");
    await device.link.connect({ signal });
  } catch (error) {
    await device.close();
    throw error;
  }
  return {
    credentials: { secTagDialer: device.sockets.secTagDialer, secTag, handshake },
    filesOver: ({ usesNativeTls, downloadSecTag = secTag }) => {
      const { dialer, secTagDialer } = device.sockets;
      if (!usesNativeTls) return { dialer, secTagDialer: used.follow(secTagDialer), secTag };
      const folder = nativeFolder(options);
      return nativeDownloadAccess(adapters, { dialer, folder, secTag: downloadSecTag });
    },
    modem: device.firmware,
    description: tagsText(secTag, options),
    details: { secTag },
    used,
    rotation: { store: device.credentials, link: device.link, keyMaker: device.keyMaker },
    lost: device.lost,
    [Symbol.asyncDispose]: () => device.close(),
  };
}

/** With rotation, two tags take turns: which one is in use is seen from `rotated`. */
const tagsText = (secTag: number, { rotationTemplate, rotationTag = secTag + 1 }: RunOptions) =>
  rotationTemplate === undefined ? `security tag ${secTag}` : `security tag ${secTag} or ${rotationTag}`;

const nativeFolder = ({ stateDir, modemDir }: RunOptions) => stateDir ?? join(modemDir, "device");

/** The credentials of `provision --native-tls` when they are there and no folder is named, else those of the folder. */
async function openNativeTls(
  output: Output,
  { network, files, keys, clock }: Adapters,
  { settings, options, secTag, used }: { settings: AwsIotSettings; options: RunOptions; secTag: number; used: UsedTag },
) {
  const receivedRecordBytesMax = settings.nativeTlsReceiveBytesMax;
  const folder = join(nativeFolder(options), "tls-credentials");
  const stored = createNativeCredentialStore({ files, keys, folder });
  const isStored = options.certs === undefined && (await stored.exists(secTag, "privateKey"));
  const certs = options.certs ?? (await findCerts(files, options.conf));
  // What is rotated has to lie in a security tag.
  if (!isStored && options.rotationTemplate !== undefined) {
    await loadNativeTlsCredentials({ files, folder: certs, store: stored, secTag, keys });
  }
  if (isStored || options.rotationTemplate !== undefined) {
    warnOfDoubts(output, await stored.credentials(secTag), clock);
    const secTagDialer = createNativeTlsDialer({ dialer: network, store: stored, receivedRecordBytesMax });
    const description = `${tagsText(secTag, options)} of ${folder}`;
    const access = { secTagDialer: used.follow(secTagDialer), secTag };
    const rotation: RotationStore = { store: stored };
    return { credentials: { secTagDialer, secTag }, access, description, details: { secTag }, rotation };
  }
  const { ca, certificate, privateKey } = await readCredentialFiles(files, { from: certs });
  const details = { caFile: join(certs, nativeTlsFiles.ca) };
  if (ca === undefined || certificate === undefined || privateKey === undefined) {
    const message = `${certs} lacks one of ${Object.values(nativeTlsFiles).join(", ")}`;
    throw new ThinglineError("FILE_NOT_FOUND", message, { details: { file: certs } });
  }
  requireUsable({ ca, certificate, privateKey }, keys, { outcome: ` (in ${certs})`, caName: `the CA in ${certs}` });
  warnOfDoubts(output, { ca, certificate }, clock);
  const tls = { ca, certificate, privateKey, receivedRecordBytesMax };
  const access = { dialer: network, tls };
  return { credentials: access, access, description: `the certificate in ${certs}`, details, rotation: undefined };
}

function withSource(error: unknown, details: Record<string, string | number>): unknown {
  if (!isThinglineError(error, "TLS_PEER_UNTRUSTED")) return error;
  return new ThinglineError(error.code, error.message, { details: { ...error.details, ...details }, cause: error });
}
