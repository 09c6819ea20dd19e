import type { AuthenticationType, ApplicationProtocol } from "@aws-sdk/client-iot";
import { createNodeFiles } from "@thingline/transport/node";
import type { CommandContext } from "../command.js";
import { exitCodes, UsageError } from "../failure.js";
import { openIot, pageSize, type PlaceOptions } from "./members.js";

interface CreateOptions extends PlaceOptions {
  function: string;
  tokenKey?: string;
  publicKey?: string;
  signing: boolean;
  default?: boolean;
}

interface TestOptions extends PlaceOptions {
  token?: string;
  signature?: string;
  username?: string;
  password?: string;
  clientId?: string;
}

interface DomainOptions extends PlaceOptions {
  domain?: string;
  certificateArn?: string;
  authorizer?: string;
  authentication?: AuthenticationType;
  protocol?: ApplicationProtocol;
  securityPolicy?: string;
}

/** Of a public key in a file. */
const keyFileBytesMax = 64 * 1024;
/** The name that the key of a file gets. */
const keyName = "key";

/** `thingline authorizer create NAME --function ARN` */
export async function authorizerCreate(context: CommandContext, options: CreateOptions, name = ""): Promise<void> {
  const { output } = context;
  const { tokenKey, publicKey, signing } = options;
  if (signing && (tokenKey === undefined || publicKey === undefined))
    throw new UsageError("give --token-key and --public-key, or --no-signing for tokens that nobody signs");
  const key = publicKey === undefined ? undefined : await readText(publicKey);
  const { plane, client, sdk, send } = await openIot(context, options);
  const command = new sdk.CreateAuthorizerCommand({
    ...{ authorizerName: name, authorizerFunctionArn: options.function, status: "ACTIVE" },
    ...(tokenKey !== undefined && { tokenKeyName: tokenKey }),
    ...(key !== undefined && { tokenSigningPublicKeys: { [keyName]: key } }),
    ...(!signing && { signingDisabled: true }),
  });
  const { authorizerArn } = await client.send(command, send);
  const isDefault = options.default === true;
  if (isDefault) await client.send(new sdk.SetDefaultAuthorizerCommand({ authorizerName: name }), send);
  output.event(
    { event: "authorizerCreated", authorizerName: name, authorizerArn, isDefault },
    `${output.paint.green("created")} authorizer ${name} in the ${plane.description}${isDefault ? ", the default one" : ""}`,
  );
}

/** `thingline authorizer list` */
export async function authorizerList(context: CommandContext, options: PlaceOptions): Promise<void> {
  const { output } = context;
  const { plane, client, sdk, send } = await openIot(context, options);
  let count = 0;
  let marker: string | undefined;
  do {
    const input = { pageSize, ascendingOrder: true, ...(marker !== undefined && { marker }) };
    const page = await client.send(new sdk.ListAuthorizersCommand(input), send);
    for (const { authorizerName = "" } of page.authorizers ?? []) {
      count++;
      const found = await client.send(new sdk.DescribeAuthorizerCommand({ authorizerName }), send);
      const { status, authorizerFunctionArn } = found.authorizerDescription ?? {};
      output.event(
        { event: "authorizer", authorizerName, status, authorizerFunctionArn },
        `${authorizerName.padEnd(24)}  ${(status ?? "").padEnd(8)}  ${authorizerFunctionArn}`,
      );
    }
    marker = page.nextMarker;
  } while (marker !== undefined);
  if (count === 0) output.say(`no authorizers in the ${plane.description}`);
}

