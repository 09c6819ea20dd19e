import type { IoTClient, IoTClientConfig } from "@aws-sdk/client-iot";
import { iotSdk } from "./aws-sdk.js";
import { localAccessKey } from "./access-keys.js";
import { findRunningCloud } from "@thingline/cloud/node";
import { ThinglineError } from "@thingline/protocol";
import { createNodeFiles } from "@thingline/transport/node";
import { credentialFileBytesMax } from "./credentials-folder.js";
import { readTextFile } from "./text-file.js";

/** The control plane that a command talks to: the local cloud that runs on a data directory, or a real account. */
export interface ControlPlane {
  client: IoTClient;
  /** For people: where this is. */
  description: string;
  /** Host and port that devices connect to. */
  device: DeviceEndpoint;
  /** URL of the data plane. */
  dataEndpoint: string;
  /** Undefined where only AWS knows it. */
  account: string | undefined;
  region: string;
  /** PEM to trust; undefined on AWS, where the caller uses Amazon Root CA 1. */
  caPem: string | undefined;
}

export interface DeviceEndpoint {
  host: string;
  port: number;
}

const awsMqttsPort = 8883;

/**
 * @throws {ThinglineError} CLOUD_NOT_RUNNING when no local cloud runs on `dataDir`; OPTION_INVALID when AWS's environment
 * names no region.
 */
export async function openControlPlane(options: {
  aws: boolean;
  dataDir: string;
  signal?: AbortSignal;
}): Promise<ControlPlane> {
  if (options.aws) return openAws(options.signal);
  const running = await findRunningCloud(options.dataDir);
  const client = await createClient({
    endpoint: running.api,
    region: running.region,
    credentials: await localAccessKey(),
  });
  return {
    client,
    description: `local cloud at ${running.api}`,
    device: reachable(parseEndpoint(running.mqtts)),
    dataEndpoint: running.api,
    account: running.account,
    region: running.region,
    caPem: await readTextFile(createNodeFiles(), running.ca, { bytesMax: credentialFileBytesMax }),
  };
}

async function openAws(signal: AbortSignal | undefined): Promise<ControlPlane> {
  const client = await createAwsClient();
  const region = await client.config.region().catch((cause: unknown) => {
    const message = "no AWS region: set AWS_REGION, or the region of the profile that AWS_PROFILE names";
    throw new ThinglineError("OPTION_INVALID", message, { details: { option: "AWS_REGION" }, cause });
  });
  const { DescribeEndpointCommand } = iotSdk();
  const command = new DescribeEndpointCommand({ endpointType: "iot:Data-ATS" });
  const { endpointAddress = "" } = await client.send(command, { ...(signal && { abortSignal: signal }) });
  return {
    client,
    description: `AWS account, region ${region}`,
    device: parseEndpoint(endpointAddress),
    dataEndpoint: `https://${endpointAddress}`,
    account: undefined,
    region,
    caPem: undefined,
  };
}

/** Nothing is given: environment, profile and region are what the AWS CLI would take. */
export function createAwsClient(): Promise<IoTClient> {
  return createClient({});
}

async function createClient(config: IoTClientConfig): Promise<IoTClient> {
  // The SDK's notice about old Node versions is for its users' developers, not for the users of a command.
  process.env["AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED"] ??= "true";
  const { IoTClient } = iotSdk();
  return new IoTClient(config);
}

/** `HOST`, `HOST:PORT` or `[ADDRESS]:PORT`; AWS names no port. */
export function parseEndpoint(text: string): DeviceEndpoint {
  const [, bracketed, plain = text, port] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(text) ?? [];
  return { host: bracketed ?? plain, port: port === undefined ? awsMqttsPort : Number(port) };
}

/** Listening at every address is no name to connect to. */
function reachable({ host, port }: DeviceEndpoint): DeviceEndpoint {
  return { host: host === "0.0.0.0" || host === "::" ? "localhost" : host, port };
}
