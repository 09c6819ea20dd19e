import { createHash, X509Certificate } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createContext, Script } from "node:vm";
import { checkOptionTypes, isThinglineError, type OptionTypes, ThinglineError } from "@thingline/protocol";
import { type Clock, clockOption, type Endpoint, type HttpRequest, makePrivateFolder } from "@thingline/transport";
import {
  createNodeClock,
  createNodeFiles,
  createNodeHttp,
  createNodeKeys,
  createNodeNetwork,
  createNodeRandom,
  folderHolder,
} from "@thingline/transport/node";
import { checkAccountAndRegion, defaultAccount, defaultRegion } from "./account-region.js";
import { createBoundedLog } from "./bounded-log.js";
import type { CheckResult } from "./check-result.js";
import { cloudFileName, readCloudFile, writeCloudFile } from "./cloud-file.js";
import type { RunningCloud } from "./cloud-file.js";
import type { Cloud } from "./cloud.js";
import { defaultObjectsPort } from "./default-ports.js";
import type { CloudDependencies, CloudOptions } from "./cloud-options.js";
import type { DataDirectory, DataDirectoryDependencies } from "./data-directory.js";
import type { CloudFunction } from "./functions/index.js";
import { nameOption } from "./gateway/listen.js";
import type { HashName } from "./hashes.js";
import { statementTimeMsMax, type StatementGuard } from "./statement-guard.js";
import type { CreatedThing, CreateThingOptions } from "./create-thing.js";
import type { AccessKey } from "./rest/access-keys.js";
import type { RequestHead } from "./rest/admission.js";
import type { RestServer, RestServerOptions } from "./rest/server.js";
import type { ObjectsEndpoint } from "./services/objects/index.js";
import { type Log, logOption, silentLog } from "./log.js";
import type { BlobStore } from "./store/blobs.js";
import type { Durability, Store } from "./store/store.js";

// Most of the cloud is loaded where it is used: whoever only asks where one runs does not wait for it.
export { damagesMax } from "./check-result.js";
export type { CheckResult, Damage } from "./check-result.js";
export { checkAccessKeys, defaultAccessKey } from "./rest/access-keys.js";
export type { AccessKey } from "./rest/access-keys.js";
export { iotLogFolder, nameOfIotLog, numberOfIotLog } from "./services/logging/index.js";
export { snapshotBytesMax } from "./rest/admission.js";
export type { RunningCloud } from "./cloud-file.js";
export type { CreatedThing, CreateThingOptions } from "./create-thing.js";

export { defaultObjectsPort } from "./default-ports.js";

export const defaultMqttsPort = 8883;
export const defaultHttpsPort = 8443;
export const defaultApiPort = 4680;
/** Enough for a claim and the first device; a fleet waits for its keys anyway. */
export const defaultKeyPoolSize = 2;
/** In the data folder: bodies of requests that are too large for memory while they arrive. */
const uploadFolderName = "uploads";
/** In the data folder, beside the store. */
const blobFolderName = "blobs";
/** Of a certificate or key in the data folder. */
const pemBytesMax = 64 * 1024;
/** Both loopback addresses. */
export const defaultHost = "localhost";

