import { ThinglineError } from "@thingline/protocol";
import { isClaimClientId } from "@thingline/protocol/provisioning";
import { keyOriginOf, type VendingRequest } from "./event.js";
import type { VendingLimits, VendingSettings } from "./settings.js";
import type { ThingCertificate } from "./types.js";

/** By what a request says alone. @throws {ThinglineError} REQUEST_FORBIDDEN */
export function admitRequest(request: VendingRequest, settings: VendingSettings): void {
  const { clients = "claim", names = [], keys = "any" } = settings;
  const { clientId, thingName } = request;
  if (clients === "claim" && !isClaimClientId(clientId)) {
    throw forbidden(`a client asks with its claim as claim-${thingName}, this one is "${clientId}"`);
  }
  if (names.length > 0 && !names.some((name) => fits(thingName, name))) {
    throw forbidden(`"${thingName}" is no name that may be provisioned here`);
  }
  if (keys === "device" && keyOriginOf(request) === "cloud") {
    throw forbidden("certificates are made only for keys that devices made: ask on create-from-csr");
  }
}

/**
 * By the certificates that a thing has. Its own are what its requests have led to, so the registry counts them, and no other table does.
 *
 * @throws {ThinglineError} THROTTLED when it got too many just now, QUOTA_EXCEEDED when it has too many, REQUEST_FORBIDDEN when it is in use.
 */
export function admitThing(
  thingName: string,
  certificates: readonly ThingCertificate[],
  { provisionedThings = "refuse" }: VendingSettings,
  limits: VendingLimits,
  nowMs: number,
): void {
  const { certificatesPerWindowMax, windowMs, certificatesPerThingMax } = limits;
  const recent = certificates.filter(({ createdAtMs }) => createdAtMs > nowMs - windowMs);
  if (provisionedThings === "refuse" && recent.length < certificates.length) {
    const advice = "delete that certificate if the device is to be provisioned anew";
    throw forbidden(
      `the thing "${thingName}" has had a certificate for more than ${windowMs / 60_000} minutes: ${advice}`,
    );
  }
  if (certificates.length >= certificatesPerThingMax) {
    const message = `the thing "${thingName}" has ${certificates.length} certificates: delete those that no device uses`;
    throw new ThinglineError("QUOTA_EXCEEDED", message, { details: { certificatesPerThingMax } });
  }
  if (recent.length < certificatesPerWindowMax) return;
  const message = `the thing "${thingName}" got ${recent.length} certificates within ${windowMs / 60_000} minutes; try again later`;
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
