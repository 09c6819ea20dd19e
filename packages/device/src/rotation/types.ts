import type { ThinglineError } from "@thingline/protocol";
import type { ProvisioningEvent } from "../provisioning/types.js";
import type { RotationJob, RotationReason } from "./record.js";

/** The certificate that a device uses. */
export interface CertificateFacts {
  /** Lower-case hex SHA-256 of the certificate's DER: its id at AWS IoT. */
  certificateId: string;
  /** Unix time. */
  notBeforeMs: number;
  notAfterMs: number;
}

export interface RotationResult {
  /** In use from now on, proved by a full handshake. */
  certificateId: string;
  secTag: number;
  /** What was in use before; undefined where its tag cannot be read. */
  replacedCertificateId: string | undefined;
  /** Unix time until which the device keeps the credentials before. */
  overlapUntilUnixMs: number;
}

export interface RotationEvents {
  rotationStarted: { reason: RotationReason; fromTag: number; toTag: number };
  /** A step of provisioning, with its number and name, what it came to, and the next thing to try when it failed. */
  rotationStep: ProvisioningEvent;
  /** The device is connected with its new certificate. */
  rotated: RotationResult & { reason: RotationReason };
  /** `retryInMs`: it is tried again after that time. */
  rotationFailed: { reason: RotationReason; error: ThinglineError; retryInMs?: number };
  /** The overlap is over: the credentials before are gone from their tag. */
  oldCredentialsDeleted: { secTag: number };
  /** Within the overlap the cloud did not let the device in with the new credentials, and did with those before. */
  wentBack: { secTag: number; error: ThinglineError };
  /**
   * The certificate in use ends soon. Told once for each of `warnDays` that is reached. With a clock that is not trusted, `daysLeft` is the
   * most that can be left.
   */
  certificateEnding: CertificateFacts & { daysLeft: number; isClockTrusted: boolean };
  /** What has no caller to go to. */
  error: { error: ThinglineError };
}

export type RotationEventName = keyof RotationEvents;
export type RotationListener<Name extends RotationEventName> = (event: RotationEvents[Name]) => void;
export type RotationListeners = { [Name in RotationEventName]?: RotationListener<Name> };

export interface RotateOptions {
  /** Ends the rotation where it stands, and the device is connected with what it had; the next `connect()` or `rotate()` goes on. */
  signal?: AbortSignal;
}

/** What a rotation is asked for with, besides by the application. */
export interface RotationOrigin {
  reason: RotationReason;
  job?: RotationJob;
  /** Instead of the option. */
  overlapMs?: number;
}