export interface StartCloudOptions {
  /** Where everything is kept. One process at a time. Needed unless `memory` is true. */
  dataDir?: string;
  /** Nothing is kept. Root CA and server certificate are in a temporary folder meanwhile. Default false. */
  memory?: boolean;
  /** Where to listen with TLS and REST. `localhost` (the default) means 127.0.0.1 and ::1. */
  host?: string;
  /** 0 picks a free one, for each of the ports. Default {@link defaultMqttsPort}. */
  mqttsPort?: number;
  /** Default {@link defaultHttpsPort}. */
  httpsPort?: number;
  /** Default {@link defaultApiPort}. */
  apiPort?: number;
  /**
   * Objects over HTTPS, without a client certificate: where devices fetch firmware. Default: {@link apiPort} and one, or a free one when
   * that is 0, or when somebody listens there already.
   */
  objectsPort?: number;
  /**
   * Credentials for the roles behind role aliases, over HTTPS with a device's certificate. AWS's own clients always ask at port 443. Default:
   * {@link apiPort} and two, or a free one when that is 0, or when somebody listens there already.
   */
  credentialsPort?: number;
  /** Plain MQTT, anonymous, everything allowed, on the loopback only. Default: off. */
  mqttPort?: number;
  account?: string;
  region?: string;
  /** Further names and addresses for the server certificate. The `host` is added by itself. */
  serverNames?: readonly string[];
  limits?: CloudOptions["limits"];
  /** `any` takes every signature of a REST request. Default `verify`. */
  sigv4?: "verify" | "any";
  /** `refused`: REST requests need a signature. `/_thingline/`, for the commands of this machine, does not. Default `allowed`. */
  unsignedRequests?: "allowed" | "refused";
  /** Whose signatures count. Default: access key `test` with the secret `test`. */
  accessKeys?: readonly AccessKey[];
  /** Whose a persistent session is: the principal's, by default, or that of whoever has the client id, as AWS is believed to do. */
  sessionOwner?: CloudOptions["sessionOwner"];
  /**
   * Who answers devices that ask on `certificate/<client id>/create`. Default: what the data folder says, as `thingline claim create` wrote it,
   * and `off` where nothing is written.
   */
  vending?: CloudOptions["vending"];
  /** See `CloudOptions.rotationOverlapMs`. Default one hour. */
  rotationOverlapMs?: number;
  /** RSA keys made ahead, so that nobody waits for one. Default {@link defaultKeyPoolSize}. */
  keyPoolSize?: number;
  /**
   * What AWS would call by the ARN of a Lambda function (hooks of provisioning, certificate providers), by its name or its ARN: a function of
   * this process, or an HTTP endpoint. Default: none.
   */
  functions?: Readonly<Record<string, CloudFunction>>;
  /** See `CloudOptions.serverCertificates`. */
  serverCertificates?: CloudOptions["serverCertificates"];
  /** Default `process`. */
  durability?: Durability;
  /** Default: the system's. With one of its own a test lets a minute pass at once: rollouts, time-outs and retries of jobs go by it. */
  clock?: Clock;
  /** Default: says nothing. */
  log?: Log;
}

/** A local cloud with its REST server, in this process. */
export interface StartedCloud {
  /** Texts `HOST:PORT`; `api` and `objects` are URLs. */
  readonly addresses: {
    mqtts: string;
    https: string;
    api: string;
    objects: string;
    credentials: string;
    mqtt: string | undefined;
  };
  readonly caFile: string;
  readonly caPem: string;
  readonly cloud: Cloud;
  /** A thing with key, certificate and policy, ready for `connectDevice({ ...thing })`: see {@link CreatedThing}. */
  createThing(thingName: string, options?: CreateThingOptions): Promise<CreatedThing>;
  close(): Promise<void>;
  readonly closed: Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Starts a local AWS IoT Core with Node's network, files and keys, and its REST APIs over HTTP.
 *
 * @throws {ThinglineError} OPTION_INVALID; LOCKED when another process has the data folder; PORT_IN_USE with the port
 * and the option to change; STORE_CORRUPT, STORE_VERSION_UNKNOWN, DATA_DIRECTORY_INVALID, and what reading certificates and keys can throw.
 */
export async function startCloud(options: StartCloudOptions): Promise<StartedCloud> {
  checkOptions(options);
  const started = new NodeCloud(options);
  try {
    await started.open();
    return started;
  } catch (error) {
    // What went wrong first is what to tell.
    await started.close().catch(() => undefined);
    throw error;
  }
}

/**
 * Where the cloud of a data folder listens, and which CA to trust.
 *
 * @throws {ThinglineError} CLOUD_NOT_RUNNING when none runs there, or when it has died without closing.
 */
export async function findRunningCloud(dataDir: string): Promise<RunningCloud> {
  // Not by the process id alone, which may be somebody else's by now.
  const holder = await folderHolder(dataDir);
  return readCloudFile(createNodeFiles(), dataDir, (processId) => processId === holder);
}

/**
 * Reads a whole data directory that no cloud has open, and tells what is damaged. Nothing is changed. LMDB takes no part in it, so a
 * damaged file cannot end the process.
 *
 * @throws {ThinglineError} FILE_NOT_FOUND when there is no such folder; LOCKED when a cloud runs on it; FILE_UNREADABLE.
 */
export async function checkDataDir(
  dataDir: string,
  { onProgress }: { onProgress?: (records: number) => void } = {},
): Promise<CheckResult> {
  const files = createNodeFiles();
  if (!(await files.exists(dataDir))) {
    throw new ThinglineError("FILE_NOT_FOUND", `there is no folder "${dataDir}"`, { details: { path: dataDir } });
  }
  const lock = await files.lock(dataDir);
  try {
    const [{ inspectFile }, { inspectBlobFiles }, { checkDirectory }] = await Promise.all([
      import("./store/lmdb.js"),
      import("./store/blob-files.js"),
      import("./check.js"),
    ]);
    return await checkDirectory({
      folder: dataDir,
      dependencies: { files, keys: createNodeKeys(), clock: createNodeClock(), isSignedBy },
      inspect: inspectFile,
      blobs: inspectBlobFiles(join(dataDir, blobFolderName)),
      ...(onProgress && { onProgress }),
    });
  } finally {
    await lock.release();
  }
}

class NodeCloud implements StartedCloud {
  readonly closed: Promise<void>;
  readonly #options: StartCloudOptions;
  readonly #files = createNodeFiles();
  /** In the opposite order of opening. */
  readonly #closers: (() => Promise<void>)[] = [];
  #cloud: Cloud | undefined;
  #addresses: StartedCloud["addresses"] | undefined;
  #objectsPort: number | undefined;
  #credentialsPort: number | undefined;
  #closing: Promise<void> | undefined;
  #resolveClosed: () => void = () => undefined;

