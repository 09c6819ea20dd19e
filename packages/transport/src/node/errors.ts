import { ThinglineError } from "@thingline/protocol";
import { lostError } from "../stream-connection.js";
import { codeOf } from "./files.js";

const hostCodes = new Set(["ENOTFOUND", "EAI_AGAIN", "EAI_NODATA", "EAI_NONAME", "EAI_FAIL", "ENODATA"]);
const refusedCodes = new Set(["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "EADDRNOTAVAIL", "EACCES", "EPERM"]);

/** Why no TCP connection came about. */
export function connectError(error: Error, where: string): ThinglineError {
  const systemCode = codeOf(error) ?? codeOfFirst(error) ?? "unknown";
  const options = { details: { systemCode, where }, cause: error };
  if (hostCodes.has(systemCode))
    return new ThinglineError("HOST_NOT_FOUND", `no address is known for ${where}`, options);
  if (refusedCodes.has(systemCode)) {
    return new ThinglineError("CONNECTION_REFUSED", `${where} refused the connection (${systemCode})`, options);
  }
  if (systemCode === "ETIMEDOUT") return new ThinglineError("TIMEOUT", `${where} did not answer`, options);
  return lostError(systemCode, error);
}

/** With several addresses tried, Node puts one error for each into an AggregateError. */
function codeOfFirst(error: Error): string | undefined {
  return error instanceof AggregateError ? codeOf(error.errors[0]) : undefined;
}

/**
 * What the peer said, in the words of RFC 8446 §6. Node 20 has `ERR_SSL_SSLV3_ALERT_`, `ERR_SSL_TLSV1_ALERT_` and
 * `ERR_SSL_TLSV13_ALERT_`, later ones `ERR_SSL_SSL/TLS_ALERT_`.
 */
export function alertOf(error: unknown): string | undefined {
  return /^ERR_SSL_(?:SSLV3|TLSV1|TLSV13|SSL\/TLS)_ALERT_(.+)$/.exec(codeOf(error) ?? "")?.[1]?.toLowerCase();
}

/** An error of a TLS socket, during or after its handshake. */
export function tlsError(error: Error): ThinglineError {
  const systemCode = codeOf(error) ?? "unknown";
  const alert = alertOf(error);
  if (alert !== undefined) {
    const message = `the peer refused the TLS connection with the alert ${alert}`;
    return new ThinglineError("TLS_HANDSHAKE_FAILED", message, { details: { alert, systemCode }, cause: error });
  }
  if (systemCode.startsWith("ERR_SSL_") || systemCode === "EPROTO") {
    const message = `TLS failed: ${systemCode}`;
    return new ThinglineError("TLS_HANDSHAKE_FAILED", message, { details: { systemCode }, cause: error });
  }
  if (systemCode === "ERR_TLS_HANDSHAKE_TIMEOUT") {
    return new ThinglineError("TIMEOUT", "the TLS handshake took too long", { details: { systemCode }, cause: error });
  }
  return lostError(systemCode, error);
}
