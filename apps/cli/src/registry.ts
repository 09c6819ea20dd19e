import type { IoTClient } from "@aws-sdk/client-iot";
import type { IssuingPlane } from "@thingline/cloud/issue";
import { iotSdk } from "./aws-sdk.js";

/** AWS IoT over HTTP, local or real, for what is issued. */
export async function issuingPlane(client: IoTClient): Promise<IssuingPlane> {
  const sdk = iotSdk();
  return {
    send: (name, input, signal) => {
      // Each operation has a command of its own type; the names and the members are AWS's.
      const Command = sdk[`${name}Command`] as unknown as new (input: object) => Parameters<IoTClient["send"]>[0];
      return client.send(new Command(input), signal === undefined ? {} : { abortSignal: signal });
    },
    isError: (error, awsName) => error instanceof Error && error.name === awsName,
  };
}
