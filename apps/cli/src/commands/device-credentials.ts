import { createRoleCredentials } from "@thingline/device/credentials";
import { createNodeClock, createNodeFiles, createNodeHttp } from "@thingline/transport/node";
import type { CommandContext } from "../command.js";
import { readCredentialFiles } from "../credentials-folder.js";
import { UsageError } from "../failure.js";
import { openIot, type PlaceOptions } from "./members.js";

interface CredentialsOptions extends PlaceOptions {
  from: string;
  roleAlias: string;
  thing?: string;
  endpoint?: string;
}

/** `thingline device credentials`: what a device with these credentials gets, as the AWS CLI's `credential_process` wants it. */
export async function deviceCredentials(context: CommandContext, options: CredentialsOptions): Promise<void> {
  const { output, signal } = context;
  const { roleAlias, thing: thingName } = options;
  const { ca, certificate, privateKey } = await readCredentialFiles(createNodeFiles(), { from: options.from });
  if (certificate === undefined || privateKey === undefined) {
    throw new UsageError(
      `"${options.from}" has no certificate with a private key: --from is a folder of \`thing create\``,
    );
  }
  // On AWS the CA of the folder is that of the data endpoint, whose certificates it signs here as well.
  const tls = { certificate, privateKey, ...(ca !== undefined && { ca }) };
  const endpoint = options.endpoint ?? (await findEndpoint(context, options));
  const provider = createRoleCredentials({
    ...{ endpoint, roleAlias, tls, http: createNodeHttp(), clock: createNodeClock() },
    ...(thingName !== undefined && { thingName }),
  });
  const { accessKeyId, secretAccessKey, sessionToken, expiration } = await provider({ signal });
  const told = { Version: 1, AccessKeyId: accessKeyId, SecretAccessKey: secretAccessKey, SessionToken: sessionToken };
  const credentials = { ...told, Expiration: expiration.toISOString() };
  output.event({ event: "roleCredentials", ...credentials }, JSON.stringify(credentials, null, 2));
}

async function findEndpoint(context: CommandContext, options: PlaceOptions): Promise<string> {
  const { client, sdk, send } = await openIot(context, options);
  const command = new sdk.DescribeEndpointCommand({ endpointType: "iot:CredentialProvider" });
  return (await client.send(command, send)).endpointAddress ?? "";
}
