import type { Endpoint } from "@thingline/transport";

const awsMqttsPort = 8883;
/** Where AWS serves credentials. */
const httpsPort = 443;
const endpointTypes = new Set(["iot:Data", "iot:Data-ATS", "iot:CredentialProvider", "iot:Jobs"]);

/**
 * Without a port when it is AWS's own, so that what is written for AWS works; with it otherwise, because nobody could
 * guess it.
 *
 * @returns undefined for a type that there is not
 */
export function endpointAddressOf(
  endpointType: string,
  { mqttsEndpoint, credentialsEndpoint }: { mqttsEndpoint: () => Endpoint; credentialsEndpoint: () => Endpoint },
): string | undefined {
  if (!endpointTypes.has(endpointType)) return undefined;
  const isOfCredentials = endpointType === "iot:CredentialProvider";
  const { host, port } = isOfCredentials ? credentialsEndpoint() : mqttsEndpoint();
  return port === (isOfCredentials ? httpsPort : awsMqttsPort) ? host : `${host}:${port}`;
}
