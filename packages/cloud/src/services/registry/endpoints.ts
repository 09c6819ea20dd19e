import type { Endpoint } from "@thingline/transport";

const awsMqttsPort = 8883;
const endpointTypes = new Set(["iot:Data", "iot:Data-ATS", "iot:CredentialProvider", "iot:Jobs"]);

/**
 * Without a port when it is AWS's own, so that what is written for AWS works; with it otherwise, because nobody could
 * guess it.
 *
 * @returns undefined for a type that there is not
 */
export function endpointAddressOf(endpointType: string, mqttsEndpoint: () => Endpoint): string | undefined {
  if (!endpointTypes.has(endpointType)) return undefined;
  const { host, port } = mqttsEndpoint();
  return port === awsMqttsPort ? host : `${host}:${port}`;
}
