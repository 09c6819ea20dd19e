import { readFile } from "node:fs/promises";
import type { IoTClient } from "@aws-sdk/client-iot";
import { findRunningCloud } from "@thingline/cloud/node";

/** The control plane that a command talks to: the local cloud that runs on a data directory, or a real account. */
export interface ControlPlane {
  client: IoTClient;
  /** For people: where this is. */
  description: string;
  /** Host and port that devices connect to. */
  device: { host: string; port: number };
  /** PEM to trust; undefined on AWS, where the caller uses Amazon Root CA 1. */
  caPem: string | undefined;
}

/** The local cloud knows this one access key. It tells mistakes apart, not attackers. */
const localCredentials = { accessKeyId: "test", secretAccessKey: "test" };

/**
 * @throws {ThinglineError} CLOUD_NOT_RUNNING when no local cloud runs on `dataDir`.
 */
export async function openControlPlane(options: { aws: boolean; dataDir: string }): Promise<ControlPlane> {
  // The SDK's notice about old Node versions is for its users' developers, not for the users of a command.
  process.env["AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED"] ??= "true";
  const { DescribeEndpointCommand, IoTClient } = await import("@aws-sdk/client-iot");
  if (options.aws) {
    const client = new IoTClient({});
    const { endpointAddress } = await client.send(new DescribeEndpointCommand({ endpointType: "iot:Data-ATS" }));
    return {
      client,
      description: `AWS account, region ${await client.config.region()}`,
      device: { host: endpointAddress ?? "", port: 8883 },
      caPem: undefined,
    };
  }
  const running = await findRunningCloud(options.dataDir);
  const client = new IoTClient({ endpoint: running.api, region: running.region, credentials: localCredentials });
  const port = Number(running.mqtts.slice(running.mqtts.lastIndexOf(":") + 1));
  return {
    client,
    description: `local cloud at ${running.api}`,
    device: { host: "localhost", port },
    caPem: await readFile(running.ca, "utf8"),
  };
}
