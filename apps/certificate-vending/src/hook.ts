import { ThinglineError } from "@thingline/protocol";
import { forbidden } from "./admission.js";
import type { VendingRequest } from "./event.js";

/** AWS gives a pre-provisioning hook as long. */
export const hookTimeoutMs = 5_000;

/** The members of AWS's pre-provisioning hook that there are before a certificate is: one function can judge both kinds of provisioning. */
export interface HookEvent {
  clientId: string;
  parameters: { SerialNumber: string; ThingName: string };
}

/** Answers with AWS's shape, `{ allowProvisioning: true }`. */
export type VendingHook = (event: HookEvent) => Promise<unknown>;

/**
 * Whether the account's own function lets the device in. Only the word `true` does.
 *
 * @throws {ThinglineError} REQUEST_FORBIDDEN; INTERNAL_FAILURE when the function failed or answered something else.
 */
export async function askHook(hook: VendingHook, { clientId, thingName }: VendingRequest): Promise<void> {
  const event: HookEvent = { clientId, parameters: { SerialNumber: thingName, ThingName: thingName } };
  let answer: unknown;
  try {
    answer = await hook(event);
  } catch (cause) {
    throw new ThinglineError("INTERNAL_FAILURE", "the function that decides who may be provisioned failed", { cause });
  }
  const verdict = (answer as { allowProvisioning?: unknown } | null | undefined)?.allowProvisioning;
  if (verdict === true) return;
  if (verdict === false) throw forbidden(`"${thingName}" may not be provisioned`);
  const message = "the function that decides who may be provisioned must answer { allowProvisioning: true } or false";
  throw new ThinglineError("INTERNAL_FAILURE", message);
}
