import { CreatePolicyCommand, GetPolicyCommand, IoTClient } from "@aws-sdk/client-iot";
import { IoTDataPlaneClient } from "@aws-sdk/client-iot-data-plane";
import { createAwsVendingCloud, requestTimeoutMs } from "./aws-cloud.js";
import { isNamed } from "./failure.js";
import { createVendingHandler } from "./handler.js";
import type { VendingSettings } from "./settings.js";
import type { VendedCertificate, VendingHandler, VendingLog } from "./types.js";

/** Where a local cloud takes requests of the AWS SDK, and with what they are signed. */
export interface LocalVendingOptions {
  /** Asked at the first call: a function is handed to a cloud before that listens. */
  endpoint: () => string;
  region: string;
  credentials: { accessKeyId: string; secretAccessKey: string };
  /** Made at the first call unless it is there, as the stack of an account makes it. */
  policy: { policyName: string; policyDocument: string };
  settings?: Partial<VendingSettings>;
  log: VendingLog;
}

/** A machine of one's own has no strangers, and a board on the desk is provisioned again and again. */
export const localSettings = {
  clients: "any",
  provisionedThings: "allow",
  limits: { certificatesPerWindowMax: 50, certificatesPerThingMax: 50, requestsPerMinuteMax: 100_000 },
} as const satisfies Partial<VendingSettings>;

/** The handler that Lambda runs, in this process, for a local cloud: one of its functions. */
export interface LocalVending {
  handler: VendingHandler;
  /** Ends its connections. */
  close(): void;
}

export function createLocalVending(options: LocalVendingOptions): LocalVending {
  const { endpoint, region, credentials, policy, settings, log } = options;
  let opened: { handle: Promise<VendingHandler>; close: () => void } | undefined;

  const open = (): NonNullable<typeof opened> => {
    const config = { endpoint: endpoint(), region, credentials, maxAttempts: 1 };
    const [iot, iotData] = [new IoTClient(config), new IoTDataPlaneClient(config)];
    const cloud = createAwsVendingCloud({
      ...{ iot, iotData },
      wait: (delayMs) => new Promise((resolve) => setTimeout(resolve, delayMs)),
      random: Math.random,
    });
    const made = { ...localSettings, ...settings, policyName: policy.policyName };
    const handle = ensurePolicy(iot, policy).then(() => createVendingHandler({ cloud, log, unixMs: Date.now }, made));
    const close = (): void => {
      iot.destroy();
      iotData.destroy();
    };
    // Whoever makes it again, after a failure, makes it anew.
    handle.catch(() => {
      opened = undefined;
      close();
    });
    return { handle, close };
  };

  return {
    async handler(event, context): Promise<VendedCertificate> {
      const handle = await (opened ??= open()).handle;
      return handle(event, context);
    },
    close: () => opened?.close(),
  };
}

async function ensurePolicy(iot: IoTClient, policy: LocalVendingOptions["policy"]): Promise<void> {
  const options = () => ({ abortSignal: AbortSignal.timeout(requestTimeoutMs) });
  try {
    await iot.send(new GetPolicyCommand({ policyName: policy.policyName }), options());
  } catch (error) {
    if (!isNamed(error, "ResourceNotFoundException")) throw error;
    await iot.send(new CreatePolicyCommand(policy), options());
  }
}
