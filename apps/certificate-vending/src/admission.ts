import { ThinglineError } from "@thingline/protocol";
import { keyOriginOf, type VendingRequest } from "./event.js";
import { limitsOf, type AdmissionSettings, type VendingLimits, type VendingSettings } from "./settings.js";
import type { VendingCloud } from "./types.js";

/** By what a request says alone. @throws {ThinglineError} REQUEST_FORBIDDEN */
export function admitRequest(request: VendingRequest, settings: VendingSettings): void {
  admitName(request.thingName, settings);
  if (settings.keys === "device" && keyOriginOf(request) === "cloud") {
    throw forbidden("certificates are made only for keys that devices made: ask on create-from-csr");
  }
}

export function admitName(thingName: string, { names = [] }: AdmissionSettings): void {
  if (names.length === 0 || names.some((name) => fits(thingName, name))) return;
  throw forbidden(`"${thingName}" is no name that may be provisioned here`);
}

/** What the registry is asked before a device gets anything. */
export type Registry = Pick<VendingCloud, "hasThing" | "listThingCertificates">;

/**
 * By what the registry knows of the thing. Its certificates are what its requests have led to, so that no other table has to count them.
 *
 * @param isItself the thing asks, not somebody with a claim
 * @returns whether the thing is there
 * @throws {ThinglineError} THROTTLED when it got too many just now, QUOTA_EXCEEDED when it has too many, REQUEST_FORBIDDEN when it may not.
 */
export async function admitThing(
  { thingName, isItself }: { thingName: string; isItself: boolean },
  { registry, settings, nowMs }: { registry: Registry; settings: AdmissionSettings; nowMs: number },
): Promise<boolean> {
  const isThere = await registry.hasThing(thingName);
  const certificates = isThere ? await registry.listThingCertificates(thingName) : [];
  if (isItself && certificates.length === 0) {
    throw forbidden(`the thing "${thingName}" has no certificate: with a claim it asks as claim-${thingName}`);
  }
  if (!isThere && settings.things === "registered") throw forbidden(`there is no thing "${thingName}" in the registry`);
  const { certificatesPerWindowMax, windowMs, certificatesPerThingMax } = limitsOf(settings);
  const recent = certificates.filter(({ createdAtMs }) => createdAtMs > nowMs - windowMs);
  const minutes = windowMs / 60_000;
  if (!isItself && settings.provisionedThings !== "allow" && recent.length < certificates.length) {
    const advice = "delete that certificate if the device is to be provisioned anew";
    throw forbidden(`the thing "${thingName}" has had a certificate for more than ${minutes} minutes: ${advice}`);
  }
  if (certificates.length >= certificatesPerThingMax) {
    const message = `the thing "${thingName}" has ${certificates.length} certificates: delete those that no device uses`;
    throw new ThinglineError("QUOTA_EXCEEDED", message, { details: { certificatesPerThingMax } });
  }
  if (recent.length < certificatesPerWindowMax) return isThere;
  const message = `the thing "${thingName}" got ${recent.length} certificates within ${minutes} minutes; try again later`;
  throw new ThinglineError("THROTTLED", message, { details: { certificatesPerWindowMax } });
}

/** Requests of one instance of the function, in the minute before now; how many instances there are is the template's to say. */
export function createRequestGuard({ requestsPerMinuteMax }: VendingLimits): { admit(nowMs: number): void } {
  let startedAtMs = -Infinity;
  let count = 0;
  return {
    admit(nowMs) {
      // A clock that was set back begins a new minute too.
      if (nowMs >= startedAtMs + 60_000 || nowMs < startedAtMs) [startedAtMs, count] = [nowMs, 0];
      if (count >= requestsPerMinuteMax) {
        const message = `${requestsPerMinuteMax} devices asked within a minute; try again later`;
        throw new ThinglineError("THROTTLED", message, { details: { requestsPerMinuteMax } });
      }
      count++;
    },
  };
}

export function forbidden(message: string): ThinglineError {
  return new ThinglineError("REQUEST_FORBIDDEN", message);
}

/** `*` is any run of characters. Without regular expressions, so that no pattern is slow. */
export function fits(name: string, pattern: string): boolean {
  const [first = "", ...rest] = pattern.split("*");
  if (rest.length === 0) return name === pattern;
  const last = rest.pop() ?? "";
  if (!name.startsWith(first) || !name.endsWith(last) || name.length < first.length + last.length) return false;
  const end = name.length - last.length;
  let at = first.length;
  for (const part of rest) {
    const found = name.indexOf(part, at);
    if (found === -1 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}
