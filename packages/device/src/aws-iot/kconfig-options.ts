import { ThinglineError } from "@thingline/protocol";
import type { AwsIotSettings } from "@thingline/protocol/kconfig";
import type { DeviceSettings } from "../client/options.js";
import type { Handshake } from "../connection/options.js";

/** The part of a device's options that a Kconfig file decides. Clock, randomness and credentials are the caller's. */
export type KconfigDeviceOptions = { host: string; port: number; handshake: Handshake } & Required<
  Pick<
    DeviceSettings,
    | "clientId"
    | "keepAliveSeconds"
    | "isCleanSession"
    | "payloadBytesMax"
    | "sendTimeoutMs"
    | "shadowTopics"
    | "requestsShadow"
    | "family"
    | "driver"
  >
> &
  Pick<DeviceSettings, "lastWill" | "staticAddress">;

/** AWS IoT's longest keep alive, in seconds: what it goes by when asked for a longer one, or for none. */
const keepAliveSecondsMax = 1200;
const neverMs = 0;

/**
 * A Kconfig configuration as options of {@link createDevice} and {@link connectDevice}:
 *
 * ```ts
 * const { config } = loadKconfig([{ file: "prj.conf", text }]);
 * const device = createDevice({ ...deviceOptionsOf(awsIotSettings(config)), secTagDialer, secTag: 43, clock, random });
 * ```
 *
 * The security tag is in `settings.secTag`; which dialer fits is told by `settings.usesNativeTls`. A static IPv4 address wins over
 * `CONFIG_AWS_IOT_IPV6`, as in the original. `driver` is `application` with `CONFIG_AWS_IOT_CONNECTION_POLL_THREAD=n`. `handshake` is `resume` with `CONFIG_AWS_IOT_TLS_SESSION_CACHING`.
 *
 * @param more.clientId needed with `CONFIG_AWS_IOT_CLIENT_ID_APP`, where it has fewer bytes than
 * `CONFIG_AWS_IOT_CLIENT_ID_MAX_LEN`; otherwise it replaces the configured one.
 * @throws {ThinglineError} OPTION_INVALID when the application has to give a client id, and did not or gave a longer one.
 */
export function deviceOptionsOf(settings: AwsIotSettings, more: { clientId?: string } = {}): KconfigDeviceOptions {
  const { host, port, isCleanSession, payloadBytesMax, shadowTopics, requestsShadow } = settings;
  const { keepAliveSeconds, lastWill, staticIpv4Address } = settings;
  const isKeptAlive = keepAliveSeconds > 0 && keepAliveSeconds <= keepAliveSecondsMax;
  return {
    host,
    port,
    clientId: clientIdOf(settings, more.clientId),
    handshake: settings.resumesTlsSession ? "resume" : "full",
    keepAliveSeconds: isKeptAlive ? keepAliveSeconds : keepAliveSecondsMax,
    isCleanSession,
    payloadBytesMax,
    sendTimeoutMs: settings.sendTimeoutMs ?? neverMs,
    shadowTopics,
    requestsShadow,
    family: staticIpv4Address === undefined ? settings.family : 4,
    driver: settings.usesPollThread ? "library" : "application",
    ...(staticIpv4Address === undefined ? {} : { staticAddress: staticIpv4Address }),
    ...(lastWill === undefined ? {} : { lastWill: { topic: lastWill.topic, payload: lastWill.message } }),
  };
}

function clientIdOf({ clientId, clientIdBytesMax }: AwsIotSettings, given: string | undefined): string {
  if (clientId !== undefined) return given ?? clientId;
  if (given === undefined) {
    const message = "clientId: CONFIG_AWS_IOT_CLIENT_ID_APP=y leaves it to the application, and there is none";
    throw new ThinglineError("OPTION_INVALID", message, { details: { option: "clientId" } });
  }
  const lengthBytes = new TextEncoder().encode(given).length;
  // The original compares with >=, so that one byte of the configured length cannot be used.
  if (lengthBytes < clientIdBytesMax) return given;
  const message = `clientId: expected fewer than CONFIG_AWS_IOT_CLIENT_ID_MAX_LEN=${clientIdBytesMax} bytes, got ${lengthBytes}`;
  throw new ThinglineError("OPTION_INVALID", message, { details: { option: "clientId" } });
}
