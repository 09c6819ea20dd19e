import { type ErrorCode, ThinglineError } from "@thingline/protocol";
import type { FotaErrorCause, FotaLimits } from "./types.js";

export type DownloadTrouble =
  /** Asking again may help, not before so long. */
  | { type: "later"; delayMs: number | undefined }
  | { type: "gone" }
  | { type: "changed" }
  | { type: "final"; reason: "downloadInvalid" | "downloadRefused" };

const refused = new Set<ErrorCode>([
  "TLS_PEER_UNTRUSTED",
  "TLS_RECORD_TOO_LARGE",
  "CREDENTIAL_MISSING",
  "CREDENTIAL_REFUSED",
  "CERTIFICATE_INVALID",
  "KEY_INVALID",
  "KEY_MISMATCH",
  "SEC_TAG_RESERVED",
  "OPTION_INVALID",
  "DEPENDENCY_MISSING",
]);

/** What a failed download means for the next attempt. */
export function troubleOf(error: ThinglineError): DownloadTrouble {
  switch (error.code) {
    case "DOWNLOAD_GONE":
      return { type: "gone" };
    case "DOWNLOAD_CHANGED":
      return { type: "changed" };
    case "DOWNLOAD_INVALID":
      return { type: "final", reason: "downloadInvalid" };
    default: {
      if (refused.has(error.code)) return { type: "final", reason: "downloadRefused" };
      const { retryAfterMs } = error.details;
      return { type: "later", delayMs: typeof retryAfterMs === "number" ? retryAfterMs : undefined };
    }
  }
}

/** Before the attempt after so many that failed in a row. */
export function retryDelayMs(fruitless: number, wantedMs: number | undefined, limits: FotaLimits): number {
  const grown = Math.min(limits.retryMaxMs, limits.retryMinMs * 2 ** Math.min(30, Math.max(0, fruitless - 1)));
  return Math.max(grown, Math.min(wantedMs ?? 0, limits.retryAfterMaxMs));
}

/** The original's cause of an error event. */
export function causeOf(reason: string): FotaErrorCause {
  if (reason === "imageUnknown") return "typeMismatch";
  return reason.startsWith("download") || reason === "sourceUnsupported" ? "downloadFailed" : "invalidUpdate";
}

export function healthTimeout(timeoutMs: number): ThinglineError {
  const message = `the new image was not healthy and connected within ${timeoutMs} ms`;
  return new ThinglineError("TIMEOUT", message, { details: { timeoutMs } });
}