  constructor(options: StartCloudOptions) {
    this.#options = options;
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve));
  }

  get cloud(): Cloud {
    if (this.#cloud === undefined) throw new ThinglineError("CLOSED", "the cloud was used before it was open");
    return this.#cloud;
  }

  get addresses(): StartedCloud["addresses"] {
    if (this.#addresses === undefined) throw new ThinglineError("CLOSED", "the cloud was used before it was open");
    return this.#addresses;
  }

  get caFile(): string {
    return this.cloud.caFile;
  }

  get caPem(): string {
    return this.cloud.caPem;
  }

  async createThing(thingName: string, options?: CreateThingOptions): Promise<CreatedThing> {
    const { createThing } = await import("./create-thing.js");
    const { port } = this.cloud.addresses.mqtts;
    const { host = defaultHost } = this.#options;
    // Listening at every address is no name to connect to.
    const name = host === "0.0.0.0" || host === "::" ? defaultHost : host;
    const where = { cloud: this.cloud, keys: createNodeKeys(), endpoint: show({ host: name, port }) };
    return createThing(where, thingName, options);
  }

  async open(): Promise<void> {
    const { createCloud } = await import("./cloud.js");
    const { account = defaultAccount, region = defaultRegion, host = defaultHost, log = silentLog } = this.#options;
    const folder = await this.#takeFolder();
    const { clock = createNodeClock() } = this.#options;
    const adapters = {
      network: createNodeNetwork({ clock }),
      clock,
      random: createNodeRandom(),
      keys: createNodeKeys(),
    };
    const dependencies = { ...adapters, files: this.#files, isSignedBy };
    const { store, blobs, directoryId, directory } = await this.#openStore(folder, dependencies);
    const { unsignedRequests, accessKeys, serverCertificates, vending, sessionOwner, rotationOverlapMs } =
      this.#options;
    const { mqttsPort = defaultMqttsPort, httpsPort = defaultHttpsPort, mqttPort, limits, sigv4 } = this.#options;
    const cloud = await createCloud(
      {
        ...adapters,
        files: this.#files,
        store,
        ...(blobs && { blobs }),
        ...this.#functions(clock),
        hash,
        statementGuard: createStatementGuard(),
        log,
      },
      {
        folder,
        account,
        region,
        mqtts: { host, port: mqttsPort, optionName: "mqttsPort" },
        https: { host, port: httpsPort, optionName: "httpsPort" },
        mqtt: mqttPort === undefined ? undefined : { host: "localhost", port: mqttPort, optionName: "mqttPort" },
        ...(sigv4 === undefined ? {} : { signatures: sigv4 }),
        ...(unsignedRequests === undefined ? {} : { unsignedRequests }),
        ...(accessKeys === undefined ? {} : { accessKeys }),
        ...(vending === undefined ? {} : { vending }),
        ...(serverCertificates === undefined ? {} : { serverCertificates }),
        ...(sessionOwner === undefined ? {} : { sessionOwner }),
        ...(rotationOverlapMs === undefined ? {} : { rotationOverlapMs }),
        keyPoolSize: this.#options.keyPoolSize ?? defaultKeyPoolSize,
        objectsEndpoint: () => this.#objectsEndpoint,
        credentialsEndpoint: () => this.#credentialsEndpoint,
        apiUrl: () => this.#addresses?.api,
        serverNames: [...(this.#options.serverNames ?? []), ...serverNamesOf(host)],
        ...(limits === undefined ? {} : { limits }),
      },
    );
    this.#cloud = cloud;
    if (directoryId !== undefined && !isWhollyRecorded(directory)) {
      const { recordDirectory } = await import("./data-directory.js");
      const record = () => recordDirectory(dependencies, folder, directoryId);
      if (directory?.isRecorded !== true || directory.hasOldRoot) await record();
      // The CA that issues for devices is made when it is needed.
      this.#closers.push(() =>
        record().catch((error: unknown) => log.warn("directoryNotRecorded", { error: String(error) })),
      );
    }
    this.#closers.push(() => cloud.close());
    const api = await this.#openRest(cloud, { host, log, folder });
    const objects = await this.#openObjects(cloud, { host, log, folder });
    const credentials = await this.#openCredentials(cloud, { host, log, folder });
    const { mqtts, https, mqtt } = cloud.addresses;
    this.#addresses = {
      mqtts: show(mqtts),
      https: show(https),
      api: `http://${show(api)}`,
      objects: `https://${show(objects)}`,
      credentials: show(credentials),
      mqtt: mqtt === undefined ? undefined : show(mqtt),
    };
    if (this.#options.memory !== true) {
      const { mqtt: plain = null, credentials: _told, ...tls } = this.#addresses;
      const ca = resolve(cloud.caFile);
      await writeCloudFile(this.#files, folder, { ...tls, mqtt: plain, ca, account, region, processId: process.pid });
      this.#closers.push(() => this.#files.remove(join(folder, cloudFileName)));
    }
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    const errors: unknown[] = [];
    for (const close of this.#closers.reverse()) await close().catch((error: unknown) => errors.push(error));
    this.#resolveClosed();
    if (errors.length > 0) throw errors[0];
  }

  /** A data folder of this process alone, or a temporary one for root CA and server certificate. */
  async #takeFolder(): Promise<string> {
    const { dataDir, memory } = this.#options;
    if (memory === true || dataDir === undefined) {
      const folder = await mkdtemp(join(tmpdir(), "thingline-cloud-"));
      this.#closers.push(() => rm(folder, { recursive: true, force: true }));
      return folder;
    }
    await makePrivateFolder(this.#files, dataDir);
    const lock = await this.#files.lock(dataDir);
    this.#closers.push(() => lock.release());
    // Left by a process that was killed: the ports in it may belong to anybody now.
    await this.#files.remove(join(dataDir, cloudFileName));
    return dataDir;
  }

  /** The store closes with the cloud; until there is one, with the lock. */
  async #openStore(
    folder: string,
    dependencies: DataDirectoryDependencies,
  ): Promise<{ store: Store; blobs?: BlobStore; directoryId?: string; directory?: DataDirectory }> {
    if (this.#options.memory === true) {
      const { createMemoryStore } = await import("./store/memory.js");
      return { store: createMemoryStore() };
    }
    const { checkDataDirectory, forgetRoot } = await import("./data-directory.js");
    const directory = await checkDataDirectory(dependencies, folder);
    if (directory.hasOldRoot) await forgetRoot(dependencies.files, folder);
    const [{ openLmdbStore }, { openBlobFiles }] = await Promise.all([
      import("./store/lmdb.js"),
      import("./store/blob-files.js"),
    ]);
    const { durability = "process" } = this.#options;
    const log = createBoundedLog(this.#options.log ?? silentLog, { clock: dependencies.clock });
    const store = await openLmdbStore({
      folder: join(folder, "store"),
      durability,
      mustExist: directory.isUsed,
      ...(directory.id === undefined ? {} : { directoryId: directory.id }),
      onCorrupt: ({ key, error }) => log.error("storeCorrupt", { key, error: error.message }),
    });
    const onForeign = (path: string) => log.warn("foreignFile", { path });
    try {
      const blobs = openBlobFiles({ folder: join(folder, blobFolderName), durability, onForeign });
      return { store, blobs, directoryId: store.directoryId, directory };
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  async #openRest(cloud: Cloud, { host, log, folder }: { host: string; log: Log; folder: string }): Promise<Endpoint> {
    const { apiPort: port = defaultApiPort } = this.#options;
    const { startRestServer } = await import("./rest/server.js");
    const handle = (request: HttpRequest) => cloud.handleRest(request);
    const judge = (head: RequestHead) => cloud.judgeRest(head);
    const serve: RestServerOptions["serve"] = (head, body) => cloud.serveObjects(head, body);
    const uploadFolder = join(folder, uploadFolderName);
    const server = await startRestServer({ handle, judge, serve, log, host, port, uploadFolder }).catch(
      (error: unknown) => {
        throw nameOption(error, { host, port, optionName: "apiPort" });
      },
    );
    this.#closers.push(() => server.close());
    return { host, port: server.address.port };
  }

  /** With the certificate of the MQTT listeners, which is there by now. */
  async #openObjects(
    cloud: Cloud,
    { host, log, folder }: { host: string; log: Log; folder: string },
  ): Promise<Endpoint> {
    const { objectServerLimits } = await import("./rest/admission.js");
    const server = await this.#openTls("objectsPort", objectsPortOf(this.#options), {
      ...{ log, host, limits: objectServerLimits },
      tls: await this.#serverPair(folder),
      handle: (request) => cloud.handleRest(request),
      judge: (head) => cloud.judgeObjects(head),
      serve: (head, body) => cloud.serveObjects(head, body),
    });
    this.#objectsPort = server.address.port;
    return { host, port: server.address.port };
  }

  /** Asks for the certificates of devices. */
  async #openCredentials(
    cloud: Cloud,
    { host, log, folder }: { host: string; log: Log; folder: string },
  ): Promise<Endpoint> {
    const server = await this.#openTls("credentialsPort", credentialsPortOf(this.#options), {
      ...{ log, host },
      tls: { ...(await this.#serverPair(folder)), requestsClientCertificate: true },
      handle: (request, peer) => cloud.handleCredentials(request, peer),
    });
    this.#credentialsPort = server.address.port;
    return { host, port: server.address.port };
  }

  async #serverPair(folder: string): Promise<{ certificate: string; privateKey: string }> {
    const read = async (name: string) =>
      new TextDecoder().decode(await this.#files.read(join(folder, name), { bytesMax: pemBytesMax }));
    return { certificate: await read("server.pem"), privateKey: await read("server-key.pem") };
  }

  async #openTls(
    optionName: "objectsPort" | "credentialsPort",
    port: number,
    options: Omit<RestServerOptions, "port"> & { host: string; log: Log },
  ): Promise<RestServer> {
    const { startRestServer } = await import("./rest/server.js");
    const { host, log } = options;
    const server = await startRestServer({ ...options, port }).catch((error: unknown) => {
      // Nobody asked for this port: any other is as good, and what is made of it says which it is.
      const isAsked = this.#options[optionName] !== undefined || port === 0;
      if (isAsked || !isThinglineError(error, "PORT_IN_USE")) throw nameOption(error, { host, port, optionName });
      if (optionName === "objectsPort") log.warn("objectsPortTaken", { port });
      else log.warn("credentialsPortTaken", { port });
      return startRestServer({ ...options, port: 0 });
    });
    this.#closers.push(() => server.close());
    return server;
  }

  #functions(clock: Clock): Pick<CloudDependencies, "functions" | "http"> {
    const { functions } = this.#options;
    return { ...(functions && { functions }), http: createNodeHttp({ clock }) };
  }

  /** By which devices can reach this cloud: listening at every address is no name. */
  get #reachableHost(): string {
    const { host = defaultHost, serverNames = [] } = this.#options;
    const isEverywhere = host === "0.0.0.0" || host === "::";
    return isEverywhere ? (serverNames.find((each) => !each.startsWith("*")) ?? defaultHost) : host;
  }

  get #credentialsEndpoint(): Endpoint {
    const port = this.#credentialsPort ?? credentialsPortOf(this.#options);
    return { host: this.#reachableHost, port };
  }

  get #objectsEndpoint(): ObjectsEndpoint {
    const name = this.#reachableHost;
    // What is stored is done again before the port is open: by then it was the one that was asked for.
    const asked = objectsPortOf(this.#options);
    return { scheme: "https", host: name, port: this.#objectsPort ?? (asked === 0 ? defaultObjectsPort : asked) };
  }
}

