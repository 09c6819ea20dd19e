import { isRecord, isThinglineError, type JsonObject, type JsonValue } from "@thingline/protocol";
import { provisioningParametersMax } from "@thingline/protocol/fleet-provisioning";
import type { Functions } from "../../functions/index.js";
import type { Log } from "../../log.js";
import { accessDenied } from "./refusal.js";

/** AWS waits as long for a hook. */
export const hookTimeoutMs = 5_000;

/** What AWS hands a pre-provisioning hook. */
export interface HookEvent {
  /** Absent for a client without a certificate. */
  claimCertificateId?: string;
  certificateId: string;
  certificatePem: string;
  templateArn: string;
  clientId: string;
  parameters: Readonly<Record<string, string>>;
}

export interface HookCallerDependencies {
  functions: Functions;
  log: Log;
}

/**
 * Asks a template's hook whether a device may be provisioned.
 *
 * @returns what takes the place of the device's parameters, or is added to them
 */
export type AskHook = (targetArn: string, event: HookEvent) => Promise<Readonly<Record<string, string>>>;

/** Throws {@link accessDenied} when the hook says no, fails, takes too long or answers in another shape; the log says which. */
export function createHookCaller({ functions, log }: HookCallerDependencies): AskHook {
  return async (targetArn, event) => {
    const { clientId, templateArn } = event;
    const denied = (reason: string) => {
      log.warn("provisioningHookDenied", { clientId, templateArn, targetArn, reason });
      return accessDenied();
    };
    const answer = await functions
      .invoke(targetArn, { ...event } satisfies JsonObject, { timeoutMs: hookTimeoutMs })
      .catch((error: unknown) => {
        // Whatever went wrong, AWS denies; a cloud that closes is no word of the hook's.
        if (!isThinglineError(error) || error.code === "CLOSED") throw error;
        throw denied(error.message);
      });
    const read = readAnswer(answer);
    if (typeof read === "string") throw denied(read);
    return read;
  };
}

/** @returns a text: why the answer lets nobody be provisioned */
export function readAnswer(answer: JsonValue): Readonly<Record<string, string>> | string {
  if (!isRecord(answer)) return "its answer is no object";
  const { allowProvisioning, parameterOverrides = {} } = answer;
  if (allowProvisioning !== true) return `allowProvisioning is ${wordFor(allowProvisioning)}`;
  if (parameterOverrides === null) return {};
  if (!isRecord(parameterOverrides)) return "parameterOverrides is no object";
  const overrides = Object.entries(parameterOverrides);
  if (overrides.length > provisioningParametersMax)
    return `parameterOverrides has more than ${provisioningParametersMax} members`;
  const texts = overrides.filter((each): each is [string, string] => typeof each[1] === "string");
  if (texts.length < overrides.length) return "parameterOverrides holds something else than texts";
  return Object.fromEntries(texts);
}

/** For the log: what a hook answers may be long, nested without end, or not for everybody to read. */
function wordFor(value: JsonValue | undefined): string {
  if (value === undefined) return "missing";
  if (value === null || value === false) return String(value);
  return Array.isArray(value) ? "a list" : `${typeof value === "object" ? "an" : "a"} ${typeof value}`;
}
