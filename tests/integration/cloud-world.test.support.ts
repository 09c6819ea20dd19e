import type { TestContext } from "node:test";
import {
  AttachPolicyCommand,
  AttachThingPrincipalCommand,
  CreateKeysAndCertificateCommand,
  CreatePolicyCommand,
  CreateThingCommand,
  IoTClient,
} from "@aws-sdk/client-iot";
import { IoTDataPlaneClient } from "@aws-sdk/client-iot-data-plane";
import { startCloud, type StartCloudOptions, type StartedCloud } from "@thingline/cloud/node";
import type { Log } from "@thingline/cloud";
import mqtt from "mqtt";

export interface LogLine {
  level: keyof Log;
  event: string;
  facts: Readonly<Record<string, unknown>>;
}

/** Keeps what was logged and lets a test wait for a line. */
export class RecordingLog implements Log {
  readonly lines: LogLine[] = [];
  #waiting: { fits: (line: LogLine) => boolean; resolve: (line: LogLine) => void }[] = [];

  debug = (event: string, facts = {}): void => this.#add({ level: "debug", event, facts });
  info = (event: string, facts = {}): void => this.#add({ level: "info", event, facts });
  warn = (event: string, facts = {}): void => this.#add({ level: "warn", event, facts });
  error = (event: string, facts = {}): void => this.#add({ level: "error", event, facts });

  /** The first line that fits, past or future. */
  async line(fits: (line: LogLine) => boolean): Promise<LogLine> {
    const found = this.lines.find(fits);
    return found ?? new Promise((resolve) => this.#waiting.push({ fits, resolve }));
  }

  #add(line: LogLine): void {
    this.lines.push(line);
    this.#waiting = this.#waiting.filter(({ fits, resolve }) => {
      if (!fits(line)) return true;
      resolve(line);
      return false;
    });
  }
}

export interface Credentials {
  certificateId: string;
  certificateArn: string;
  certificatePem: string;
  privateKey: string;
}

export interface World {
  started: StartedCloud;
  iot: IoTClient;
  log: RecordingLog;
}

/** A cloud in memory on free ports, closed after the test. */
export async function openWorld(context: TestContext, options: StartCloudOptions = { memory: true }): Promise<World> {
  const log = new RecordingLog();
  const started = await startCloud({
    mqttsPort: 0,
    httpsPort: 0,
    apiPort: 0,
    limits: "none",
    keyPoolSize: 0,
    log,
    ...options,
  });
  context.after(() => started.close());
  return { started, iot: iotClient(context, started.addresses.api), log };
}

export function iotClient(context: TestContext, endpoint: string): IoTClient {
  const credentials = { accessKeyId: "test", secretAccessKey: "test" };
  const iot = new IoTClient({ endpoint, region: "us-east-1", credentials });
  context.after(() => iot.destroy());
  return iot;
}

export const allowAll = { Effect: "Allow", Action: "iot:*", Resource: "*" };

let policyCount = 0;

/** An active certificate with a policy of these statements, attached to a thing when one is named. */
export async function createDevice(
  iot: IoTClient,
  { statements = [allowAll], thingName }: { statements?: unknown[]; thingName?: string } = {},
): Promise<Credentials & { policyName: string }> {
  const created = await iot.send(new CreateKeysAndCertificateCommand({ setAsActive: true }));
  const { certificateArn = "", certificateId = "", certificatePem = "", keyPair } = created;
  const policyName = `policy-${++policyCount}`;
  const policyDocument = JSON.stringify({ Version: "2012-10-17", Statement: statements });
  await iot.send(new CreatePolicyCommand({ policyName, policyDocument }));
  await iot.send(new AttachPolicyCommand({ policyName, target: certificateArn }));
  if (thingName !== undefined) {
    await iot.send(new CreateThingCommand({ thingName }));
    await iot.send(new AttachThingPrincipalCommand({ thingName, principal: certificateArn }));
  }
  return { certificateArn, certificateId, certificatePem, privateKey: keyPair?.PrivateKey ?? "", policyName };
}

export function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(":") + 1));
}

/** The arguments of the next event of an MQTT.js client. */
export function nextEvent(
  client: mqtt.MqttClient,
  event: "message" | "disconnect" | "close" | "connect",
): Promise<unknown[]> {
  return new Promise((resolve) => client.once(event, (...args: unknown[]) => resolve(args)));
}

/** What a client has to know of a cloud, in this process or another. */
export interface Reachable {
  addresses: Pick<StartedCloud["addresses"], "mqtts" | "api">;
  caPem: string;
}

export interface ClientOptions {
  clientId: string;
  /** Called before anything is received. */
  prepare?: (client: mqtt.MqttClient) => void;
  version?: 4 | 5;
  will?: mqtt.IClientOptions["will"];
  clean?: boolean;
  /** Default: MQTT.js's own. */
  keepAliveSeconds?: number;
}

/** Connects with MQTT.js. Rejects when the connection closes before its CONNACK. */
export async function connectClient(
  context: TestContext,
  cloud: Reachable,
  credentials: Pick<Credentials, "certificatePem" | "privateKey"> | undefined,
  { clientId, version = 4, will, clean = true, prepare, keepAliveSeconds }: ClientOptions,
): Promise<mqtt.MqttClient> {
  const client = mqtt.connect({
    protocol: "mqtts",
    host: "localhost",
    port: portOf(cloud.addresses.mqtts),
    ca: cloud.caPem,
    ...(credentials && { cert: credentials.certificatePem, key: credentials.privateKey }),
    clientId,
    protocolVersion: version,
    clean,
    reconnectPeriod: 0,
    ...(will && { will }),
    ...(keepAliveSeconds !== undefined && { keepalive: keepAliveSeconds }),
  });
  context.after(() => client.end(true));
  prepare?.(client);
  const errors: Error[] = [];
  client.on("error", (error) => errors.push(error));
  const outcome = await Promise.race([
    nextEvent(client, "connect").then(() => "connected" as const),
    nextEvent(client, "close").then(() => "closed" as const),
  ]);
  if (outcome === "connected") return client;
  throw new Error(`connection closed before CONNACK: ${errors[0]?.message ?? "no error"}`, { cause: errors[0] });
}

/** AWS's own client of the data plane, for the world's API port. */
export function openDataPlane(context: TestContext, world: World) {
  const credentials = { accessKeyId: "test", secretAccessKey: "test" };
  const options = { endpoint: world.started.addresses.api, region: "us-east-1", credentials, maxAttempts: 1 };
  const data = new IoTDataPlaneClient(options);
  context.after(() => data.destroy());
  return data;
}
