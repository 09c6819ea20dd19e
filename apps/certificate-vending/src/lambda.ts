// What Lambda runs: the handler with the settings of the function's environment. Everything is made once an instance, so that a wrong
// setting shows at once, in the log and where the function's failures go.
import { ThinglineError } from "@thingline/protocol";
import { createVendingHandler } from "./handler.js";
import { hookTimeoutMs, type VendingHook } from "./hook.js";
import { createLambdaCloud, lambdaLog } from "./lambda-cloud.js";
import { readSettings } from "./settings.js";

export const handler = createVendingHandler(
  { cloud: createLambdaCloud(), hook: hookOf(process.env["HOOK_FUNCTION_ARN"]), log: lambdaLog, unixMs: Date.now },
  readSettings(process.env),
);

/** The SDK's client for it is loaded where there is a hook. */
function hookOf(functionArn: string | undefined): VendingHook | undefined {
  if (functionArn === undefined || functionArn === "") return undefined;
  return async (event) => {
    const { InvokeCommand, LambdaClient } = await import("@aws-sdk/client-lambda");
    const client = new LambdaClient({ maxAttempts: 1 });
    const command = new InvokeCommand({ FunctionName: functionArn, Payload: JSON.stringify(event) });
    const { FunctionError, Payload } = await client.send(command, { abortSignal: AbortSignal.timeout(hookTimeoutMs) });
    if (FunctionError !== undefined) throw new ThinglineError("INTERNAL_FAILURE", `the hook failed: ${FunctionError}`);
    return JSON.parse(new TextDecoder().decode(Payload)) as unknown;
  };
}
