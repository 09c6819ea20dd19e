import { findRunningCloud, snapshotBytesMax, type RunningCloud } from "@thingline/cloud/node";
import type { Vending, VendingState } from "@thingline/cloud";
import { ThinglineError } from "@thingline/protocol";
import { readAnswer } from "./answer.js";

/** Large stores take their time. */
const adminTimeoutMs = 300_000;

export interface AdminRequest {
  method: "GET" | "POST";
  path: string;
  body?: Uint8Array;
  /** Of the answer. Default: a few words, or a snapshot. */
  bytesMax?: number;
}

/**
 * Asks the cloud that runs on a data folder for what is no part of AWS.
 *
 * @throws {ThinglineError} CLOUD_NOT_RUNNING, CLOUD_REQUEST_REFUSED
 */
export async function administer(
  { dataDir, signal }: { dataDir: string; signal: AbortSignal },
  request: AdminRequest,
): Promise<{ running: RunningCloud; body: Uint8Array }> {
  const running = await findRunningCloud(dataDir);
  const { method, path, body, bytesMax = path === "snapshot" ? snapshotBytesMax : undefined } = request;
  const response = await fetch(`${running.api}/_thingline/${path}`, {
    ...{
      method,
      ...(body === undefined ? {} : { body: Uint8Array.from(body), headers: { "content-type": "application/json" } }),
    },
    signal: AbortSignal.any([signal, AbortSignal.timeout(adminTimeoutMs)]),
  }).catch((cause: unknown) => {
    const message = `the local cloud at ${running.api} does not answer`;
    throw new ThinglineError("CLOUD_NOT_RUNNING", message, { details: { folder: dataDir }, cause });
  });
  const answer = await readAnswer(response.body, {
    ...(response.ok && bytesMax !== undefined && { bytesMax }),
    what: `the answer to ${method} ${path}`,
  });
  if (!response.ok) {
    const reason = reasonOf(new TextDecoder().decode(answer.subarray(0, 2_000)));
    throw new ThinglineError("CLOUD_REQUEST_REFUSED", `the cloud refused it (${response.status}): ${reason}`, {
      details: { status: response.status, path },
    });
  }
  return { running, body: answer };
}

function reasonOf(text: string): string {
  try {
    const { message } = JSON.parse(text) as { message?: unknown };
    if (typeof message === "string") return message;
  } catch {
    // Not ours, then: another server listens there.
  }
  return text.slice(0, 200);
}

/** Who answers devices that ask for a certificate. */
export async function readVending(where: { dataDir: string; signal: AbortSignal }): Promise<VendingState> {
  const { body } = await administer(where, { method: "GET", path: "vending" });
  return JSON.parse(new TextDecoder().decode(body)) as VendingState;
}

export async function switchVending(
  where: { dataDir: string; signal: AbortSignal },
  wanted: { vending: Vending; whereUndecided?: boolean },
): Promise<VendingState & { isChanged: boolean }> {
  const request = new TextEncoder().encode(JSON.stringify(wanted));
  const { body } = await administer(where, { method: "POST", path: "vending", body: request });
  return JSON.parse(new TextDecoder().decode(body)) as VendingState & { isChanged: boolean };
}

/** What it means for a device, in a line. */
export function describeVending(vending: Vending): string {
  if (vending === "builtin") return "on: the built-in service answers devices that ask on certificate/+/create";
  if (vending === "off") return "off: nobody of this cloud answers on certificate/+/create; your own subscriber can";
  return `function ${vending.function} is called for what devices ask on certificate/+/create`;
}
