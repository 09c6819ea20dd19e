import type { ErrorCode } from "@thingline/protocol";
import { ThinglineError } from "@thingline/protocol";
import type { SplitProvisioningRejection } from "@thingline/protocol/provisioning";
import type { Answers } from "./answers.js";
import type { ProvisioningWay } from "./method.js";
import type { ProvisioningProgress } from "./progress.js";
import { lastRequestUnixMs } from "./progress.js";
import type { ProvisioningConfig, ProvisioningLimits, TagItem } from "./types.js";

/** Trying again with the same credentials and options cannot help. */
const hopeless: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "CERTIFICATE_INVALID",
  "CREDENTIAL_MISSING",
  "CREDENTIAL_REFUSED",
  "KEY_INVALID",
  "KEY_MISMATCH",
  "OPTION_INVALID",
  "SERIAL_PORT_UNPLUGGED",
  "TLS_PEER_UNTRUSTED",
]);

/** The peer, not the way to it, turned us down. AWS IoT denies a connection under MQTT 3.1.1 by closing it. */
const refusals: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "CERTIFICATE_INVALID",
  "CONNECTION_LOST",
  "CREDENTIAL_MISSING",
  "CREDENTIAL_REFUSED",
  "KEY_INVALID",
  "KEY_MISMATCH",
  "MQTT_CONNECT_REFUSED",
  "MQTT_DISCONNECTED",
  "PROVISIONING_NOT_PROVED",
  "TLS_HANDSHAKE_FAILED",
  "TLS_PEER_UNTRUSTED",
]);

/** The claim was refused, rather than the connection lost: a second attempt tells whether it was an accident. */
const claimRefusedAttemptsMax = 2;

export function isRefusal({ code }: ThinglineError): boolean {
  return refusals.has(code);
}

/** How often connecting is tried at most, given how the last attempt failed. */
export function attemptsMax(
  error: ThinglineError,
  as: "claim" | "device",
  { limits, keys }: ProvisioningConfig,
): number {
  if (hopeless.has(error.code)) return 1;
  // The cloud closes connections while it registers the certificate, and a function of the customer's may have to activate it.
  if (keys === "own" && isRefusal(error)) return limits.ownCertificateAttemptsMax;
  // A policy can take a moment to be attached to the new certificate; the claim's was attached long ago.
  const isRefusedClaim = as === "claim" && isRefusal(error);
  return isRefusedClaim ? Math.min(claimRefusedAttemptsMax, limits.connectAttemptsMax) : limits.connectAttemptsMax;
}

export function retryDelayMs(attempt: number, { retryMinMs, retryMaxMs }: ProvisioningLimits): number {
  return Math.min(retryMaxMs, retryMinMs * 2 ** Math.max(0, attempt - 1));
}

const itemWords: Readonly<Record<TagItem, string>> = {
  ca: "CA",
  certificate: "client certificate",
  privateKey: "private key",
};

function itemList(items: readonly TagItem[]): string {
  return items
    .map((item) => itemWords[item])
    .join(", ")
    .replace(/, (?=[^,]*$)/u, " and ");
}

export function claimMissing(claimTag: number, missing: readonly TagItem[]): ThinglineError {
  const message = `security tag ${claimTag} lacks the claim's ${itemList(missing)}`;
  return new ThinglineError("CREDENTIAL_MISSING", message, {
    details: { secTag: claimTag, missing: missing.join(",") },
  });
}

export function ownMissing(secTag: number, missing: readonly TagItem[]): ThinglineError {
  const message = `security tag ${secTag} lacks the device's own ${itemList(missing)}`;
  return new ThinglineError("CREDENTIAL_MISSING", message, {
    details: { secTag, missing: missing.join(",") },
  });
}

export function claimExpired(claimTag: number, expiresAtUnixMs: number): ThinglineError {
  const expired = new Date(expiresAtUnixMs).toISOString();
  const message = `the claim for security tag ${claimTag} ended at ${expired}: a temporary claim lives five minutes`;
  return new ThinglineError("PROVISIONING_CLAIM_EXPIRED", message, {
    details: { secTag: claimTag, expired },
  });
}

export function rejected({ statusCode, errorCode, errorMessage }: SplitProvisioningRejection): ThinglineError {
  const message = `the cloud refused to provision this device: ${errorCode} (${statusCode}): ${errorMessage}`;
  const details = { cloudCode: errorCode, cloudReason: errorMessage, statusCode };
  return new ThinglineError("PROVISIONING_REJECTED", message, { details });
}

/** The cloud did nothing, and says that it will when it is asked less. */
export function isThrottled({ statusCode }: SplitProvisioningRejection): boolean {
  return statusCode === 429;
}

/** The token of a certificate, which its one use ends as well: "not valid" and "used before" are one answer. */
export function isTokenRefused({ errorCode }: SplitProvisioningRejection): boolean {
  return /ownership/iu.test(errorCode);
}

export function mismatch(answers: Answers): ThinglineError {
  const counts = { keys: answers.keys.length, certificates: answers.certificates.length };
  const message = "the private key and the certificate that were received do not belong together";
  return new ThinglineError("KEY_MISMATCH", message, { details: counts });
}

