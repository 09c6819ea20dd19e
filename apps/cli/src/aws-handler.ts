import type { CloudFunction, Log, Vending } from "@thingline/cloud";
import { type AccessKey, defaultAccessKey } from "@thingline/cloud/node";
import { awsHandlerName } from "./option-values.js";

export interface AwsHandler {
  functions: Record<string, CloudFunction>;
  close(): void;
}

export interface AwsHandlerOptions {
  vending: Vending | undefined;
  /** Those of the command line, which go first. */
  functions: Record<string, CloudFunction> | undefined;
  accessKeys: readonly AccessKey[] | undefined;
  region: string;
  /** URL of the API port, known when the cloud runs. */
  endpoint: () => string;
  log: Log;
}

/** What a cloud is given as functions: with the handler of an AWS account among them when it is to answer. Else the AWS SDK is not loaded. */
export async function openAwsHandler(options: AwsHandlerOptions): Promise<AwsHandler> {
  const { vending, functions = {}, accessKeys = [], region, endpoint, log } = options;
  const isWanted = typeof vending === "object" && vending.function === awsHandlerName && !(awsHandlerName in functions);
  if (!isWanted) return { functions, close: () => undefined };
  process.env["AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED"] ??= "true";
  const [{ createLocalVending }, { provisionedPolicyDocument, provisionedPolicyName }] = await Promise.all([
    import("@thingline/certificate-vending"),
    import("@thingline/cloud"),
  ]);
  const { accessKeyId, secretAccessKey } = accessKeys[0] ?? defaultAccessKey;
  const local = createLocalVending({
    ...{ endpoint, region, log, credentials: { accessKeyId, secretAccessKey } },
    policy: { policyName: provisionedPolicyName, policyDocument: provisionedPolicyDocument },
  });
  const handler: CloudFunction = (event, context) => local.handler(event, context);
  return { functions: { ...functions, [awsHandlerName]: handler }, close: () => local.close() };
}
