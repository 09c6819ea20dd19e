import { decodePercent } from "@thingline/protocol/restjson";
import { algorithm } from "../signature.js";
import { incomplete, parseScope, type Authorization, type SignatureFault } from "./sigv4.js";

/** A week, as AWS has it. */
export const presignedSecondsMax = 604_800;

const required = [
  "X-Amz-Algorithm",
  "X-Amz-Credential",
  "X-Amz-Date",
  "X-Amz-Expires",
  "X-Amz-SignedHeaders",
  "X-Amz-Signature",
] as const;

/** Parameters that belong to a signature, however they are written: only their own spelling is taken. */
const signatureName =
  /^x-amz-(algorithm|credential|date|expires|signedheaders|signature|security-token|content-sha256)$/i;

/** `aws s3 presign` of older CLIs signs so by itself. */
const advice = " (AWS CLI: aws configure set default.s3.signature_version s3v4)";
/** Parameters of Signature Version 2, which no endpoint of AWS IoT takes. `Expires` alone is any parameter's name. */
const oldSignatureName = /^(awsaccesskeyid|signature|signatureversion|signaturemethod)$/i;

/**
 * Reads the signature of a presigned URL: all of it or none. A query with any of its parameters, or those of an older signature, is a
 * signed request, never an unsigned one.
 *
 * @returns undefined for a query without a signature.
 * @see AWS General Reference, "Authentication methods", query parameters
 */
export function parsePresigned(rawQuery: string): Authorization | SignatureFault | undefined {
  const found = new Map<string, string>();
  for (const part of rawQuery.split("&")) {
    const { name, value } = splitPart(part);
    if (oldSignatureName.test(name)) {
      const message = `'${name}' is of Signature Version 2, which is not supported: sign the request with '${algorithm}'${advice}.`;
      return incomplete(message);
    }
    if (!signatureName.test(name)) continue;
    if (found.has(name)) return incomplete(`AWS query-string parameters must have '${name}' once.`);
    found.set(name, value);
  }
  if (found.size === 0) return undefined;
  for (const name of required) {
    if (!found.get(name)) {
      const message = `AWS query-string parameters must include '${name}'. Re-examine the query-string parameters.`;
      return incomplete(message);
    }
  }
  const text = (name: (typeof required)[number]) => found.get(name) ?? "";
  if (text("X-Amz-Algorithm") !== algorithm) return incomplete(`X-Amz-Algorithm must be '${algorithm}'.`);
  const expiresSeconds = /^\d{1,6}$/.test(text("X-Amz-Expires")) ? Number(text("X-Amz-Expires")) : 0;
  if (expiresSeconds < 1 || expiresSeconds > presignedSecondsMax)
    return incomplete(`X-Amz-Expires must be a number from 1 to ${presignedSecondsMax}.`);
  const scope = parseScope(text("X-Amz-Credential"));
  if ("code" in scope) return scope;
  return {
    ...scope,
    signedHeaders: text("X-Amz-SignedHeaders").toLowerCase().split(";"),
    signature: text("X-Amz-Signature"),
    presigned: {
      ...{ date: text("X-Amz-Date"), expiresSeconds, bodyHash: found.get("X-Amz-Content-Sha256") },
      sessionToken: found.get("X-Amz-Security-Token"),
    },
  };
}

/** The query as an operation sees it. */
export function withoutSignature(rawQuery: string): string {
  const isOther = (part: string) => !signatureName.test(splitPart(part).name);
  return rawQuery.split("&").filter(isOther).join("&");
}

function splitPart(part: string): { name: string; value: string } {
  const equals = part.indexOf("=");
  const [name, value] = equals < 0 ? [part, ""] : [part.slice(0, equals), part.slice(equals + 1)];
  return { name: decodePercent(name) ?? name, value: decodePercent(value) ?? value };
}
