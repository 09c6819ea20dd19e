import { ThinglineError } from "../errors.js";

/**
 * Split provisioning: the device publishes an empty message on `certificate/<id>/create`, and its private key and its
 * certificate come back as raw PEM text in two messages, because an nRF91's TLS cannot take both in one.
 */
export interface SplitProvisioningTopics {
  /** The request: empty payload. */
  create: string;
  /**
   * Ours: the request of a device that has made its key itself. The payload is a PKCS#10 request as PEM text, at most {@link requestBytesMax};
   * the answer is the certificate alone, on {@link SplitProvisioningTopics.certificate}. A topic of its own, as in fleet provisioning: a
   * cloud half that does not know it stays silent instead of making a key that nobody asked for, and a claim's policy can allow it alone.
   */
  createFromCsr: string;
  /** What the application subscribes to: the two answers. */
  acceptedFilter: string;
  key: string;
  certificate: string;
  /** Ours: the sample's cloud half tells the device nothing when it fails. */
  rejected: string;
}

/** The longest client id and thing name of AWS IoT. */
export const deviceIdCharactersMax = 128;
/** What fits the original sample's topic buffers of 75 bytes; a longer id works with Thingline on both ends only. */
export const sampleDeviceIdCharactersMax = 44;
/** A key or certificate must be smaller than the sample's buffer of 2,048 bytes. */
export const credentialBytesMax = 2047;
/** A certificate request as PEM text. */
export const requestBytesMax = 4096;
export const rejectionBytesMax = 2047;
export const rejectionTextCharactersMax = 512;

/** @throws {ThinglineError} OPTION_INVALID when the id cannot be a thing name and a topic level. */
export function splitProvisioningTopics(deviceId: string): SplitProvisioningTopics {
  if (!isDeviceId(deviceId)) {
    const message = `a device id has 1 to ${deviceIdCharactersMax} of the characters A-Z a-z 0-9 : _ -, got "${deviceId}"`;
    throw new ThinglineError("OPTION_INVALID", message, { details: { option: "clientId" } });
  }
  const create = `certificate/${deviceId}/create`;
  return {
    create,
    createFromCsr: `certificate/${deviceId}/create-from-csr`,
    acceptedFilter: `${create}/accepted/+`,
    key: `${create}/accepted/key`,
    certificate: `${create}/accepted/cert`,
    rejected: `${create}/rejected`,
  };
}

/** The cloud creates a thing of this name, so the rules for thing names hold. */
export function isDeviceId(text: string): boolean {
  return text.length <= deviceIdCharactersMax && /^[A-Za-z0-9:_-]+$/u.test(text);
}

/** What the cloud listens to. */
export const createFilter = "certificate/+/create";
export const createFromCsrFilter = "certificate/+/create-from-csr";

export type SplitProvisioningMessageKind = "key" | "certificate" | "rejected" | "unknown";

/** Undefined: the topic is none of this device's provisioning. `unknown`: a sub-topic that nobody knows, to be ignored. */
export function classifySplitProvisioningTopic(
  topics: SplitProvisioningTopics,
  topic: string,
): SplitProvisioningMessageKind | undefined {
  switch (topic) {
    case topics.key:
      return "key";
    case topics.certificate:
      return "certificate";
    case topics.rejected:
      return "rejected";
    default:
      return topic.startsWith(`${topics.create}/`) ? "unknown" : undefined;
  }
}

/** Members as in fleet provisioning's `rejected` documents. */
export interface SplitProvisioningRejection {
  /** As an HTTP status: 4xx will not get better by asking again, 429 and 5xx may. */
  statusCode: number;
  errorCode: string;
  errorMessage: string;
}

export function encodeSplitProvisioningRejection(rejection: SplitProvisioningRejection): Uint8Array {
  const { statusCode, errorCode, errorMessage } = rejection;
  const text = errorMessage.slice(0, rejectionTextCharactersMax);
  return new TextEncoder().encode(JSON.stringify({ statusCode, errorCode, errorMessage: text }));
}

/** Takes whatever came: what is no such document becomes the message of a rejection without a code. */
export function decodeSplitProvisioningRejection(payload: Uint8Array): SplitProvisioningRejection {
  const text = new TextDecoder().decode(payload.subarray(0, rejectionBytesMax));
  return rejectionOf(payload.length > rejectionBytesMax ? undefined : parseObject(text), text);
}

/**
 * @param members undefined: there are none
 * @param text what to show of a message that says no reason
 */
export function rejectionOf(
  members: Readonly<Record<string, unknown>> | undefined,
  text: string,
): SplitProvisioningRejection {
  const unknown = { statusCode: 500, errorCode: "Unknown", errorMessage: printable(text) || "no reason was given" };
  if (members === undefined) return unknown;
  const { statusCode, errorCode, errorMessage } = members;
  return {
    statusCode: typeof statusCode === "number" && Number.isInteger(statusCode) ? statusCode : unknown.statusCode,
    errorCode: typeof errorCode === "string" && errorCode !== "" ? printable(errorCode) : unknown.errorCode,
    errorMessage:
      typeof errorMessage === "string" && errorMessage !== "" ? printable(errorMessage) : unknown.errorMessage,
  };
}

/** Asking again makes sense: the service was busy or failed, rather than refused. */
export function isTransientRejection({ statusCode }: SplitProvisioningRejection): boolean {
  return statusCode === 429 || statusCode >= 500;
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** A peer's text is shown to people: without control characters, and not without end. */
function printable(text: string): string {
  return text.slice(0, rejectionTextCharactersMax).replace(/\p{Cc}+/gu, " ");
}
