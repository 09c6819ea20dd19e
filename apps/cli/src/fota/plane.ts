import type { IoTClient } from "@aws-sdk/client-iot";
import { iotSdk } from "../aws-sdk.js";
import type { CommandContext } from "../command.js";
import { openControlPlane, type ControlPlane } from "../control-plane.js";

export interface PlaceOptions {
  dataDir: string;
  aws?: boolean;
}

/** Loaded when a command runs, so that `--help` stays fast. */
type Sdk = ReturnType<typeof iotSdk>;

/** AWS IoT, local or real, as the commands for updates need it. */
export interface FotaPlane {
  readonly plane: ControlPlane;
  readonly client: IoTClient;
  readonly sdk: Sdk;
  /** Ends requests when the user stops the command. */
  readonly send: { readonly abortSignal: AbortSignal };
}

export async function openFotaPlane({ signal }: CommandContext, { aws, dataDir }: PlaceOptions): Promise<FotaPlane> {
  const plane = await openControlPlane({ aws: aws === true, dataDir, signal });
  return { plane, client: plane.client, sdk: iotSdk(), send: { abortSignal: signal } };
}

/** Whether it is an error of AWS with this name. */
export function isAwsError(error: unknown, name: string): error is Error {
  return error instanceof Error && error.name === name;
}