function objectsPortOf(options: StartCloudOptions): number {
  return options.objectsPort ?? portBehindApi(1, options, [options.credentialsPort]);
}

function credentialsPortOf(options: StartCloudOptions): number {
  return options.credentialsPort ?? portBehindApi(2, options, [options.objectsPort]);
}

/** 0 where another listener is to be. */
function portBehindApi(
  distance: number,
  { apiPort = defaultApiPort, mqttsPort = defaultMqttsPort, httpsPort = defaultHttpsPort, mqttPort }: StartCloudOptions,
  others: readonly (number | undefined)[],
): number {
  const port = apiPort + distance;
  const isTaken = [mqttsPort, httpsPort, mqttPort, ...others].includes(port);
  return apiPort === 0 || port > 65_535 || isTaken ? 0 : port;
}

/** There is nothing that this start or this run could add. */
function isWhollyRecorded(directory: DataDirectory | undefined): boolean {
  return directory?.isRecorded === true && directory.hasIssuing && !directory.hasOldRoot;
}

function isSignedBy(certificatePem: string, issuerPem: string): boolean {
  try {
    return new X509Certificate(certificatePem).verify(new X509Certificate(issuerPem).publicKey);
  } catch {
    return false;
  }
}

const optionTypes = {
  dataDir: "string",
  memory: "boolean",
  host: "string",
  mqttsPort: "number",
  httpsPort: "number",
  apiPort: "number",
  objectsPort: "number",
  credentialsPort: "number",
  mqttPort: "number",
  account: "string",
  region: "string",
  serverNames: "array",
  serverCertificates: "object",
  // `aws`, `none` or limits of one's own.
  limits: "any",
  sigv4: "string",
  unsignedRequests: "string",
  accessKeys: "array",
  sessionOwner: "string",
  // A word or an object.
  vending: "any",
  rotationOverlapMs: "number",
  keyPoolSize: "number",
  functions: "object",
  durability: "string",
  clock: clockOption,
  log: logOption,
} as const satisfies OptionTypes<StartCloudOptions>;