/** RegisterThing was not answered in time, or with something that cannot be used. */
export function unregistered(
  requestCount: number,
  timeoutMs: number,
  problem: ThinglineError | undefined,
): ThinglineError {
  const within = `RegisterThing was not accepted within ${timeoutMs / 1000} s of ${requestCount} request${requestCount === 1 ? "" : "s"}`;
  const details = { ...problem?.details, requestCount, timeoutMs };
  if (problem) {
    return new ThinglineError(problem.code, `${within}: ${problem.message}`, { details, cause: problem });
  }
  const message = `${within}, and nothing came; the certificate is kept for the next start`;
  return new ThinglineError("PROVISIONING_TIMEOUT", message, { details });
}

/** No complete pair in time: the last problem if there was one, else the plain fact. */
export function unanswered(
  answers: Answers,
  problem: ThinglineError | undefined,
  facts: { requestCount: number; timeoutMs: number; way: ProvisioningWay },
): ThinglineError {
  const { requestCount, timeoutMs, way } = facts;
  const came = cameOf(answers, way);
  const within = `within ${timeoutMs / 1000} s of ${requestCount} request${requestCount === 1 ? "" : "s"}`;
  const details = { ...problem?.details, requestCount, timeoutMs };
  if (problem) {
    return new ThinglineError(problem.code, `${came} ${within}: ${problem.message}`, { details, cause: problem });
  }
  const hint = way.startsWith("split")
    ? "the cloud answered nothing: check that its provisioning is set up (AWS: a rule on certificate/+/create and its " +
      'function; the topic "errors" and the function\'s log tell more)'
    : "the cloud answered nothing: check that the claim's policy allows publishing to $aws/certificates/ and receiving the answers";
  return new ThinglineError("PROVISIONING_TIMEOUT", `${came} ${within}; ${hint}`, { details });
}

function cameOf(answers: Answers, way: ProvisioningWay): string {
  const isOwnKey = !way.endsWith("CloudKeys");
  if (isOwnKey) {
    return answers.certificates.length === 0 ? "no certificate came" : "no certificate came for the device's key";
  }
  return answers.keys.length === 0 && answers.certificates.length === 0
    ? "neither key nor certificate came"
    : answers.certificates.length === 0
      ? "the key came, the certificate did not"
      : answers.keys.length === 0
        ? "the certificate came, the key did not"
        : "keys and certificates came, none belong together";
}

/** A certificate of one's own CA was shown again and again. */
export function notIntroduced(cause: ThinglineError, attempts: number, secTag: number): ThinglineError {
  const message =
    `the cloud did not accept the certificate in security tag ${secTag} in ${attempts} attempt${attempts === 1 ? "" : "s"}: ` +
    `${cause.message}. It is still there`;
  const details = { ...cause.details, attempts, secTag, reason: cause.code };
  return new ThinglineError("PROVISIONING_NOT_PROVED", message, { details, cause });
}

export function notProved(cause: ThinglineError, attempts: number, secTag: number): ThinglineError {
  const message =
    `the new credentials in security tag ${secTag} were not accepted in ${attempts} attempt${attempts === 1 ? "" : "s"}: ` +
    `${cause.message}. They were deleted; the claim stays in use`;
  const details = { ...cause.details, attempts, secTag, reason: cause.code };
  return new ThinglineError("PROVISIONING_NOT_PROVED", message, { details, cause });
}

export function resumedSession(secTag: number): ThinglineError {
  const message =
    `the TLS session with security tag ${secTag} was resumed: it shows the certificate of an earlier handshake ` +
    "and proves nothing of the new one";
  return new ThinglineError("PROVISIONING_NOT_PROVED", message, {
    details: { secTag },
  });
}

export function notVerified(secTag: number, item: TagItem, found: string | undefined): ThinglineError {
  const what = found === undefined ? "nothing is there" : "its digest is another one";
  const message = `${item} in security tag ${secTag} was written, but reading it back tells that ${what}`;
  return new ThinglineError("CREDENTIAL_NOT_VERIFIED", message, {
    details: { secTag, item },
  });
}

/**
 * Requests are bounded over restarts: a device that loses its power at the same point each time must not fill the account
 * with certificates. It may go on slowly, because nobody may be there to reset it.
 */
export function exhausted(
  progress: ProvisioningProgress,
  limits: ProvisioningLimits,
  unixMs: number,
): ThinglineError | undefined {
  const { requestCount, unprovedCount } = progress;
  const { requestsMax, unprovedMax, requestRefillMs } = limits;
  if (requestCount < requestsMax && unprovedCount < unprovedMax) return undefined;
  // A clock that went back, as after a power cut without a battery, must not lock the device out.
  const sinceMs = unixMs - (lastRequestUnixMs(progress) ?? 0);
  if (sinceMs >= requestRefillMs || sinceMs < 0) return undefined;
  const retryInSeconds = Math.ceil((requestRefillMs - sinceMs) / 1000);
  const message =
    `${requestCount} requests and ${unprovedCount} certificates led to no accepted certificate; the next request may be ` +
    `made in ${retryInSeconds} s. Removing the progress file allows it at once`;
  const details = { requestCount, unprovedCount, retryInSeconds };
  return new ThinglineError("PROVISIONING_EXHAUSTED", message, { details });
}
