import { ThinglineError } from "@thingline/protocol";
import {
  claimedDeviceIdCharactersMax,
  deviceIdOfClient,
  isClaimClientId,
  isDeviceId,
  requestBytesMax,
} from "@thingline/protocol/provisioning";
import type { KeyOrigin } from "./types.js";

/** A device that asks, as far as its event is one. */
export interface VendingRequest {
  /** What it is connected as; its answers go to topics of this name. */
  clientId: string;
  /** The client id without the prefix of a claim. */
  thingName: string;
  /** PEM text, when the device has made its key itself. */
  csr: string | undefined;
}

/** Shown in errors: what is too long for a client id is cut. */
const shownCharactersMax = 128;

/** The client id of an event, when answers can be sent to it. @throws {ThinglineError} REQUEST_INVALID */
export function clientIdOf(event: unknown): string {
  const clientId = memberOf(event, "deviceId");
  if (typeof clientId === "string" && isDeviceId(clientId)) return clientId;
  const got = typeof clientId === "string" ? `"${clientId.slice(0, shownCharactersMax)}"` : typeof clientId;
  const message = `deviceId of the event must be a client id of 1 to 128 of the characters A-Z a-z 0-9 : _ -, got ${got}`;
  throw new ThinglineError("REQUEST_INVALID", message);
}

/** @throws {ThinglineError} REQUEST_INVALID */
export function readRequest(event: unknown, clientId: string): VendingRequest {
  const thingName = deviceIdOfClient(clientId);
  if (!isDeviceId(thingName) || isClaimClientId(thingName)) {
    const rule = `1 to ${claimedDeviceIdCharactersMax} characters that do not begin with the prefix again`;
    throw new ThinglineError(
      "REQUEST_INVALID",
      `behind the claim's prefix stands a name of ${rule}, got "${clientId}"`,
    );
  }
  return { clientId, thingName, csr: readCsr(memberOf(event, "csr")) };
}

export function keyOriginOf({ csr }: VendingRequest): KeyOrigin {
  return csr === undefined ? "cloud" : "device";
}

/** Whether it is a request at all; AWS IoT judges what stands in it. */
function readCsr(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  const isBase64 = typeof value === "string" && /^[A-Za-z0-9+/]*={0,2}$/.test(value);
  if (!isBase64) throw new ThinglineError("REQUEST_INVALID", "csr of the event must be base64");
  const bytes = Buffer.from(value, "base64");
  if (bytes.length > requestBytesMax) {
    const message = `a certificate request has at most ${requestBytesMax} bytes, got ${bytes.length}`;
    throw new ThinglineError("REQUEST_INVALID", message, { details: { requestBytesMax } });
  }
  const text = bytes.toString("latin1").trim();
  if (/^-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----[\w+/=\s-]*$/.test(text)) return text;
  throw new ThinglineError("REQUEST_INVALID", "a message on create-from-csr must be a PKCS#10 request as PEM text");
}

function memberOf(event: unknown, name: string): unknown {
  return typeof event === "object" && event !== null ? (event as Record<string, unknown>)[name] : undefined;
}
