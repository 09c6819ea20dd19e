import { toHex } from "@thingline/protocol";
import type { Keys } from "@thingline/transport";
import type { AccessKey } from "./access-keys.js";
import { parsePresigned } from "./presigned.js";
import { sessionFaults, sessionQuestion, type FindSessionKey } from "./session-keys.js";
import { clockSkewMinutesMax, isSignedBy, verifyClaims, type Authorization, type SignatureFault } from "./sigv4.js";

/** As WebSockets of MQTT are signed, and as newer clients of the data plane may. */
const serviceNames: ReadonlySet<string> = new Set(["iotdevicegateway", "iotdata"]);

export interface WebSocketSignatures {
  accessKeys: readonly AccessKey[];
  keys: Keys;
  /** `any` reads only what a signature claims. */
  signatures: "verify" | "any";
  /** Where devices connect. */
  region: string;
  findSessionKey: FindSessionKey;
}

/** Who signed, or why it is not taken. */
export type WebSocketSigner = { principalId: string } | { fault: string };

/**
 * Reads and verifies the signature in the query of a WebSocket's upgrade.
 *
 * @param path as sent, with the query
 * @returns undefined for a query without a signature. A promise only for the key of a session.
 * @see AWS IoT developer guide, "Device communication protocols", MQTT over the WebSocket Protocol
 */
export function webSocketSigner(
  { path, headers }: { path: string; headers: Readonly<Record<string, string>> },
  nowMs: number,
  options: WebSocketSignatures,
): WebSocketSigner | Promise<WebSocketSigner> | undefined {
  const question = path.indexOf("?");
  const rawQuery = question < 0 ? "" : path.slice(question + 1);
  if (!/(?:^|&)X-Amz-(?:Signature|Credential|Algorithm)=/.test(rawQuery)) return undefined;
  const authorization = parsePresigned(withExpiry(rawQuery));
  if (authorization === undefined || "code" in authorization) return faultOf(authorization);
  const { accessKeyId, service, region } = authorization;
  if (!serviceNames.has(service)) return { fault: "the signature has to be for the service iotdevicegateway" };
  if (options.signatures === "any") return { principalId: accessKeyId };
  if (region !== options.region)
    return { fault: `it is signed for the region ${region}, and devices connect to ${options.region}` };
  const request = { method: "GET", rawPath: question < 0 ? path : path.slice(0, question), rawQuery, headers };
  const judge = (accessKeys: readonly AccessKey[]): WebSocketSigner => {
    const fault = verifyClaims(request, authorization, { accessKeys, nowMs });
    if (fault !== undefined) return faultOf(fault);
    const accessKey = accessKeys.find((key) => key.accessKeyId === accessKeyId)!;
    return isSigned(accessKey, request, authorization, options.keys)
      ? { principalId: accessKeyId }
      : { fault: "the signature does not match: check the secret access key and how it was signed" };
  };
  const session = sessionQuestion(authorization, headers, options.accessKeys);
  if (session === undefined) return judge(options.accessKeys);
  return options
    .findSessionKey(session)
    .then((found) => ("fault" in found ? faultOf(sessionFaults[found.fault]) : judge([found.accessKey])));
}

/** AWS's clients append the session token behind the signature, which is not over it; a general presigner signs it as well. */
function isSigned(
  accessKey: AccessKey,
  request: { method: string; rawPath: string; rawQuery: string; headers: Readonly<Record<string, string>> },
  authorization: Authorization,
  keys: Keys,
): boolean {
  const { presigned } = authorization;
  const bodyHash = toHex(keys.sha256(new Uint8Array()));
  const how = { keys, date: presigned?.date ?? "", bodyHash, pathStyle: "encodedTwice" } as const;
  const { rawQuery } = request;
  const bare = rawQuery.split("&").filter((part) => !part.startsWith("X-Amz-Security-Token="));
  const { headers } = request;
  // AWS is at the port that needs no word; its clients sign the bare name also for another.
  const hosts = [headers, { ...headers, host: (headers["host"] ?? "").replace(/:\d{1,5}$/, "") }];
  return [bare.join("&"), rawQuery].some((query) =>
    hosts.some((sent) => isSignedBy(accessKey, { ...request, rawQuery: query, headers: sent }, authorization, how)),
  );
}

/** How long a signature without X-Amz-Expires is good: not confirmed of AWS, which takes such signatures. */
function withExpiry(rawQuery: string): string {
  return /(?:^|&)X-Amz-Expires=/.test(rawQuery) ? rawQuery : `${rawQuery}&X-Amz-Expires=${clockSkewMinutesMax * 60}`;
}

const faultOf = (fault: SignatureFault | undefined): WebSocketSigner => ({
  fault: fault === undefined ? "the query has no signature" : `${fault.code}: ${fault.message}`,
});
