import { isThinglineError, type ErrorCode } from "@thingline/protocol";

/** Error numbers of the modem library, as the application tells them with a minus sign. [NXLIB nrf_errno] */
export const errnos = {
  ENOENT: 2,
  EIO: 5,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EINVAL: 22,
  EISCONN: 127,
  EADDRINUSE: 112,
  EOPNOTSUPP: 95,
  ECONNRESET: 104,
  ENOTCONN: 128,
  ECONNREFUSED: 111,
  ETIMEDOUT: 116,
  EHOSTUNREACH: 118,
  ENETDOWN: 115,
  EMSGSIZE: 122,
  EALREADY: 120,
  EOVERFLOW: 139,
  ECANCELED: 140,
} as const;

export type ErrnoName = keyof typeof errnos;

/** Which number the modem's connect fails with, by what went wrong. [nrf91-modem-and-fota.md 6] */
const nameOfCode: Partial<Record<ErrorCode, ErrnoName>> = {
  CONNECTION_REFUSED: "ECONNREFUSED",
  TIMEOUT: "ETIMEDOUT",
  HOST_NOT_FOUND: "EHOSTUNREACH",
  TLS_HANDSHAKE_FAILED: "EOPNOTSUPP",
  TLS_PEER_UNTRUSTED: "EOPNOTSUPP",
  TLS_RECORD_TOO_LARGE: "EMSGSIZE",
  CREDENTIAL_MISSING: "ENOENT",
  CERTIFICATE_INVALID: "EINVAL",
  KEY_INVALID: "EINVAL",
  KEY_MISMATCH: "EINVAL",
  LINK_FAILED: "ENETDOWN",
  LIMIT_EXCEEDED: "ENOMEM",
  CONNECTION_LOST: "ECONNRESET",
  ABORTED: "ECANCELED",
  CLOSED: "ENOTCONN",
};

/**
 * The negative number by which the application tells what failed.
 *
 * @throws what is not an error of Thingline: a defect must not look like a refusal.
 */
export function errnoOf(error: unknown): number {
  if (!isThinglineError(error)) throw error;
  return -errnos[nameOfCode[error.code] ?? "EIO"];
}