/** A misspelt word must not leave a door open. */
const words: Readonly<Record<"sigv4" | "unsignedRequests" | "sessionOwner", readonly string[]>> = {
  sigv4: ["verify", "any"],
  unsignedRequests: ["allowed", "refused"],
  sessionOwner: ["principal", "clientId"],
};

function checkOptions(options: StartCloudOptions): void {
  checkOptionTypes(options, optionTypes, { of: "startCloud()" });
  const invalid = (name: string, expected: string, got: unknown) =>
    new ThinglineError("OPTION_INVALID", `${name} must be ${expected}, got ${JSON.stringify(got)}`, {
      details: { option: name },
    });
  if (options.memory !== true && (typeof options.dataDir !== "string" || options.dataDir === ""))
    throw invalid("dataDir", "a path unless memory is true", options.dataDir);
  for (const name of ["mqttsPort", "httpsPort", "apiPort", "objectsPort", "credentialsPort", "mqttPort"] as const) {
    const port = options[name];
    if (port !== undefined && !(Number.isInteger(port) && port >= 0 && port <= 65_535))
      throw invalid(name, "a port from 0 to 65535", port);
  }
  for (const [name, values] of Object.entries(words)) {
    const value = options[name as keyof typeof words];
    if (value !== undefined && !values.includes(value)) throw invalid(name, values.join(" or "), value);
  }
  checkAccountAndRegion(options);
}

/** An address that everybody can be reached at is no name of this machine. */
function serverNamesOf(host: string): string[] {
  return ["localhost", "0.0.0.0", "::"].includes(host) ? [] : [host];
}

function show({ host, port }: Endpoint): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

const hash = (name: HashName, data: Uint8Array): Uint8Array => new Uint8Array(createHash(name).update(data).digest());

/** Node ends what runs within a script of its own, also a regular expression. It costs a tenth of a millisecond. */
function createStatementGuard(): StatementGuard {
  const context = createContext({ work: undefined });
  const script = new Script("work()");
  return <T>(work: () => T): T => {
    context["work"] = work;
    try {
      return script.runInContext(context, { timeout: statementTimeMsMax }) as T;
    } catch (error) {
      if ((error as { code?: unknown }).code !== "ERR_SCRIPT_EXECUTION_TIMEOUT") throw error;
      const message = `the statement takes longer than ${statementTimeMsMax} ms: does a regular expression backtrack?`;
      throw new ThinglineError("RULE_SQL_FAILED", message, { cause: error });
    } finally {
      context["work"] = undefined;
    }
  };
}