/** `thingline authorizer test NAME` */
export async function authorizerTest(context: CommandContext, options: TestOptions, name = ""): Promise<number> {
  const { output } = context;
  const { client, sdk, send } = await openIot(context, options);
  const { token, signature, username, password, clientId } = options;
  const mqttContext = {
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password: new TextEncoder().encode(password) }),
    ...(clientId !== undefined && { clientId }),
  };
  const command = new sdk.TestInvokeAuthorizerCommand({
    authorizerName: name,
    ...(token !== undefined && { token }),
    ...(signature !== undefined && { tokenSignature: signature }),
    ...(Object.keys(mqttContext).length > 0 && { mqttContext }),
  });
  const answer = await client.send(command, send);
  const {
    isAuthenticated = false,
    principalId,
    policyDocuments,
    refreshAfterInSeconds,
    disconnectAfterInSeconds,
  } = answer;
  const facts = { isAuthenticated, principalId, policyDocuments, refreshAfterInSeconds, disconnectAfterInSeconds };
  const lines = isAuthenticated
    ? [`${output.paint.green("let in")} as ${principalId}`, ...(policyDocuments ?? []).map((text) => `  ${text}`)]
    : [`${output.paint.yellow("turned away")}: isAuthenticated is false`];
  output.event({ event: "authorizerTested", authorizerName: name, ...facts }, lines.join("\n"));
  return isAuthenticated ? exitCodes.done : exitCodes.failed;
}

/** `thingline domain create NAME` */
export async function domainCreate(context: CommandContext, options: DomainOptions, name = ""): Promise<void> {
  const { output } = context;
  const { domain, authorizer, authentication, protocol, securityPolicy, aws } = options;
  // The local cloud's own CA issues a certificate for whatever ARN it was not given one for.
  const local = aws === true ? undefined : `arn:aws:acm:us-east-1:000000000000:certificate/${name}`;
  const certificateArn = options.certificateArn ?? (domain === undefined ? undefined : local);
  if (domain !== undefined && certificateArn === undefined)
    throw new UsageError("give --certificate-arn with --domain");
  const { plane, client, sdk, send } = await openIot(context, options);
  const command = new sdk.CreateDomainConfigurationCommand({
    domainConfigurationName: name,
    ...(domain !== undefined && { domainName: domain }),
    ...(certificateArn !== undefined && { serverCertificateArns: [certificateArn] }),
    ...(authorizer !== undefined && { authorizerConfig: { defaultAuthorizerName: authorizer } }),
    ...(authentication !== undefined && { authenticationType: authentication }),
    ...(protocol !== undefined && { applicationProtocol: protocol }),
    ...(securityPolicy !== undefined && { tlsConfig: { securityPolicy } }),
  });
  const { domainConfigurationArn } = await client.send(command, send);
  const described = await client.send(
    new sdk.DescribeDomainConfigurationCommand({ domainConfigurationName: name }),
    send,
  );
  const { domainName } = described;
  output.event(
    { event: "domainCreated", domainConfigurationName: name, domainConfigurationArn, domainName },
    `${output.paint.green("created")} domain configuration ${name} for ${domainName} in the ${plane.description}`,
  );
}

/** `thingline domain list` */
export async function domainList(context: CommandContext, options: PlaceOptions): Promise<void> {
  const { output } = context;
  const { client, sdk, send } = await openIot(context, options);
  let marker: string | undefined;
  do {
    const input = { pageSize, ...(marker !== undefined && { marker }) };
    const page = await client.send(new sdk.ListDomainConfigurationsCommand(input), send);
    for (const { domainConfigurationName = "" } of page.domainConfigurations ?? []) {
      const found = await client.send(new sdk.DescribeDomainConfigurationCommand({ domainConfigurationName }), send);
      const { domainName, domainConfigurationStatus: status, authenticationType, applicationProtocol } = found;
      const words = [status, authenticationType, applicationProtocol].filter((word) => word !== "DEFAULT");
      output.event(
        { event: "domain", domainConfigurationName, domainName, status, authenticationType, applicationProtocol },
        `${domainConfigurationName.padEnd(24)}  ${domainName}  ${words.join(", ")}`,
      );
    }
    marker = page.nextMarker;
  } while (marker !== undefined);
}

async function readText(path: string): Promise<string> {
  return new TextDecoder().decode(await createNodeFiles().read(path, { bytesMax: keyFileBytesMax }));
}
