import { type ErrorCode, isThinglineError, ThinglineError } from "@thingline/protocol";
import type { StreamRejection } from "@thingline/protocol/streams";

const codes: Readonly<Record<string, ErrorCode>> = {
  ResourceNotFound: "DOWNLOAD_GONE",
  Unauthorized: "DOWNLOAD_GONE",
  // The object behind the stream is another one: this stream never delivers again.
  ETagMismatch: "DOWNLOAD_GONE",
  VersionMismatch: "DOWNLOAD_CHANGED",
};

/** Asked again, the same question may be answered. */
export const isPassing = ({ code }: StreamRejection): boolean =>
  code === "InternalError" || code === "RequestThrottled";

export function rejectionError(streamName: string, { code, message }: StreamRejection): ThinglineError {
  const text = `the stream "${streamName}" refused a request: ${code}${message === "" ? "" : `, ${message.slice(0, 256)}`}`;
  const kind = isPassing({ code, message }) ? "DOWNLOAD_UNAVAILABLE" : (codes[code] ?? "DOWNLOAD_INVALID");
  return new ThinglineError(kind, text, { details: { status: code.slice(0, 64) } });
}

export const unanswered = (streamName: string, attempts: number) =>
  new ThinglineError(
    "DOWNLOAD_UNAVAILABLE",
    `the stream "${streamName}" brought nothing new for ${attempts} requests`,
    {
      details: { attempts },
    },
  );

const later = new Set<string>(["CONNECTION_LOST", "TIMEOUT", "QUOTA_EXCEEDED", "LIMIT_EXCEEDED"]);

/** A failure of the device's in the words of a downloader. */
export function downloadError(streamName: string, error: unknown): Error {
  if (!isThinglineError(error)) return error instanceof Error ? error : new Error("a device threw what is no error");
  if (error.code === "STREAM_MESSAGE_INVALID") {
    return new ThinglineError("DOWNLOAD_INVALID", error.message, { cause: error });
  }
  if (error.code === "MQTT_SUBSCRIPTION_REFUSED") {
    const topics = `$aws/things/<thing>/streams/*`;
    const message = `${error.message}. For streams, the device's policy has to allow iot:Subscribe on topicfilter/${topics}, and iot:Publish and iot:Receive on topic/${topics}`;
    return new ThinglineError("DOWNLOAD_GONE", message, { details: { streamName }, cause: error });
  }
  if (!later.has(error.code)) return error;
  const details = { ...error.details, networkCode: error.code };
  return new ThinglineError("DOWNLOAD_UNAVAILABLE", error.message, { details, cause: error });
}
